// Package guard keeps what belongs to a Cluster while the Cluster lives.
package guard

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// again is when it is looked again whether the Cluster has been deleted.
const again = 30 * time.Second

// ClusterDeleted is nil once the Cluster is deleted or gone, and else waits, with words that
// begin with what happens meanwhile. The policy guarded-deletions.marina.dev refuses most
// deletions of what belongs to a Cluster, but not what deletes objects without asking, such
// as the removal of a CustomResourceDefinition. live reads past the cache.
func ClusterDeleted(ctx context.Context, live client.Reader, ref v1alpha1.ClusterReference, meanwhile string) error {
	owner := &v1alpha1.Cluster{}
	if err := live.Get(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, owner); err != nil {
		if meta.IsNoMatchError(err) {
			// Its kind has been removed as well, and with it the last Cluster.
			return nil
		}
		return client.IgnoreNotFound(err)
	}
	if owner.UID != ref.UID || owner.DeletionTimestamp != nil {
		return nil
	}
	return reconcile.WaitFor(again, "ClusterNotDeleted",
		"%s, because its Cluster is not deleted: to delete both, run 'kubectl -n %s delete cluster %s'", meanwhile, ref.Namespace, ref.Name)
}
