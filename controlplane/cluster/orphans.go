package cluster

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// collectOrphans deletes what is left of Clusters of a name that are no more, other
// than the one with the UID keep.
//
// A finalizer does not exclude that there is something: an API server that is asked
// to delete an object looks for finalizers first and deletes then, so that one which
// is added in between is passed over, and the pass that added it goes on. The events
// of what it makes lead back here.
func (r *Reconciler) collectOrphans(ctx context.Context, key types.NamespacedName, keep types.UID) error {
	namespaces := &corev1.NamespaceList{}
	labels := client.MatchingLabels{v1alpha1.LabelClusterNamespace: key.Namespace, v1alpha1.LabelClusterName: key.Name}
	if err := r.Live.List(ctx, namespaces, labels); err != nil {
		return err
	}
	var waiting error
	for _, namespace := range namespaces.Items {
		s := &scope{cluster: &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{
			Namespace: key.Namespace, Name: key.Name, UID: types.UID(namespace.Labels[v1alpha1.LabelClusterUID]),
		}}}
		// Nobody knows any more whether it had one.
		s.cluster.Spec.InfrastructureRef = &v1alpha1.LocalReference{}
		if s.cluster.UID == keep || NamespaceName(s.cluster) != namespace.Name {
			continue
		}
		if err := r.observe(ctx, r.Live, s); err != nil {
			return err
		}
		err := reconcile.Run(ctx, s, []reconcile.Step[*scope]{
			{Name: "delete network", Run: r.deleteNetwork},
			{Name: "delete control plane", Run: r.deleteControlPlane},
			{Name: "delete namespace", Run: r.deleteNamespace},
		})
		if e := reconcile.As(err); e != nil && e.Kind != reconcile.KindWait {
			return err
		}
		waiting = err
	}
	return waiting
}
