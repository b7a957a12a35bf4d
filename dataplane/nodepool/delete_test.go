package nodepool

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

func TestDelete(t *testing.T) {
	t.Run("WithItsMachines", func(t *testing.T) {
		w := newWorld(t).active()
		w.must(management.Client.Delete(t.Context(), w.pool))
		w.mustPass()
		w.is(v1alpha1.PoolDeleting, "waiting for 3 nodes to be emptied and deleted")
		w.says("Deleting", "Unknown", "DeletingMachines", "waiting for 3 nodes")
		w.has()
		before := w.Writes.Load()
		w.mustPass()
		if w.Writes.Load() != before {
			t.Error("a pass that waits writes")
		}
		w.report(w.machines()[0], func(s *v1alpha1.MachineStatus) {
			s.Message = "2 pods are being evicted"
			s.Conditions = []metav1.Condition{{Type: "Deleting", Status: "Unknown", Reason: "Draining", LastTransitionTime: metav1.Now()}}
		})
		w.mustPass()
		w.is(v1alpha1.PoolDeleting, "node shop-web-00001: 2 pods are being evicted")
		w.vanish()
		w.mustPass()
		if !w.gone() {
			t.Error("it is still there")
		}
	})
	t.Run("BeforeAnything", func(t *testing.T) {
		w := newWorld(t)
		w.pool.Spec.Flavor = "none"
		w.create(w.pool)
		w.mustPass()
		w.must(management.Client.Delete(t.Context(), w.pool))
		w.mustPass()
		if !w.gone() {
			t.Error("it is still there")
		}
	})
	t.Run("WithItsCluster", func(t *testing.T) {
		w := newWorld(t).active()
		now := metav1.Now()
		w.cluster.Finalizers = []string{"marina.dev/cluster"}
		w.must(management.Client.Update(t.Context(), w.cluster))
		w.cluster.Status.ReadySince = &now
		w.writeStatus(w.cluster)
		w.must(management.Client.Delete(t.Context(), w.cluster))
		w.must(management.Client.Delete(t.Context(), w.pool))
		w.mustPass()
		w.is(v1alpha1.PoolDeleting, "the nodes stay until the cluster")
		w.says("Deleting", "Unknown", "ClusterDeorbits", "has deleted its load balancers and volumes")
		for _, m := range w.machines() {
			if m.DeletionTimestamp != nil {
				t.Errorf("node %s goes before load balancers and volumes", m.Name)
			}
		}
		w.must(management.Client.Get(t.Context(), client.ObjectKeyFromObject(w.cluster), w.cluster))
		w.cluster.Status.Deorbit = &v1alpha1.DeorbitStatus{StartedAt: now, FinishedAt: &now}
		w.writeStatus(w.cluster)
		w.mustPass()
		w.is(v1alpha1.PoolDeleting, "waiting for 3 nodes")
		w.vanish()
		w.mustPass()
		if !w.gone() {
			t.Error("it is still there")
		}
	})
	t.Run("AfterItsCluster", func(t *testing.T) {
		w := newWorld(t).active()
		w.must(management.Client.Delete(t.Context(), w.cluster))
		w.must(management.Client.Delete(t.Context(), w.pool))
		w.mustPass()
		w.has()
		w.is(v1alpha1.PoolDeleting, "waiting for 3 nodes")
		w.vanish()
		w.mustPass()
		if !w.gone() {
			t.Error("it is still there")
		}
	})
}
