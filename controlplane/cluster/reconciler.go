package cluster

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	ctrlreconcile "sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/operation"
	"github.com/marina-dev/marina/pkg/reconcile"
	"github.com/marina-dev/marina/pkg/release"
)

// Reconciler reconciles Clusters.
type Reconciler struct {
	Client client.Client
	// Live reads past the cache, for what must not be missed: an object that is
	// taken for gone because the cache is behind would stay for ever.
	Live client.Reader
	Now  func() time.Time
	// Deorbit has the tenant of a management namespace delete its load balancers and volumes,
	// and names those that are still to go and those that are to stay; an error is of a tenant
	// that does not answer.
	Deorbit func(ctx context.Context, namespace string) (waiting, kept []string, err error)

	// Inspect finds out what in the tenant of a management namespace stands against an
	// upgrade: the versions of its kubelets, by node, and if apis the deprecated APIs that are in
	// use; an error is of a tenant that does not answer.
	Inspect func(ctx context.Context, namespace string, apis bool) (kubelets map[string]string, deprecated []release.DeprecatedAPI, err error)

	events events.EventRecorder
}

// scope is one pass over one Cluster; each field is set by the step that its
// comment names.
type scope struct {
	cluster *v1alpha1.Cluster

	// hcp is the control plane as it was found at the start, nil without one.
	hcp *v1alpha1.HostedControlPlane
	// network is that of the nodes, nil without one.
	network *v1alpha1.ClusterNetwork
	// offers are the releases that it may run, the oldest first.
	offers []offer
	// pools are the NodePools, by name.
	pools []v1alpha1.NodePool
	// operations are those of the Cluster as they were found, the oldest first.
	operations []*v1alpha1.Operation
	// history is that with those of earlier Clusters of the name.
	history []*v1alpha1.Operation

	class   *v1alpha1.HostingClass // accept
	refused error                  // accept: why a person has to change something
	waits   error                  // accept: what an upgrade waits for before it begins
	running *v1alpha1.Operation    // operate: the one that runs, nil for none
	again   time.Duration          // look again after, at the latest
}

// situation is what Operations are decided by.
func (s *scope) situation(now time.Time) situation {
	return situation{cluster: s.cluster, hcp: s.hcp, network: s.network, pools: s.pools, refused: s.refused, waits: s.waits, operations: s.operations, now: now}
}

// Reconcile brings one Cluster closer to its spec:
//
//  1. finalizer: before anything is made for it elsewhere
//  2. accept: the release and the class that it names exist
//  3. operate: which Operation runs, and how far it is
//  4. namespace: its management namespace
//  5. network: the ClusterNetwork in it, of a Cluster with an Infrastructure
//  6. controlPlane: the HostedControlPlane in it, as the spec and the Operation say
//
// Of one with an Infrastructure nothing of 4 to 6 is made before it has a NodePool. Status
// follows from what was observed, and so does what is to be done without anybody asking for it
// (maintain), which is asked for when the status is written. A deleted one goes the other way.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	cluster := &v1alpha1.Cluster{}
	if err := r.Client.Get(ctx, req.NamespacedName, cluster); apierrors.IsNotFound(err) {
		if err := r.collectOrphans(ctx, req.NamespacedName, ""); err != nil {
			return reconcile.Result(err)
		}
		return reconcile.Result(r.book().CloseGone(ctx, req.NamespacedName))
	} else if err != nil {
		return ctrl.Result{}, err
	}
	before := cluster.DeepCopy()
	s := &scope{cluster: cluster}
	if cluster.DeletionTimestamp != nil {
		return r.delete(ctx, s, before)
	}
	if err := r.observe(ctx, r.Client, s); err != nil {
		return ctrl.Result{}, err
	}
	if controllerutil.AddFinalizer(cluster, v1alpha1.ClusterFinalizer) {
		if err := r.Client.Patch(ctx, cluster, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}), client.FieldOwner(v1alpha1.FieldOwner)); err != nil {
			return ctrl.Result{}, client.IgnoreNotFound(err)
		}
		before = cluster.DeepCopy()
	}

	if cluster.Status.ObservedGeneration == 0 {
		// An earlier cluster of this name may have left something.
		if e := reconcile.As(r.collectOrphans(ctx, req.NamespacedName, cluster.UID)); e != nil && e.Kind != reconcile.KindWait {
			return ctrl.Result{}, e
		}
	}
	err := reconcile.Run(ctx, s, []reconcile.Step[*scope]{
		{Name: "accept", Run: r.accept},
		{Name: "operate", Run: r.operate},
		{Name: "namespace", Run: r.ensureNamespace},
		{Name: "network", Run: r.ensureNetwork},
		{Name: "control plane", Run: r.ensureControlPlane},
	})
	if errors.Is(err, operation.ErrBehind) {
		// Status would tell of what is not known.
		return reconcile.Result(err)
	}
	if err := r.observeOffers(ctx, s); err != nil {
		return ctrl.Result{}, err
	}
	r.writeStatus(s, before, err)
	r.giveNotice(s)
	begins, maintainErr := r.maintain(ctx, s)
	r.showSupport(s)
	if statusErr := reconcile.PatchStatus(ctx, r.Client, before, cluster); statusErr != nil {
		return ctrl.Result{}, statusErr
	}
	if maintainErr != nil {
		return ctrl.Result{}, maintainErr
	}
	if begins != nil {
		if err := r.begin(ctx, s, *begins); err != nil {
			return ctrl.Result{}, err
		}
	}
	result, err := reconcile.Result(err)
	result.RequeueAfter = reconcile.Earliest(result.RequeueAfter, s.again)
	if s.running != nil && limits[s.running.Spec.Type] != 0 {
		result.RequeueAfter = reconcile.Earliest(result.RequeueAfter, max(time.Second, deadline(s.running).Sub(r.Now())+time.Second))
	}
	return result, err
}

