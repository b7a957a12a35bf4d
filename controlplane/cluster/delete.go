package cluster

import (
	"cmp"
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/operation"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// delete takes a Cluster down, from whatever phase it is in:
//
//  1. giveCredentials: those that the Cluster names now, by which all else is deleted
//  2. deorbit: load balancers and volumes, while there are nodes on which those run that made
//     them. Nobody waits for it for ever
//  3. deletePools: and wait until their nodes are gone. The control plane still runs, so that
//     what is in the way can be looked at
//  4. deleteNetwork: and wait until nothing of it is left in the cloud
//  5. deleteControlPlane: and wait until nothing of it runs or is stored
//  6. deleteNamespace: and with it certificates and configuration
//  7. the finalizer
func (r *Reconciler) delete(ctx context.Context, s *scope, before *v1alpha1.Cluster) (ctrl.Result, error) {
	if !controllerutil.ContainsFinalizer(s.cluster, v1alpha1.ClusterFinalizer) {
		return ctrl.Result{}, nil
	}
	if err := r.observe(ctx, r.Live, s); err != nil {
		return ctrl.Result{}, err
	}
	// What cannot be recorded must not keep anybody from deleting.
	recordErr := operation.Forgivable(r.operate(ctx, s))
	err := reconcile.Run(ctx, s, []reconcile.Step[*scope]{
		{Name: "give credentials", Run: r.giveCredentials},
		{Name: "deorbit", Run: r.deorbit},
		{Name: "delete node pools", Run: r.deletePools},
		{Name: "delete network", Run: r.deleteNetwork},
		{Name: "delete control plane", Run: r.deleteControlPlane},
		{Name: "delete namespace", Run: r.deleteNamespace},
	})
	if errors.Is(recordErr, operation.ErrBehind) && err != nil {
		// Status would tell of what is not known.
		return reconcile.Result(recordErr)
	}
	if err != nil {
		r.writeStatus(s, before, err)
		if statusErr := reconcile.PatchStatus(ctx, r.Client, before, s.cluster); statusErr != nil {
			return ctrl.Result{}, statusErr
		}
		return reconcile.Result(cmp.Or(recordErr, err))
	}
	controllerutil.RemoveFinalizer(s.cluster, v1alpha1.ClusterFinalizer)
	return ctrl.Result{}, client.IgnoreNotFound(r.Client.Patch(ctx, s.cluster, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}), client.FieldOwner(v1alpha1.FieldOwner)))
}

func (r *Reconciler) deleteControlPlane(ctx context.Context, s *scope) error {
	hcp := s.hcp
	if hcp == nil {
		return nil
	}
	if hcp.DeletionTimestamp == nil {
		if err := reconcile.Delete(ctx, r.Client, hcp); err != nil {
			return err
		}
	}
	if c := meta.FindStatusCondition(hcp.Status.Conditions, v1alpha1.ConditionDeleting); c != nil {
		return reconcile.Wait(c.Reason, "%s", c.Message)
	}
	return reconcile.Wait("DeletingControlPlane", "waiting for the control plane to stop")
}

func (r *Reconciler) deleteNamespace(ctx context.Context, s *scope) error {
	namespace := &corev1.Namespace{}
	err := r.Live.Get(ctx, client.ObjectKey{Name: NamespaceName(s.cluster)}, namespace)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if namespace.DeletionTimestamp == nil {
		if err := reconcile.Delete(ctx, r.Client, namespace); err != nil {
			return err
		}
	}
	return reconcile.Wait("DeletingNamespace", "waiting for namespace %s to be emptied", namespace.Name)
}
