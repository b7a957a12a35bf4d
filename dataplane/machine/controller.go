package machine

import (
	"context"
	"errors"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/dataplane/project"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// Reconciler reconciles Machines.
type Reconciler struct {
	Client client.Client
	// Live reads past the cache: what machines are given to join, and what must not be missed
	// when something is made or deleted.
	Live client.Reader
	// Projects opens the project that the servers are in.
	Projects *project.Opener
	Now      func() time.Time

	memory memory
	poller poller
}

// scope is one pass over one Machine. Each field is set by the step that its comment names.
type scope struct {
	machine *v1alpha1.Machine
	before  *v1alpha1.Machine             // as it was last written
	network *v1alpha1.ClusterNetwork      // network
	infra   *v1alpha1.Infrastructure      // network
	feed    *feed                         // network
	flavor  v1alpha1.InfrastructureFlavor // template
	server  *servers.Server               // server, if it was looked at and runs
	// again is when to look at the server again, in which nothing happens.
	again time.Duration
	// early is whether the server is not looked at in this pass.
	early bool
	// unasked is whether the cloud lets nobody ask with these credentials, or there are none.
	unasked bool

	visit   *project.Visit   // open
	project *project.Project // open
	compute compute          // open
}

// Reconcile brings one Machine closer to a Ready node:
//
//  1. node: what controlplane has written of it; what let it in ends when it is Ready
//  2. network: that of its namespace, and the list of the servers in its project
//  3. server: looked for, made if there is none, and made anew if that is asked for
//  4. floating IP: if it is to have one
//
// Before a server is asked for there are
//
//  1. template: image and flavor, by id
//  2. bootstrap: what the node joins with
//  3. request: that it is asked for is written down first
//
// A deleted one goes the other way.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	machine := &v1alpha1.Machine{}
	if err := r.Client.Get(ctx, req.NamespacedName, machine); err != nil {
		if client.IgnoreNotFound(err) == nil {
			r.memory.forget(req.NamespacedName)
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	s := &scope{machine: machine, before: machine.DeepCopy()}
	defer s.leave(nil)
	if machine.DeletionTimestamp != nil {
		return r.delete(ctx, s)
	}
	err := reconcile.Run(ctx, s, []reconcile.Step[*scope]{
		{Name: "node", Run: r.readNode},
		{Name: "network", Run: r.readNetwork},
		{Name: "server", Run: r.ensureServer},
		{Name: "floating IP", Run: r.ensureFloatingIP},
	})
	return r.finish(ctx, s, err)
}

// leave makes room for others that have to ask the cloud.
func (s *scope) leave(err error) {
	if s.visit != nil {
		s.visit.Leave(s.project != nil, err)
	}
	s.visit, s.project = nil, nil
}

// readNode takes note of the first time that the node is Ready. From then on nobody else may
// join as it, before its server is made anew.
func (r *Reconciler) readNode(ctx context.Context, s *scope) error {
	status := &s.machine.Status
	if isReady(status.Node) && status.ReadySince == nil {
		status.ReadySince = &metav1.Time{Time: r.Now()}
	}
	if status.ReadySince == nil || s.machine.Rebuilding() {
		return nil
	}
	return r.removeBootstrap(ctx, s)
}

// finish writes down what a pass has come to, and says when the next one is.
func (r *Reconciler) finish(ctx context.Context, s *scope, err error) (ctrl.Result, error) {
	s.leave(err)
	if reconcile.Overtaken(err) {
		return reconcile.Again(), nil
	}
	if errors.Is(err, project.ErrBusy) {
		return ctrl.Result{RequeueAfter: busyAgain}, nil // nothing is known that was not before
	}
	e := reconcile.As(err)
	if e != nil && e.Kind == reconcile.KindRetry && e.Reason != project.ReasonUnreachable {
		return ctrl.Result{}, err // the API server's: nothing is known of the server
	}
	s.resynced(e, r.Now())
	writeStatus(s, e, r.Now())
	if err := reconcile.PatchStatus(ctx, r.Client, s.before, s.machine); err != nil {
		return ctrl.Result{}, err
	}
	if s.early {
		return ctrl.Result{RequeueAfter: s.again}, nil
	}
	again := r.memory.remember(s.machine, e, s.again, r.Now())
	if e != nil && e.Kind == reconcile.KindRetry {
		ctrl.LoggerFrom(ctx).Info("the cloud cannot be asked", "error", e.Message, "again", again.String())
	}
	return ctrl.Result{RequeueAfter: again}, nil
}