// SetupWithManager starts the controller. Objects in management namespaces lead
// back by label, since owner references do not cross namespaces.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	r.events = mgr.GetEventRecorder("marina")
	return ctrl.NewControllerManagedBy(mgr).
		Named("cluster").
		For(&v1alpha1.Cluster{}).
		Watches(&v1alpha1.HostedControlPlane{}, handler.EnqueueRequestsFromMapFunc(byLabels)).
		Watches(&v1alpha1.ClusterNetwork{}, handler.EnqueueRequestsFromMapFunc(byLabels)).
		Watches(&v1alpha1.NodePool{}, handler.EnqueueRequestsFromMapFunc(toCluster)).
		Watches(&v1alpha1.Operation{}, handler.EnqueueRequestsFromMapFunc(operation.ToTarget(v1alpha1.TargetCluster)), builder.WithPredicates(operation.Unfinished)).
		Watches(&corev1.Namespace{}, handler.EnqueueRequestsFromMapFunc(byLabels)).
		Watches(&v1alpha1.KubernetesRelease{}, handler.EnqueueRequestsFromMapFunc(r.waiting)).
		Watches(&v1alpha1.HostingClass{}, handler.EnqueueRequestsFromMapFunc(r.waiting)).
		Watches(&v1alpha1.Infrastructure{}, handler.EnqueueRequestsFromMapFunc(r.inInfrastructure), builder.WithPredicates(offersChanged())).
		WithOptions(controller.Options{MaxConcurrentReconciles: 8}).
		Complete(r)
}

// byLabels maps an object to the Cluster that its labels name.
func byLabels(_ context.Context, object client.Object) []ctrlreconcile.Request {
	labels := object.GetLabels()
	if labels[v1alpha1.LabelClusterName] == "" {
		return nil
	}
	return []ctrlreconcile.Request{{NamespacedName: types.NamespacedName{
		Namespace: labels[v1alpha1.LabelClusterNamespace],
		Name:      labels[v1alpha1.LabelClusterName],
	}}}
}

// book is where the Operations on Clusters are written down.
func (r *Reconciler) book() *operation.Book {
	return &operation.Book{
		Client: r.Client, Live: r.Live, Now: r.Now, Events: r.events, Success: success,
		Kind: v1alpha1.TargetCluster, What: "cluster",
		New:  func() client.Object { return &v1alpha1.Cluster{} },
		List: func() client.ObjectList { return &v1alpha1.ClusterList{} },
	}
}

// waiting are the Clusters that may have waited for a release or a class. Both
// change a few times a year, so that listing all Clusters costs nothing.
func (r *Reconciler) waiting(ctx context.Context, _ client.Object) []ctrlreconcile.Request {
	return r.those(ctx, func(*v1alpha1.Cluster) bool { return true })
}

// inInfrastructure are the Clusters whose nodes are in an Infrastructure, which changes as
// seldom.
func (r *Reconciler) inInfrastructure(ctx context.Context, object client.Object) []ctrlreconcile.Request {
	return r.those(ctx, func(c *v1alpha1.Cluster) bool {
		return c.Spec.InfrastructureRef != nil && c.Spec.InfrastructureRef.Name == object.GetName()
	})
}

func (r *Reconciler) those(ctx context.Context, concerned func(*v1alpha1.Cluster) bool) []ctrlreconcile.Request {
	list := &v1alpha1.ClusterList{}
	if err := r.Client.List(ctx, list); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing clusters")
		return nil
	}
	var requests []ctrlreconcile.Request
	for i := range list.Items {
		if concerned(&list.Items[i]) {
			requests = append(requests, ctrlreconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
		}
	}
	return requests
}
