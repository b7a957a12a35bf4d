package nodepool

import (
	"testing"
	"time"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// An upgrade of the control plane waits for a pool that replaces nodes while one is away, which only
// this reason tells, and not for one that waits for somebody.
func TestAPoolTellsThatItReplacesNodesWhileOneIsAway(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*v1alpha1.NodePoolSpec)
		during func(w *world, added string)
		reason string
	}{
		"An old one is away": {asIs, func(w *world, _ string) { w.lose("shop-web-00002", time.Minute) }, "Replacing"},
		"It is not to be healed": {func(s *v1alpha1.NodePoolSpec) { s.AutoHeal.Enabled = new(false) },
			func(w *world, _ string) { w.lose("shop-web-00002", time.Minute) }, "NodesNotReady"},
		"There is no room": {asIs, func(w *world, added string) {
			w.lose("shop-web-00002", time.Minute)
			for _, m := range w.machines() {
				if m.Name == added {
					w.fails(m, 0, "NoCapacity", "there is none")
				}
			}
		}, "NodesNotReady"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newVersionWorld(t)
			w.pool.Spec.Version = earlier
			tc.change(&w.pool.Spec)
			w.active()
			before := w.names()
			w.change(func(s *v1alpha1.NodePoolSpec) { s.Version = patched })
			w.mustPass()
			added := w.added(before)
			if len(added) != 1 {
				t.Fatalf("%d new nodes are made, want 1", len(added))
			}
			tc.during(w, added[0].Name)
			w.mustPass()
			w.is(v1alpha1.PoolDegraded, "2 of 3 nodes are ready")
			w.says("Ready", "False", tc.reason, "2 of 3 nodes are ready")
		})
	}
}
