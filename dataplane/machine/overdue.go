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

// answerLife is for how long the tenant's word that a node is not Ready counts. It is renewed each
// minute, and a server is looked at as often.
const answerLife = 2 * time.Minute

// overdue reports whether a server has had its time to become a Ready node, and the tenant has
// told since that it has not. None can join a control plane that is away: the time begins again
// when that comes back, as its Cluster tells. Nor is one given up that may well be Ready, only that
// the tenant is out of reach from here. Of a Cluster that is gone nobody tells anything.
func (r *Reconciler) overdue(ctx context.Context, m *v1alpha1.Machine) (bool, error) {
	now, deadline := r.Now(), m.Deadline()
	if deadline == nil || now.Before(deadline.Time) {
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
	if c == nil || c.Status != metav1.ConditionTrue {
		return false, nil
	}
	end := c.LastTransitionTime.Add(creationTimeout(m))
	if end.Before(deadline.Time) {
		end = deadline.Time
	}
	n := m.Status.Node
	if n == nil || n.Missed == nil || n.Missed.Time.Before(end) {
		return false, nil
	}
	// Of a clock that was ahead nobody knows how old a word is.
	age := now.Sub(n.Missed.Time)
	return age <= answerLife && age >= -time.Minute, nil
}

// slowFlavors says what helps where servers have too little time, as a part of a sentence.
const slowFlavors = " (spec.creationTimeoutSeconds of the pool: raise it for flavors that boot slowly, as those with GPUs)"

func creationTimeout(m *v1alpha1.Machine) time.Duration {
	return time.Duration(m.Spec.CreationTimeoutSeconds) * time.Second
}
