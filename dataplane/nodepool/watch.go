package nodepool

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/operation"
)

// SetupWithManager starts the controller. Machines and networks lead back by label, since
// owner references do not cross namespaces.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	r.events = mgr.GetEventRecorder("marina")
	return ctrl.NewControllerManagedBy(mgr).
		Named("nodepool").
		For(&v1alpha1.NodePool{}).
		// The room that one gives up another one takes.
		Watches(&v1alpha1.NodePool{}, handler.EnqueueRequestsFromMapFunc(r.siblings), builder.WithPredicates(predicate.Or[client.Object](predicate.GenerationChangedPredicate{}, fewer))).
		Watches(&v1alpha1.Machine{}, handler.EnqueueRequestsFromMapFunc(toPool)).
		Watches(&v1alpha1.Operation{}, handler.EnqueueRequestsFromMapFunc(operation.ToTarget(v1alpha1.TargetNodePool)), builder.WithPredicates(operation.Unfinished)).
		Watches(&v1alpha1.Cluster{}, handler.EnqueueRequestsFromMapFunc(r.inCluster)).
		Watches(&v1alpha1.ClusterNetwork{}, handler.EnqueueRequestsFromMapFunc(r.inNetwork)).
		Watches(&v1alpha1.Infrastructure{}, handler.EnqueueRequestsFromMapFunc(r.inInfrastructure)).
		WithOptions(controller.Options{MaxConcurrentReconciles: 8}).
		Complete(r)
}

// fewer lets through a pool that has fewer Machines than before.
var fewer = predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
	return e.ObjectNew.(*v1alpha1.NodePool).Status.Replicas < e.ObjectOld.(*v1alpha1.NodePool).Status.Replicas
}}

// toPool maps a Machine to the pool that its labels name.
func toPool(_ context.Context, object client.Object) []ctrl.Request {
	labels := object.GetLabels()
	if labels[v1alpha1.LabelPool] == "" {
		return nil
	}
	return []ctrl.Request{{NamespacedName: types.NamespacedName{
		Namespace: labels[v1alpha1.LabelClusterNamespace], Name: labels[v1alpha1.LabelPool],
	}}}
}

// siblings are the other pools of the Cluster of one.
func (r *Reconciler) siblings(ctx context.Context, object client.Object) []ctrl.Request {
	pool := object.(*v1alpha1.NodePool)
	return r.requests(ctx, pool.Namespace, pool.Spec.ClusterRef.Name)
}

// inCluster are the pools of a Cluster.
func (r *Reconciler) inCluster(ctx context.Context, object client.Object) []ctrl.Request {
	return r.requests(ctx, object.GetNamespace(), object.GetName())
}

// inNetwork are the pools of the Cluster whose network one is.
func (r *Reconciler) inNetwork(ctx context.Context, object client.Object) []ctrl.Request {
	ref := object.(*v1alpha1.ClusterNetwork).Spec.ClusterRef
	return r.requests(ctx, ref.Namespace, ref.Name)
}

// inInfrastructure are the pools whose nodes are in an Infrastructure, which seldom changes.
func (r *Reconciler) inInfrastructure(ctx context.Context, object client.Object) []ctrl.Request {
	clusters := &v1alpha1.ClusterList{}
	if err := r.Client.List(ctx, clusters); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing Clusters")
		return nil
	}
	var requests []ctrl.Request
	for i := range clusters.Items {
		c := &clusters.Items[i]
		if ref := c.Spec.InfrastructureRef; ref != nil && ref.Name == object.GetName() {
			requests = append(requests, r.requests(ctx, c.Namespace, c.Name)...)
		}
	}
	return requests
}

func (r *Reconciler) requests(ctx context.Context, namespace, cluster string) []ctrl.Request {
	pools, err := r.poolsOf(ctx, namespace, cluster)
	if err != nil {
		// Reading the cache fails only when it stops.
		ctrl.LoggerFrom(ctx).Error(err, "listing NodePools")
		return nil
	}
	var requests []ctrl.Request
	for i := range pools {
		requests = append(requests, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(&pools[i])})
	}
	return requests
}
