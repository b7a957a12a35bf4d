package etcd

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// betweenPages is the pause after each pass of a long deletion, in which others get
// their turn.
const betweenPages = 100 * time.Millisecond

// errNoCluster says that there is no EtcdCluster to delete anything from.
var errNoCluster = errors.New("the EtcdCluster does not exist")

// delete takes a tenant's place away:
//
//  1. guard: not while its Cluster lives
//  2. purge: user, keys and role
//  3. the finalizer; the Secret goes with its owner
//
// A tenant that was never placed has nothing in any etcd.
func (r *TenantReconciler) delete(ctx context.Context, s *tenantScope) (ctrl.Result, error) {
	if !controllerutil.ContainsFinalizer(s.tenant, v1alpha1.EtcdTenantFinalizer) {
		return ctrl.Result{}, nil
	}
	var err error
	if s.tenant.Status.EtcdCluster != "" {
		err = reconcile.Run(ctx, s, []reconcile.Step[*tenantScope]{
			{Name: "guard", Run: r.guard},
			{Name: "purge", Run: r.purge},
		})
	}
	if err == nil {
		err := reconcile.SetFinalizer(ctx, r.Client, s.tenant, s.before, controllerutil.RemoveFinalizer, v1alpha1.EtcdTenantFinalizer)
		if reconcile.Overtaken(err) {
			return reconcile.Again(), nil
		}
		if client.IgnoreNotFound(err) == nil {
			r.placements.forget(s.tenant.UID)
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	reconcile.SetCondition(&s.tenant.Status.Conditions, v1alpha1.ConditionDeleting, s.tenant.Generation, err, "")
	reconcile.SetCondition(&s.tenant.Status.Conditions, v1alpha1.ConditionReady, s.tenant.Generation,
		reconcile.UserError("Deleting", "%s", reconcile.As(err).Message), "")
	if err := reconcile.PatchStatus(ctx, r.Client, s.before, s.tenant); err != nil {
		return ctrl.Result{}, err
	}
	return reconcile.Result(err)
}

// guard keeps the keys of a tenant whose Cluster nobody has deleted. A policy refuses most
// deletions of that kind, but not what deletes objects without asking: the removal of a
// CustomResourceDefinition takes all of its kind along.
func (r *TenantReconciler) guard(ctx context.Context, s *tenantScope) error {
	// Only its labels tell whose it is: the tenant knows no more than a UID.
	namespace := &corev1.Namespace{}
	if err := r.Client.Get(ctx, types.NamespacedName{Name: s.tenant.Namespace}, namespace); err != nil {
		return client.IgnoreNotFound(err)
	}
	key := types.NamespacedName{Namespace: namespace.Labels[v1alpha1.LabelClusterNamespace], Name: namespace.Labels[v1alpha1.LabelClusterName]}
	if key.Name == "" {
		return nil
	}
	owner := &v1alpha1.Cluster{}
	if err := r.Client.Get(ctx, key, owner); err != nil {
		return client.IgnoreNotFound(err)
	}
	if string(owner.UID) != s.tenant.Spec.TenantUID || owner.DeletionTimestamp != nil {
		return nil
	}
	return reconcile.WaitFor(lookAgain, "ClusterNotDeleted",
		"the tenant's keys are kept, because its Cluster is not deleted: to delete them, run 'kubectl -n %s delete cluster %s'", key.Namespace, key.Name)
}

// purge deletes what the tenant has in etcd, as much as a pass may take.
func (r *TenantReconciler) purge(ctx context.Context, s *tenantScope) error {
	err := r.reach(ctx, s)
	if errors.Is(err, errNoCluster) {
		// It waits for its tenants before it goes. Whoever took its finalizer away has
		// taken the keys with it.
		return nil
	}
	if err != nil {
		return err
	}
	within, cancel := context.WithTimeout(ctx, passTimeout)
	defer cancel()
	left, err := s.admin.DeleteTenant(within, s.tenant.Spec.TenantUID)
	if err == nil && left > 0 {
		return reconcile.WaitFor(betweenPages, "DeletingKeys", "%d keys of the tenant are still to be deleted from etcd", left)
	}
	return explain(ctx, s.admin, s.cluster.Name, "deletion", err)
}

// reach connects to the EtcdCluster. One that is known to have trouble is asked
// first, which takes a second and not the time-out of a request.
func (r *TenantReconciler) reach(ctx context.Context, s *tenantScope) (err error) {
	s.cluster = &v1alpha1.EtcdCluster{}
	err = r.Client.Get(ctx, types.NamespacedName{Name: s.tenant.Status.EtcdCluster}, s.cluster)
	if apierrors.IsNotFound(err) {
		return errNoCluster
	}
	if err != nil {
		return err
	}
	if s.admin, err = connect(ctx, r.Client, r.Pool, s.cluster); err != nil {
		return err
	}
	if reconcile.IsTrue(s.cluster.Status.Conditions, v1alpha1.ConditionReady) {
		return nil
	}
	if members := s.admin.Members(ctx); len(members)-silent(members) < quorum {
		return outage(s.cluster.Name, "deletion", members, nil)
	}
	return nil
}
