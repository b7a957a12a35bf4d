package cluster

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// stages are Clusters in each phase of a life, with what runs then.
var stages = map[string]struct {
	phase v1alpha1.ClusterPhase
	reach func(*world)
}{
	"Pending":  {v1alpha1.ClusterPending, func(w *world) { w.deletePool("web"); w.nodePools(); w.settle() }},
	"Creating": {v1alpha1.ClusterCreating, func(w *world) { w.pass(3) }},
	"Error": {v1alpha1.ClusterError, func(w *world) {
		w.pass(3)
		w.change(func(c *v1alpha1.Cluster) { c.Spec.Version = "1.36.99-1" })
		w.pass(1)
	}},
	"Active":    {v1alpha1.ClusterActive, func(w *world) { w.settle() }},
	"Updating":  {v1alpha1.ClusterUpdating, func(w *world) { w.settle(); w.ask(v1alpha1.OperationRestart); w.pass(2) }},
	"Upgrading": {v1alpha1.ClusterUpgrading, func(w *world) { w.settle(); w.upgrade(newVersion); w.pass(2) }},
	"Degraded":  {v1alpha1.ClusterDegraded, func(w *world) { w.settle(); w.upgrade("1.36.99-1"); w.settle() }},
	"Deleting":  {v1alpha1.ClusterDeleting, func(w *world) { w.settle(); w.delete(); w.pass(1) }},
}

// pass has the controller look so often, while nobody else does anything.
func (w *world) pass(times int) {
	w.Helper()
	r := w.controller()
	for range times {
		_, err := r.Reconcile(w.Context(), ctrl.Request{NamespacedName: shop})
		w.must(err)
	}
}

func (w *world) upgrade(version string) {
	w.Helper()
	w.change(func(c *v1alpha1.Cluster) { c.Spec.Version = version })
}

// nothingIsLeft checks that all that was made for the Cluster is gone.
func (w *world) nothingIsLeft() {
	w.Helper()
	for _, list := range []client.ObjectList{
		&corev1.NamespaceList{}, &v1alpha1.HostedControlPlaneList{}, &v1alpha1.ClusterNetworkList{}, &v1alpha1.NodePoolList{},
	} {
		w.must(w.api.List(w.Context(), list))
		if n := meta.LenList(list); n > 0 {
			w.Errorf("%d are left: %+v", n, list)
		}
	}
}

// A deletion is taken in every phase, and twice; it ends what runs, and nothing is left.
func TestRule06ADeletionIsTakenInEveryPhase(t *testing.T) {
	for name, stage := range stages {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.place(oldVersion, newVersion)
			stage.reach(w)
			if p := w.readCluster().Status.Phase; p != stage.phase {
				t.Fatalf("the cluster is %q: %s; want %q", p, w.readCluster().Status.Message, stage.phase)
			}
			w.delete()
			again := w.api.Delete(t.Context(), &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: shop.Name}})
			w.must(client.IgnoreNotFound(again))
			w.settle()
			if err := w.api.Get(t.Context(), shop, &v1alpha1.Cluster{}); !apierrors.IsNotFound(err) {
				t.Errorf("the cluster is still there: %v", err)
			}
			w.nothingIsLeft()
			for _, line := range w.history() {
				if strings.Contains(line, "Running") || strings.Contains(line, "Pending") {
					t.Errorf("after all: %s", line)
				}
			}
		})
	}
}
