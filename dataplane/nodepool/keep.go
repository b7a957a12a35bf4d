package nodepool

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// keep writes the number of nodes that a spec leaves out: the one that was taken up last, and 1
// for a new pool. It is in the spec, and not only meant, as an autoscaler reads it there. The API
// has no default of it, which would be that of an update as well: whoever takes the line out of a
// file, for an autoscaler to have the number, would have all nodes but one deleted.
func (r *Reconciler) keep(ctx context.Context, s *scope) error {
	if s.pool.Spec.Replicas != nil {
		return nil
	}
	next := s.pool.DeepCopy()
	next.Spec.Replicas = new(s.pool.WantedReplicas())
	if err := r.writeSpec(ctx, s, next); err != nil {
		return fmt.Errorf("keeping the number of nodes: %w", err)
	}
	if s.pool.Status.Accepted != nil {
		r.events.Eventf(s.pool, nil, corev1.EventTypeNormal, "ReplicasKept", "Scale", "spec.replicas is %d again, as before: it was left out, which changes nothing", *s.pool.Spec.Replicas)
	}
	return nil
}

// writeSpec writes next, a changed copy of the pool, and makes it known to the pass, which goes on
// with it. Of two who change the number of nodes at the same time one begins again.
func (r *Reconciler) writeSpec(ctx context.Context, s *scope, next *v1alpha1.NodePool) error {
	patch := client.MergeFromWithOptions(s.pool.DeepCopy(), client.MergeFromWithOptimisticLock{})
	if err := r.Client.Patch(ctx, next, patch, client.FieldOwner(v1alpha1.FieldOwner)); err != nil {
		return err
	}
	for _, known := range []*v1alpha1.NodePool{s.pool, s.before} {
		known.ObjectMeta, known.Spec = *next.ObjectMeta.DeepCopy(), *next.Spec.DeepCopy()
	}
	return nil
}
