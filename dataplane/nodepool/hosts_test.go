package nodepool

import (
	"slices"
	"testing"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// Rule 30: with hard anti-affinity each node has a host of its own, and a group has five at most,
// so that five nodes and one more do not fit. An upgrade of such a pool gives an old node up before
// it makes the new one, whatever maxSurge asks for, and one of a smaller pool goes as far as fits.
func TestRule30AnUpgradeWithHardAntiAffinityStaysOnItsHosts(t *testing.T) {
	for name, tc := range map[string]struct {
		replicas           int32
		surge, unavailable *int32
		// least is how many nodes are ready at any time, and most how many servers there are.
		least, most int
	}{
		"Five, as the defaults are":     {replicas: 5, least: 4, most: 5},
		"Five, one more":                {replicas: 5, surge: new(int32(1)), unavailable: new(int32(0)), least: 4, most: 5},
		"Five, three more":              {replicas: 5, surge: new(int32(3)), least: 4, most: 5},
		"Five, one more and two fewer":  {replicas: 5, surge: new(int32(1)), unavailable: new(int32(2)), least: 3, most: 5},
		"Four, one more":                {replicas: 4, surge: new(int32(1)), least: 4, most: 5},
		"Four, three more, one fits":    {replicas: 4, surge: new(int32(3)), least: 4, most: 5},
		"Three, one more, room for two": {replicas: 3, surge: new(int32(1)), least: 3, most: 4},
	} {
		t.Run(name, func(t *testing.T) {
			w := newCloudWorld(t) // its pool has antiAffinity: Hard
			w.pool.Spec.Replicas, w.pool.Spec.Upgrade.MaxSurge, w.pool.Spec.Upgrade.MaxUnavailable = &tc.replicas, tc.surge, tc.unavailable
			w.active()
			before := w.names()
			w.runs(next)
			fewest, most := len(before), 0
			look := func() {
				ready := 0
				for _, m := range w.machines() {
					if m.DeletionTimestamp == nil && isReady(m) {
						ready++
					}
				}
				fewest, most = min(fewest, ready), max(most, len(w.machines()))
			}
			// A server that is deleted has its host until the next pass, and one that is made is
			// a node after the one that made it.
			for range 30 {
				w.mustPass()
				look()
				if w.pool.Status.Phase == v1alpha1.PoolDegraded {
					t.Fatalf("it is Degraded: %s", w.pool.Status.Message)
				}
				w.join()
				w.mustPass()
				look()
				w.vanish()
			}
			if fewest != tc.least || most != tc.most {
				t.Errorf("%d nodes were ready at least and %d servers there at most, want %d and %d", fewest, most, tc.least, tc.most)
			}
			w.is(v1alpha1.PoolActive, "")
			w.releases(next)
			for _, name := range w.names() {
				if slices.Contains(before, name) {
					t.Errorf("%s is still there", name)
				}
			}
		})
	}
}
