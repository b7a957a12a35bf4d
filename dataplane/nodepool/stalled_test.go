package nodepool

import (
	"testing"
	"time"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// An upgrade in which a node is lost comes to its end: what it waits for is healed, and waits for
// nothing that waits for the upgrade.
func TestRule23AnUpgradeInWhichANodeIsLostGoesOn(t *testing.T) {
	for name, tc := range map[string]struct {
		strategy v1alpha1.UpgradeStrategy
		// lost is which node is lost when so many of the new version are there.
		lost func(w *world) []string
		when int
	}{
		"ANewOne": {v1alpha1.UpgradeRolling, func(w *world) []string {
			for _, m := range w.machines() {
				if m.Spec.Template.Release == next && isReady(m) {
					return []string{m.Name}
				}
			}
			return nil
		}, 1},
		"AnOldOne": {v1alpha1.UpgradeRolling, func(w *world) []string { return []string{"shop-web-00003"} }, 1},
		"InPlace":  {v1alpha1.UpgradeInPlace, func(w *world) []string { return []string{"shop-web-00001"} }, 1},
		"TwoInPlace": {v1alpha1.UpgradeInPlace, func(w *world) []string {
			return []string{"shop-web-00001", "shop-web-00002"}
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.pool.Spec.Upgrade.Strategy = tc.strategy
			w.pool.Spec.Replicas = new(int32(5))
			w.active()
			w.cluster.Status.Version = next
			w.writeStatus(w.cluster)
			done := func() (n int) {
				for _, m := range w.machines() {
					if m.Spec.Template.Release == next && isReady(m) {
						n++
					}
				}
				return n
			}
			for range 40 {
				w.now = w.now.Add(time.Second)
				w.mustPass()
				if done() >= tc.when {
					break
				}
				w.join()
				w.vanish()
			}
			lost := tc.lost(w)
			if len(lost) == 0 || done() < tc.when {
				t.Fatalf("%d nodes are of the new version, and %v are lost", done(), lost)
			}
			for _, name := range lost {
				w.lose(name, 0)
			}
			w.settle()
			w.now = w.now.Add(10 * time.Minute)
			w.settle()
			w.now = w.now.Add(10 * time.Minute)
			w.settle()
			w.is(v1alpha1.PoolActive, "5 of 5")
			for _, m := range w.machines() {
				if m.Spec.Template.Release != next || !isReady(m) {
					t.Errorf("%s runs %s, ready: %t", m.Name, m.Spec.Template.Release, isReady(m))
				}
			}
			for _, op := range w.operations() {
				if !op.Status.Phase.Finished() {
					t.Errorf("operation %s (%s) is %s: %s", op.Name, op.Spec.Type, op.Status.Phase, op.Status.Message)
				}
			}
		})
	}
}
