package hosted

import (
	"context"
	"fmt"
	"strings"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/guard"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// delete takes a control plane down:
//
//  1. guard: not while its Cluster lives
//  2. stopComponents: all processes and files, so that nobody writes to etcd
//  3. deleteEtcdTenant: keys, user and role
//  4. the finalizer; the namespace takes Secrets and ConfigMaps with it
func (r *Reconciler) delete(ctx context.Context, s *scope, before *v1alpha1.HostedControlPlane) (ctrl.Result, error) {
	if !controllerutil.ContainsFinalizer(s.hcp, v1alpha1.HostedControlPlaneFinalizer) {
		return ctrl.Result{}, nil
	}
	err := reconcile.Run(ctx, s, []reconcile.Step[*scope]{
		{Name: "guard", Run: r.guard},
		{Name: "stop components", Run: r.stopComponents},
		{Name: "delete etcd tenant", Run: r.deleteEtcdTenant},
	})
	if err != nil {
		reconcile.SetCondition(&s.hcp.Status.Conditions, v1alpha1.ConditionDeleting, s.hcp.Generation, err, "")
		reconcile.SetCondition(&s.hcp.Status.Conditions, v1alpha1.ConditionReady, s.hcp.Generation,
			reconcile.UserError("Deleting", "%s", reconcile.As(err).Message), "")
		if statusErr := reconcile.PatchStatus(ctx, r.Client, before, s.hcp); statusErr != nil {
			return ctrl.Result{}, statusErr
		}
		return reconcile.Result(err)
	}
	controllerutil.RemoveFinalizer(s.hcp, v1alpha1.HostedControlPlaneFinalizer)
	return ctrl.Result{}, client.IgnoreNotFound(r.Client.Patch(ctx, s.hcp, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}), client.FieldOwner(v1alpha1.FieldOwner)))
}

// guard keeps a control plane running whose Cluster nobody has deleted, as the keys of its
// EtcdTenant are kept.
func (r *Reconciler) guard(ctx context.Context, s *scope) error {
	return guard.ClusterDeleted(ctx, r.Live, s.hcp.Spec.ClusterRef, "the control plane goes on as it is")
}

// stopComponents stops them all at once; the host tells when one is gone.
func (r *Reconciler) stopComponents(ctx context.Context, s *scope) error {
	r.tenants.remove(client.ObjectKeyFromObject(s.hcp))
	var left []string
	for _, name := range components {
		gone, err := r.Host.Delete(ctx, s.hcp.Namespace, name)
		if err != nil {
			return fmt.Errorf("stopping %s: %w", name, err)
		}
		if !gone {
			left = append(left, name)
		}
	}
	if len(left) > 0 {
		return reconcile.Wait("StoppingComponents", "waiting for %s to stop", strings.Join(left, ", "))
	}
	return nil
}

// deleteEtcdTenant deletes the place in etcd and waits until it is gone. Its
// status tells what it waits for.
func (r *Reconciler) deleteEtcdTenant(ctx context.Context, s *scope) error {
	tenant := &v1alpha1.EtcdTenant{}
	key := client.ObjectKey{Namespace: s.hcp.Namespace, Name: v1alpha1.NameEtcdTenant}
	if err := r.Live.Get(ctx, key, tenant); err != nil {
		return client.IgnoreNotFound(err)
	}
	if tenant.DeletionTimestamp == nil {
		if err := reconcile.Delete(ctx, r.Client, tenant); err != nil {
			return err
		}
	}
	for _, c := range tenant.Status.Conditions {
		if c.Type == v1alpha1.ConditionDeleting {
			return reconcile.Wait(c.Reason, "%s", c.Message)
		}
	}
	return reconcile.Wait("DeletingEtcdTenant", "waiting for the tenant's keys, user and role to be deleted from etcd")
}
