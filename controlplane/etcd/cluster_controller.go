package etcd

import (
	"context"
	"time"

	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/controlplane/host"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// ClusterReconciler reconciles EtcdClusters.
type ClusterReconciler struct {
	Client client.Client
	// Host runs the members.
	Host host.Host
	// Pool is shared with the TenantReconciler.
	Pool *Pool
	// Now is the clock; nil means time.Now.
	Now func() time.Time

	events events.EventRecorder
}

func (r *ClusterReconciler) now() time.Time {
	if r.Now == nil {
		return time.Now()
	}
	return r.Now()
}

// clusterScope is one pass over one EtcdCluster. Each field is set by the step
// that its comment names; later steps may rely on it.
type clusterScope struct {
	cluster *v1alpha1.EtcdCluster
	before  *v1alpha1.EtcdCluster // as it was read, or last written

	placed    []v1alpha1.EtcdTenant // tenants; the cache's own
	addresses component.Addresses   // reserve
	caHash    map[string]string     // certificates: of each CA's certificate
	renewAt   time.Time             // certificates: when the first falls due
	members   component.Status      // observe
}

// Reconcile brings one EtcdCluster closer to its spec:
//
//  1. tenants: who is placed here
//  2. finalizer
//  3. reserve: the members' addresses, which their certificates name
//  4. certificates: two CAs and what they sign
//  5. version: refuse what the members cannot go to
//  6. apply: run the members
//
// and then, whatever became of these, looks at what is there:
//
//  7. observe: which members are ready
//  8. quorum: wait for two of three
//  9. authentication: switch it on
//
// Ready says that tenants are served, and is kept apart from the spec: one that
// is refused takes nothing down. So is one that is deleted while it has tenants;
// without them it goes the other way, see delete.
func (r *ClusterReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	cluster := &v1alpha1.EtcdCluster{}
	if err := r.Client.Get(ctx, req.NamespacedName, cluster); err != nil {
		if client.IgnoreNotFound(err) == nil {
			r.Pool.Remove(req.Name)
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	s := &clusterScope{cluster: cluster, before: cluster.DeepCopy(), caHash: map[string]string{}}
	if err := r.countTenants(ctx, s); err != nil {
		return ctrl.Result{}, err
	}
	if cluster.DeletionTimestamp != nil && len(s.placed) == 0 {
		return r.delete(ctx, s)
	}

	specErr := reconcile.Run(ctx, s, []reconcile.Step[*clusterScope]{
		{Name: "finalizer", Run: r.ensureFinalizer},
		{Name: "reserve", Run: r.reserve},
		{Name: "certificates", Run: r.ensureCertificates},
		{Name: "version", Run: r.checkVersion},
		{Name: "apply", Run: r.apply},
	})
	if overtaken(specErr) {
		return again(), nil
	}
	serveErr := reconcile.Run(ctx, s, []reconcile.Step[*clusterScope]{
		{Name: "observe", Run: r.observe},
		{Name: "quorum", Run: r.awaitQuorum},
		{Name: "authentication", Run: r.enableAuthentication},
	})
	if s.members.Ready < quorum && s.members.Unknown > 0 && reconcile.IsTrue(cluster.Status.Conditions, v1alpha1.ConditionReady) {
		// Just after a start: the members that run have not been asked yet. The host
		// tells when they have, in a moment; all tenants would be told of an outage
		// that there is not.
		return ctrl.Result{RequeueAfter: lookAgain}, nil
	}
	writeClusterStatus(s, specErr, serveErr)
	if err := reconcile.PatchStatus(ctx, r.Client, s.before, cluster); err != nil {
		return ctrl.Result{}, err
	}
	result, err := reconcile.Result(urgent(specErr, serveErr))
	for _, e := range []error{specErr, serveErr} {
		if e := reconcile.As(e); e != nil {
			result.RequeueAfter = reconcile.Earliest(result.RequeueAfter, e.After)
		}
	}
	if !s.members.Done() {
		// The host tells when they change. Tenants wait for it, so that one event that
		// got lost may not hold them up for ever.
		result.RequeueAfter = reconcile.Earliest(result.RequeueAfter, lookAgain)
	}
	return renewing(result, s.renewAt, r.now()), err
}

// urgent is the one of two outcomes that decides when to look again: what is to be
// tried again, before what waits for somebody.
func urgent(a, b error) error {
	if e := reconcile.As(a); e != nil && (e.Kind == reconcile.KindRetry || b == nil) {
		return a
	}
	return b
}

// renewing looks again when the first certificate falls due; within the hour, because
// timers do not notice a clock that jumps.
func renewing(result ctrl.Result, renewAt, now time.Time) ctrl.Result {
	if !renewAt.IsZero() {
		result.RequeueAfter = reconcile.Earliest(result.RequeueAfter, min(max(renewAt.Sub(now), time.Second), time.Hour))
	}
	return result
}

// ensureFinalizer comes first: nothing is made for an object that could vanish.
func (r *ClusterReconciler) ensureFinalizer(ctx context.Context, s *clusterScope) error {
	return setFinalizer(ctx, r.Client, s.cluster, s.before, func(obj client.Object) bool {
		return controllerutil.AddFinalizer(obj, v1alpha1.EtcdClusterFinalizer)
	})
}
