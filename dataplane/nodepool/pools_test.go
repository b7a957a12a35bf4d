package nodepool

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// machinesOf are those of a pool, with what goes.
func (w *world) machinesOf(pool *v1alpha1.NodePool) []v1alpha1.Machine {
	w.Helper()
	list := &v1alpha1.MachineList{}
	w.must(management.Client.List(w.Context(), list, client.InNamespace(w.network.Namespace), client.MatchingLabels{v1alpha1.LabelPoolUID: string(pool.UID)}))
	return list.Items
}

// recorded are the Operations on a pool: "Scale Succeeded".
func (w *world) recorded(pool *v1alpha1.NodePool) (words []string) {
	w.Helper()
	for _, o := range w.operations() {
		if o.Spec.TargetRef.UID == pool.UID {
			words = append(words, fmt.Sprintf("%s %s", o.Spec.Type, o.Status.Phase))
		}
	}
	slices.Sort(words)
	return words
}

// Rule 4: an upgrade of one pool keeps nobody from another number of nodes in another pool of the
// same cluster, which is carried out at once; and the upgrade goes on beside it, by its own rules.
func TestRule04AnUpgradeOfOnePoolBlocksNoOther(t *testing.T) {
	for name, tc := range map[string]struct {
		strategy v1alpha1.UpgradeStrategy
		wanted   int32
	}{
		"Rolling, more":  {v1alpha1.UpgradeRolling, 4},
		"Rolling, fewer": {v1alpha1.UpgradeRolling, 1},
		"Rolling, none":  {v1alpha1.UpgradeRolling, 0},
		"InPlace, more":  {v1alpha1.UpgradeInPlace, 4},
		"InPlace, fewer": {v1alpha1.UpgradeInPlace, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newVersionWorld(t)
			upgraded := w.pool
			upgraded.Spec.Version, upgraded.Spec.Upgrade.Strategy = earlier, tc.strategy
			w.active()
			scaled := &v1alpha1.NodePool{
				ObjectMeta: metav1.ObjectMeta{Namespace: w.pool.Namespace, Name: "batch"},
				Spec:       v1alpha1.NodePoolSpec{ClusterRef: w.pool.Spec.ClusterRef, Replicas: new(int32(2)), Flavor: "b3-8"},
			}
			w.pool = scaled
			w.active()

			// The first node of the new version has come, and the others have not.
			w.pool = upgraded
			w.change(func(s *v1alpha1.NodePoolSpec) { s.Version = patched })
			w.mustPass()
			w.join()
			w.mustPass()
			w.is(v1alpha1.PoolUpgrading, "")
			w.says("SizeFrozen", "True", "Upgrading", "")

			w.pool = scaled
			w.change(func(s *v1alpha1.NodePoolSpec) { s.Replicas = &tc.wanted })
			for range 2 {
				w.mustPass()
				w.join()
				w.vanish()
			}
			w.mustPass()
			w.is(v1alpha1.PoolActive, fmt.Sprintf("%d of %d", tc.wanted, tc.wanted))
			if n := len(w.machinesOf(scaled)); n != int(tc.wanted) {
				t.Errorf("%d nodes are in the pool that is scaled, want %d", n, tc.wanted)
			}
			if diff := cmp.Diff([]string{"Create Succeeded", "Scale Succeeded"}, w.recorded(scaled)); diff != "" {
				t.Errorf("records of the pool that is scaled (-want +got):\n%s", diff)
			}

			w.pool = upgraded
			w.mustPass()
			w.is(v1alpha1.PoolUpgrading, "")
			w.settle()
			w.is(v1alpha1.PoolActive, "3 of 3")
			if n := len(w.machinesOf(upgraded)); n != 3 {
				t.Errorf("%d nodes are in the pool that was upgraded, want 3", n)
			}
			w.releases(patched)
			if diff := cmp.Diff([]string{"Create Succeeded", "Update Succeeded"}, w.recorded(upgraded)); diff != "" {
				t.Errorf("records of the pool that was upgraded (-want +got):\n%s", diff)
			}
		})
	}
}
