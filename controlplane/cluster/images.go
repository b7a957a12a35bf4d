package cluster

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// looked reports whether an Infrastructure has looked into its cloud for what its spec names.
func looked(infra *v1alpha1.Infrastructure) bool {
	return infra.Status.ObservedGeneration == infra.Generation
}

// imaged reports whether the cloud has the image of a release, as was found last.
func imaged(infra *v1alpha1.Infrastructure, release string) bool {
	return slices.ContainsFunc(infra.Status.Images, func(i v1alpha1.InfrastructureImage) bool { return i.Release == release })
}

// checkImage refuses a version to which nodes would follow, and of which the cloud has no image:
// their pools could neither get there nor be healed.
func (r *Reconciler) checkImage(ctx context.Context, s *scope) error {
	ref, version := s.cluster.Spec.InfrastructureRef, s.cluster.Spec.Version
	follows := slices.IndexFunc(s.pools, func(p v1alpha1.NodePool) bool {
		return p.DeletionTimestamp == nil && p.Spec.Version == "" && p.Spec.Image == ""
	})
	if ref == nil || follows < 0 {
		return nil
	}
	infra := &v1alpha1.Infrastructure{}
	if err := r.Client.Get(ctx, client.ObjectKey{Name: ref.Name}, infra); err != nil {
		return client.IgnoreNotFound(err) // which the spec is refused for
	}
	switch {
	case !looked(infra):
		return reconcile.Wait("InfrastructureNotReady", "the upgrade begins when it is known whether the cloud of Infrastructure %s has the image of version %s", infra.Name, version)
	case !imaged(infra, version):
		return reconcile.UserError("ImageNotFound", "the cloud of Infrastructure %s does not have the image of version %s, which the nodes of node pool %s would follow to: ask whoever runs the platform, or give the pool a version or an image of its own",
			infra.Name, version, s.pools[follows].Name)
	}
	return nil
}

// offersChanged are the changes of an Infrastructure that matter to Clusters: what it offers, and
// of what its cloud has images.
func offersChanged() predicate.Predicate {
	return predicate.Or[client.Object](predicate.GenerationChangedPredicate{}, predicate.Funcs{
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, now := e.ObjectOld.(*v1alpha1.Infrastructure), e.ObjectNew.(*v1alpha1.Infrastructure)
			return looked(before) != looked(now) || !equality.Semantic.DeepEqual(before.Status.Images, now.Status.Images)
		},
	})
}
