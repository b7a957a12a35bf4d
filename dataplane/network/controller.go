package network

import (
	"context"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"

	"github.com/marina-dev/marina/dataplane/project"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

const (
	// interval is how often a network is looked at in which nothing happens. Nobody tells of
	// changes in a cloud.
	interval = 15 * time.Minute
	// firstRetry is when a cloud that does not answer is asked again for the first time; it
	// doubles up to lastRetry.
	firstRetry, lastRetry = 5 * time.Second, 5 * time.Minute
)

// Reconciler reconciles ClusterNetworks.
type Reconciler struct {
	Client client.Client
	// Live reads past the cache what must not be missed when something is deleted.
	Live     client.Reader
	Projects *project.Opener
	Now      func() time.Time

	memory memory
}

// scope is one pass over one ClusterNetwork. Each field is set by the step that its comment
// names.
type scope struct {
	network *v1alpha1.ClusterNetwork
	before  *v1alpha1.ClusterNetwork // as it was last written
	infra   *v1alpha1.Infrastructure // infrastructure
	project *project.Project         // project
	cloud   *cloud                   // project
}

// Reconcile brings the network of one Cluster closer to its spec:
//
//  1. infrastructure: where the cloud is
//  2. project: open in the cloud, and written down before anything is made
//  3. network, subnet, router: made, or the existing ones looked at
//  4. security group: with its rules
//
// and writes what it found. Nothing is asked of the cloud before it is time to look again
// or something has changed, see memory. A deleted one goes the other way.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	network := &v1alpha1.ClusterNetwork{}
	if err := r.Client.Get(ctx, req.NamespacedName, network); err != nil {
		if client.IgnoreNotFound(err) == nil {
			r.memory.forget(req.NamespacedName)
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	s := &scope{network: network, before: network.DeepCopy()}
	if network.DeletionTimestamp != nil {
		return r.delete(ctx, s)
	}
	err := r.readInfrastructure(ctx, s)
	if err == nil {
		if wait := r.memory.wait(s, r.Now()); wait > 0 {
			return ctrl.Result{RequeueAfter: wait}, nil
		}
		err = reconcile.Run(ctx, s, []reconcile.Step[*scope]{
			{Name: "project", Run: r.open},
			{Name: "network", Run: r.ensureNetwork},
			{Name: "security group", Run: r.ensureGroup},
		})
	}
	return r.finish(ctx, s, err)
}

// finish writes down what a pass has come to, and says when the next one is.
func (r *Reconciler) finish(ctx context.Context, s *scope, err error) (ctrl.Result, error) {
	e := reconcile.As(err)
	if e != nil && e.Kind == reconcile.KindRetry && e.Reason != project.ReasonUnreachable {
		return ctrl.Result{}, err // the API server's: nothing is known of the network
	}
	writeStatus(s, err)
	if err := reconcile.PatchStatus(ctx, r.Client, s.before, s.network); err != nil {
		return ctrl.Result{}, err
	}
	again := r.memory.remember(s, e, r.Now())
	if e != nil && e.Kind == reconcile.KindRetry {
		ctrl.LoggerFrom(ctx).Info("the cloud cannot be asked", "error", e.Message, "again", again.String())
	}
	return ctrl.Result{RequeueAfter: again}, nil
}

// SetupWithManager starts the controller. It is woken by specs and by Infrastructures.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("network").
		For(&v1alpha1.ClusterNetwork{}).
		Watches(&v1alpha1.Infrastructure{}, handler.EnqueueRequestsFromMapFunc(r.in)).
		WithOptions(controller.Options{MaxConcurrentReconciles: 8}).
		Complete(r)
}

// in are the networks in an Infrastructure. A pass over one that this does not concern asks
// nothing.
func (r *Reconciler) in(ctx context.Context, infra client.Object) []ctrl.Request {
	var all v1alpha1.ClusterNetworkList
	if err := r.Client.List(ctx, &all); err != nil {
		// Reading the cache fails only when it stops.
		ctrl.LoggerFrom(ctx).Error(err, "listing ClusterNetworks")
		return nil
	}
	var requests []ctrl.Request
	for i := range all.Items {
		if all.Items[i].Spec.InfrastructureRef.Name == infra.GetName() {
			requests = append(requests, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(&all.Items[i])})
		}
	}
	return requests
}
