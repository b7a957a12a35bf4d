package machine

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// overdue reports whether a server has had its time to become a Ready node. None can join a
// control plane that is away: the time begins again when that comes back, as its Cluster
// tells. Of a Cluster that is gone nobody tells anything.
func (r *Reconciler) overdue(ctx context.Context, m *v1alpha1.Machine) (bool, error) {
	limit := creationTimeout(m)
	if m.Status.ReadySince != nil || m.Status.RequestedAt == nil || r.Now().Sub(m.Status.RequestedAt.Time) < limit {
		return false, nil
	}
	cluster, ref := &v1alpha1.Cluster{}, m.Spec.ClusterRef
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}, cluster)
	if apierrors.IsNotFound(err) || err == nil && cluster.UID != ref.UID {
		return true, nil
	} else if err != nil {
		return false, err
	}
	c := meta.FindStatusCondition(cluster.Status.Conditions, v1alpha1.ConditionControlPlaneReady)
	return c != nil && c.Status == metav1.ConditionTrue && r.Now().Sub(c.LastTransitionTime.Time) >= limit, nil
}

// slowFlavors says what helps where servers have too little time, as a part of a sentence.
const slowFlavors = " (spec.creationTimeoutSeconds of the pool: raise it for flavors that boot slowly, as those with GPUs)"

func creationTimeout(m *v1alpha1.Machine) time.Duration {
	return time.Duration(m.Spec.CreationTimeoutSeconds) * time.Second
}
