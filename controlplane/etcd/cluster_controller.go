package etcd

import (
	"context"
	"sync"
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
	// Live reads from the API server and not from a cache: what is at cert-manager.
	Live client.Reader
	// Host runs the members.
	Host host.Host
	// Pool is shared with the TenantReconciler.
	Pool *Pool
	// Version is that of Marina's own image, which takes snapshots.
	Version string
	// Now is the clock; nil means time.Now.
	Now func() time.Time

	events events.EventRecorder
	// surveyed holds when the members of an EtcdCluster were asked last, and
	// defragmenting which EtcdClusters have a member that writes its database anew; both
	// by UID.
	surveyed, defragmenting sync.Map
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
	asked     bool                  // certificates: whether cert-manager has been
	issueErr  error                 // certificates: what is wrong with what it issues
	members   component.Status      // look, observe: what the host says
	survey    *survey               // look: what they say; nil when not asked
	everybody bool                  // look: whether all of them were asked
	refused   error                 // version: why the spec's is not taken up
	// version: whether a snapshot is wanted first
	snapshotting bool
	space        error // space: what is wrong with the store
}

// Reconcile brings one EtcdCluster closer to its spec:
//
//  1. tenants: who is placed here
//  2. finalizer
//  3. reserve: the members' addresses, which their certificates name
//  4. certificates: two CAs and what they sign, our own or of cert-manager
//  5. look: ask host and members how they are
//  6. version: which one to run, after a snapshot if that is of another minor
//  7. apply: run the members
//  8. refusal: why not the spec's version
//
// and then, whatever became of these, looks at what is there:
//
//  9. observe: which members are ready
//  10. quorum: wait for two of three
//  11. authentication: switch it on
//
// and takes care of it:
//
//  12. record: who has which data
//  13. space: alarms
//  14. replace: a member that has lost its own
//  15. defragment: one member
//  16. snapshot: stop what has taken one
//
// Ready says that tenants are served, and is kept apart from the spec: one that
// is refused takes nothing down. So is one that is deleted while it has tenants;
// without them it goes the other way, see delete. An external one has other steps,
// see external.
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

	steps := r.internal()
	if cluster.Spec.External != nil {
		steps = r.external()
	}
	specErr := reconcile.Run(ctx, s, steps.spec)
	if reconcile.Overtaken(specErr) {
		return reconcile.Again(), nil
	}
	serveErr := reconcile.Run(ctx, s, steps.serve)
	careErr := reconcile.Run(ctx, s, steps.care)
	if reconcile.Overtaken(careErr) {
		return reconcile.Again(), nil
	}
	if s.members.Ready <= s.members.Replicas/2 && s.members.Unknown > 0 && reconcile.IsTrue(cluster.Status.Conditions, v1alpha1.ConditionReady) {
		// Just after a start: the members that run have not been asked yet. The host
		// tells when they have, in a moment; all tenants would be told of an outage
		// that there is not.
		return ctrl.Result{RequeueAfter: lookAgain}, nil
	}
	writeClusterStatus(s, specErr, serveErr, careErr)
	if err := reconcile.PatchStatus(ctx, r.Client, s.before, cluster); err != nil {
		return ctrl.Result{}, err
	}
	result, err := reconcile.Result(urgent(urgent(specErr, serveErr), careErr))
	result.RequeueAfter = reconcile.Earliest(result.RequeueAfter, surveyInterval)
	for _, e := range []error{specErr, serveErr, careErr, s.issueErr} {
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

// clusterSteps are the steps of a pass: what the spec asks for, whether tenants are
// served, and what has to be done so that they are tomorrow. Each list is run
// whatever became of the one before.
type clusterSteps struct {
	spec, serve, care []reconcile.Step[*clusterScope]
}

// internal are the steps for members that run on the host.
func (r *ClusterReconciler) internal() clusterSteps {
	return clusterSteps{
		spec: []reconcile.Step[*clusterScope]{
			{Name: "finalizer", Run: r.ensureFinalizer},
			{Name: "reserve", Run: r.reserve},
			{Name: "certificates", Run: r.ensureCertificates},
			{Name: "look", Run: r.look},
			{Name: "version", Run: r.chooseVersion},
			{Name: "apply", Run: r.apply},
			{Name: "refusal", Run: r.reportVersion},
		},
		serve: []reconcile.Step[*clusterScope]{
			{Name: "observe", Run: r.observe},
			{Name: "quorum", Run: r.awaitQuorum},
			{Name: "authentication", Run: r.enableAuthentication},
		},
		care: []reconcile.Step[*clusterScope]{
			{Name: "record", Run: r.record},
			{Name: "space", Run: r.checkSpace},
			{Name: "replace", Run: r.replaceLost},
			{Name: "defragment", Run: r.defragment},
			{Name: "snapshot", Run: r.endSnapshot},
		},
	}
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
	return reconcile.SetFinalizer(ctx, r.Client, s.cluster, s.before, controllerutil.AddFinalizer, v1alpha1.EtcdClusterFinalizer)
}
