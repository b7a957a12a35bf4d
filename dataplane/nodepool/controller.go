package nodepool

import (
	"context"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/marina-dev/marina/dataplane/project"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/operation"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// Reconciler reconciles NodePools.
type Reconciler struct {
	Client client.Client
	// Live reads past the cache, for what must not be missed: a Machine that is taken for
	// missing because the cache is behind would be made twice.
	Live client.Reader
	// Projects opens those in which server groups are made.
	Projects *project.Opener
	Now      func() time.Time
	// Suffix is the random part of the name of a Machine.
	Suffix func() string

	checks checks
	events events.EventRecorder
}

// scope is one pass over one NodePool. Each field is set by the step that its comment names.
type scope struct {
	pool, before *v1alpha1.NodePool
	// now is when the pass began.
	now time.Time

	// cluster is that of the pool, nil without one; network is that of its nodes and infra
	// where they are.
	cluster *v1alpha1.Cluster        // locate
	network *v1alpha1.ClusterNetwork // locate
	infra   *v1alpha1.Infrastructure // locate
	// blocked is why no node can be made now, although nothing is wrong with the spec.
	blocked error // locate
	// gate is why the nodes stay as they are now, although they can be made.
	gate error // locate
	// machines are all of the pool, also those that are going away.
	machines []v1alpha1.Machine // observe
	// refused is why a person has to change the spec, or what it names.
	refused error // accept
	// resync is the UID of the Resync that runs, empty for none.
	resync string // operate
	// diagnosis is what becomes of nodes that are not Ready any more, by their health. Healed is
	// the one that is given up for it, nil for none; leave are the UIDs of all that are given up,
	// and outdated the names of those that are replaced by others.
	diagnosis diagnosis         // operate
	health    health            // operate
	healed    *v1alpha1.Machine // operate
	stalled   bool              // operate: the change of the pool waits for a node that is lost
	renew     renewal           // operate: the same one, if its server is made anew instead
	leave     []types.UID       // operate
	outdated  []string          // operate
	// evicts is the Operation that makes the pool smaller, and reboots the one that reboots
	// nodes, nil for none.
	evicts, reboots *v1alpha1.Operation // operate
	// again is when to look again, at the latest.
	again time.Duration // operate
}

// Reconcile brings one NodePool closer to its spec:
//
//  1. finalizer: before anything is made for it
//  2. keep: the number of nodes, where the spec leaves it out
//  3. locate: its Cluster, with the network and the Infrastructure of that
//  4. observe: the Machines that there are
//  5. accept: the spec can be carried out there
//  6. operate: which Operations run, and how far they are
//  7. ask: how a node is that is to be healed
//  8. reboot: one node after the other, if somebody has asked for that
//  9. evict: the pool is made smaller by nodes that are named
//  10. adjust: what changes in Machines as they are
//  11. group: the server group of nodes that are kept apart
//  12. scale: Machines are made and deleted
//
// What is refused, or has to wait, keeps nobody from having fewer nodes. Status follows from
// what was observed. A deleted one goes the other way.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	pool := &v1alpha1.NodePool{}
	if err := r.Client.Get(ctx, req.NamespacedName, pool); apierrors.IsNotFound(err) {
		r.checks.forget(req.NamespacedName)
		return reconcile.Result(r.book().CloseGone(ctx, req.NamespacedName))
	} else if err != nil {
		return ctrl.Result{}, err
	}
	s := &scope{pool: pool, before: pool.DeepCopy(), now: r.Now()}
	if pool.DeletionTimestamp != nil {
		return r.delete(ctx, s)
	}
	err := reconcile.SetFinalizer(ctx, r.Client, pool, s.before, controllerutil.AddFinalizer, v1alpha1.NodePoolFinalizer)
	if apierrors.IsNotFound(err) {
		return ctrl.Result{}, nil
	}
	if err == nil {
		err = reconcile.Run(ctx, s, []reconcile.Step[*scope]{
			{Name: "keep", Run: r.keep},
			{Name: "locate", Run: r.locate},
			{Name: "observe", Run: r.observe},
			{Name: "accept", Run: r.accept},
			{Name: "operate", Run: r.operate},
			{Name: "resync", Run: r.passResync},
			{Name: "ask", Run: r.ask},
			{Name: "reboot", Run: r.reboot},
			{Name: "evict", Run: r.evict},
			{Name: "adjust", Run: r.adjust},
			{Name: "group", Run: r.ensureGroup},
			{Name: "scale", Run: r.scale},
		})
	}
	if reconcile.Overtaken(err) {
		return reconcile.Again(), nil
	}
	if errors.Is(err, operation.ErrBehind) {
		// Status would tell of what is not known.
		return reconcile.Result(err)
	}
	return r.finish(ctx, s, err)
}

// finish writes down what a pass has come to.
func (r *Reconciler) finish(ctx context.Context, s *scope, err error) (ctrl.Result, error) {
	if e := reconcile.As(err); e != nil && e.Kind == reconcile.KindRetry {
		return ctrl.Result{}, err // the API server's: nothing is known
	}
	r.writeStatus(s, err)
	if err := reconcile.PatchStatus(ctx, r.Client, s.before, s.pool); err != nil {
		return ctrl.Result{}, err
	}
	result, err := reconcile.Result(err)
	for _, why := range []error{s.blocked, s.refused} {
		if e := reconcile.As(why); e != nil {
			result.RequeueAfter = reconcile.Earliest(result.RequeueAfter, e.After)
		}
	}
	result.RequeueAfter = reconcile.Earliest(result.RequeueAfter, s.again)
	return result, err
}

// wish is what the pool is to become. It is known as soon as it is known what new nodes run.
func (s *scope) wish() wish {
	w := wish{spec: s.pool.Spec, template: s.template(), held: s.held(), leave: s.leave, renew: s.renew, outdated: s.outdated, retry: s.resync, now: s.now}
	_, w.melted = melted(s.health.fleet)
	s.freeze(&w)
	return w
}

func (s *scope) isRefused() bool { return s.refused != nil }

// held reports whether no node can be made now.
func (s *scope) held() bool { return s.isRefused() || s.blocked != nil || s.gate != nil }
