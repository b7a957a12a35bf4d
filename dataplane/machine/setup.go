package machine

import (
	"context"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"

	"github.com/marina-dev/marina/dataplane/project"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// SetupWithManager starts the controller. It is woken by Machines, by what they are given to
// join, by networks, and by Infrastructures in which there may be now what was missing.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("machine").
		For(&v1alpha1.Machine{}).
		Owns(&v1alpha1.NodeBootstrap{}).
		Watches(&v1alpha1.ClusterNetwork{}, handler.EnqueueRequestsFromMapFunc(r.waiting)).
		Watches(&v1alpha1.Infrastructure{}, handler.EnqueueRequestsFromMapFunc(r.in)).
		WithOptions(controller.Options{MaxConcurrentReconciles: 2 * project.MostVisits}).
		Complete(r)
}

// waiting are the Machines in a network that have no server yet, or get it anew, are being deleted, or are to be
// looked at with the network. The others do not depend on it.
func (r *Reconciler) waiting(ctx context.Context, network client.Object) []ctrl.Request {
	var all v1alpha1.MachineList
	if err := r.Client.List(ctx, &all, client.InNamespace(network.GetNamespace())); err != nil {
		// Reading the cache fails only when it stops.
		ctrl.LoggerFrom(ctx).Error(err, "listing Machines")
		return nil
	}
	var requests []ctrl.Request
	for i := range all.Items {
		if m := &all.Items[i]; m.Status.ServerID == "" || m.Rebuilding() || m.DeletionTimestamp != nil || m.Status.Resynced != resyncOf(m, network.(*v1alpha1.ClusterNetwork)) {
			requests = append(requests, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(m)})
		}
	}
	return requests
}

// in are those in an Infrastructure.
func (r *Reconciler) in(ctx context.Context, infra client.Object) []ctrl.Request {
	var all v1alpha1.ClusterNetworkList
	if err := r.Client.List(ctx, &all); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing ClusterNetworks")
		return nil
	}
	var requests []ctrl.Request
	for i := range all.Items {
		if n := &all.Items[i]; n.Spec.InfrastructureRef.Name == infra.GetName() {
			requests = append(requests, r.waiting(ctx, n)...)
		}
	}
	return requests
}
