package hosted

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	ctrlreconcile "sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/controlplane/host"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// Reconciler reconciles HostedControlPlanes.
type Reconciler struct {
	Client client.Client
	// Live reads past the cache, for what must not be missed: an object that is
	// taken for gone because the cache is behind would stay for ever.
	Live client.Reader
	Host host.Host
	Now  func() time.Time

	// tenants holds the connection to each tenant; SetupWithManager makes it.
	tenants *tenants
	events  events.EventRecorder

	// awake is when the first pass of this process began, which the first one notes.
	awake time.Time
	first sync.Once
}

// scope is one pass over one HostedControlPlane. Each field is set by the step
// that its comment names; later steps may rely on it.
type scope struct {
	hcp *v1alpha1.HostedControlPlane
	now time.Time
	// awake is since when this process looks after control planes.
	awake time.Time

	release   *v1alpha1.KubernetesRelease    // release
	addresses map[string]component.Addresses // reserve, by component
	etcd      *v1alpha1.EtcdTenant           // etcdTenant
	secrets   map[string]map[string][]byte   // credentials: data by Secret
	inputs    component.HostedInputs         // apiServer
	applied   map[string]setting             // apiServer, controllers: by component
	status    map[string]component.Status    // observe, by component
	facts     facts                          // every step reports here
	again     time.Duration                  // look again after, at the latest
}

// Reconcile brings one HostedControlPlane closer to its spec:
//
//  1. reserve: the addresses of its components
//  2. etcdTenant: ask for its place in etcd
//  3. credentials: CAs, keys, certificates and kubeconfigs, while etcd prepares
//  4. etcdReady: wait for the place in etcd
//  5. apiServer: three API servers, and wait for the first, or for all when they
//     change their version
//  6. controllers: three controller-managers and three schedulers
//     (a newer minor version goes through 5 and 6 twice: first it behaves as the older one)
//  7. release: the KubernetesRelease, for what is inside the tenant
//  8. addons: what every tenant needs inside it
//  9. leaders: wait until somebody signs certificates
//
// What runs goes on when its version cannot be changed. Whatever the outcome, status
// tells what was observed. A deleted one goes the other way: components, then
// EtcdTenant.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	hcp := &v1alpha1.HostedControlPlane{}
	if err := r.Client.Get(ctx, req.NamespacedName, hcp); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	before := hcp.DeepCopy()
	now := r.Now()
	r.first.Do(func() { r.awake = now })
	s := &scope{hcp: hcp, now: now, awake: r.awake, addresses: map[string]component.Addresses{}, status: map[string]component.Status{}, applied: map[string]setting{}}

	if hcp.DeletionTimestamp != nil {
		return r.delete(ctx, s, before)
	}

	err := s.withoutRelease(reconcile.Run(ctx, s, []reconcile.Step[*scope]{
		{Name: "reserve", Run: r.reserve},
		{Name: "etcd tenant", Run: r.requestEtcdTenant},
		{Name: "credentials", Run: r.ensureCredentials},
		{Name: "etcd ready", Run: r.awaitEtcdTenant},
		{Name: "api server", Run: r.runAPIServer},
		{Name: "controllers", Run: r.runControllers},
		{Name: "release", Run: r.findRelease},
		{Name: "addons", Run: r.applyAddons},
		{Name: "leaders", Run: r.awaitLeaders},
	}))
	r.observe(ctx, s)
	writeStatus(hcp, s, err)
	if statusErr := r.patchStatus(ctx, before, hcp); apierrors.IsConflict(statusErr) {
		return ctrl.Result{}, nil // It is another one by now, which has a pass of its own.
	} else if statusErr != nil {
		return ctrl.Result{}, statusErr
	}
	result, err := reconcile.Result(err)
	result.RequeueAfter = reconcile.Earliest(result.RequeueAfter, s.again)
	return result, err
}

// SetupWithManager starts the controller. Besides its own objects it is woken by
// what it owns and by the host.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	r.events = mgr.GetEventRecorder("marina")
	r.tenants = newTenants(mgr.GetLogger().WithName("tenant"))
	if err := mgr.Add(r.tenants); err != nil {
		return err
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("hostedcontrolplane").
		For(&v1alpha1.HostedControlPlane{}).
		Owns(&v1alpha1.EtcdTenant{}).
		Owns(&corev1.Secret{}).
		Owns(&corev1.ConfigMap{}).
		Watches(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(r.usersOfPullSecret)).
		WatchesRawSource(r.hostEvents()).
		WatchesRawSource(r.tenantEvents()).
		WithOptions(controller.Options{MaxConcurrentReconciles: 8}).
		Complete(r)
}

// hostEvents wakes the HostedControlPlane of a namespace when the host says that
// one of its components has changed.
func (r *Reconciler) hostEvents() source.Source {
	return source.TypedFunc[ctrlreconcile.Request](func(_ context.Context, queue workqueue.TypedRateLimitingInterface[ctrlreconcile.Request]) error {
		r.Host.Subscribe(func(namespace, _ string) {
			queue.Add(ctrlreconcile.Request{NamespacedName: types.NamespacedName{Namespace: namespace, Name: v1alpha1.NameHostedControlPlane}})
		})
		return nil
	})
}

// tenantEvents wakes the HostedControlPlane of a tenant in which something that Marina
// keeps has changed.
func (r *Reconciler) tenantEvents() source.Source {
	return source.TypedFunc[ctrlreconcile.Request](func(_ context.Context, queue workqueue.TypedRateLimitingInterface[ctrlreconcile.Request]) error {
		r.tenants.changed = func(key types.NamespacedName) { queue.Add(ctrlreconcile.Request{NamespacedName: key}) }
		return nil
	})
}
