package machine

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// delete takes a Machine down:
//
//  1. drain: not before the node is empty
//  2. bootstrap: nobody joins any more
//  3. network: the way to the project in the cloud
//  4. server: deleted, with all that carry its UID, until a list shows none
//  5. floating IP
//  6. the finalizer
//
// Where nothing was ever made, no cloud is needed.
func (r *Reconciler) delete(ctx context.Context, s *scope) (ctrl.Result, error) {
	key := client.ObjectKeyFromObject(s.machine)
	// A cache that is behind does not know yet that something was made.
	if err := r.Live.Get(ctx, key, s.machine); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	s.before = s.machine.DeepCopy()
	if !controllerutil.ContainsFinalizer(s.machine, v1alpha1.MachineFinalizer) {
		r.memory.forget(key)
		return ctrl.Result{}, nil
	}
	steps := []reconcile.Step[*scope]{{Name: "drain", Run: awaitDrained}, {Name: "bootstrap", Run: r.removeBootstrap}}
	if s.machine.Status.ProjectID != "" {
		steps = append(steps,
			reconcile.Step[*scope]{Name: "network", Run: r.readNetwork},
			reconcile.Step[*scope]{Name: "server", Run: r.removeServer},
			reconcile.Step[*scope]{Name: "floating IP", Run: r.removeFloatingIP},
		)
	}
	if err := reconcile.Run(ctx, s, steps); err != nil {
		return r.finish(ctx, s, err)
	}
	err := reconcile.SetFinalizer(ctx, r.Client, s.machine, s.before, controllerutil.RemoveFinalizer, v1alpha1.MachineFinalizer)
	if reconcile.Overtaken(err) {
		return reconcile.Again(), nil
	}
	if client.IgnoreNotFound(err) == nil {
		r.memory.forget(key)
	}
	return ctrl.Result{}, client.IgnoreNotFound(err)
}

// undrained reports whether the node has to be emptied before the server may go. Who has
// never asked for a server has no node. That it was emptied for a rebuild that has not come to its
// end is no matter: pods may have come to it again.
func undrained(m *v1alpha1.Machine) bool {
	status := m.Status
	emptied := status.Node != nil && status.Node.Drained && (status.Node.Rebuild == "" || status.Node.Rebuild == status.Node.Rebuilt)
	return controllerutil.ContainsFinalizer(m, v1alpha1.NodeFinalizer) &&
		(status.ServerID != "" || status.RequestedAt != nil) && !emptied
}

// awaitDrained waits for controlplane, which empties the node.
func awaitDrained(_ context.Context, s *scope) error {
	if !undrained(s.machine) {
		return nil
	}
	if n := s.machine.Status.Node; n != nil && n.DrainMessage != "" {
		return reconcile.Wait("Draining", "%s", n.DrainMessage)
	}
	return reconcile.Wait("Draining", "the node is being emptied")
}

// removeServer deletes all servers of the Machine, and looks again: what was asked for by
// somebody who has ended meanwhile may have been done last of all.
func (r *Reconciler) removeServer(ctx context.Context, s *scope) error {
	if why, wait := r.memory.early(s.machine, r.Now()); why != nil && wait > 0 {
		s.early, s.again = true, wait
		return why
	}
	l, err := r.list(ctx, s, busyInterval)
	if err != nil {
		return err
	}
	seen, status := l.sight(s.machine), s.machine.Status
	all := seen.others
	if seen.known != nil {
		all = append(all, seen.known)
	}
	if len(all) == 0 && status.ServerID != "" {
		// A list leaves out what cannot be asked at this moment.
		if err := r.open(ctx, s); err != nil {
			return err
		}
		server, err := s.compute.get(ctx, status.ServerID)
		if err != nil {
			return s.project.Outcome(err, "looking for the server")
		}
		if server != nil {
			all = append(all, server)
		}
	}
	if len(all) > 0 {
		if err := r.remove(ctx, s, all); err != nil {
			return err
		}
		return reconcile.WaitFor(busyInterval, "DeletingServer", "waiting until the cloud shows no more of the server %s", all[0].ID)
	}
	if at := status.RequestedAt; at != nil && status.ServerID == "" && r.Now().Sub(at.Time) < settling {
		return reconcile.WaitFor(settling-r.Now().Sub(at.Time), "DeletingServer", "waiting whether the server is made that was asked for at %s", at.UTC().Format(time.TimeOnly))
	}
	if at := status.RequestedAt; at != nil && status.ServerID == "" && l.began.Sub(at.Time) < settling {
		return reconcile.WaitFor(busyInterval, "DeletingServer", "looking once more for the server that was asked for")
	}
	return nil
}

// conflict is what is said when what was read is not the newest.
func conflict(m *v1alpha1.Machine) error {
	return apierrors.NewConflict(v1alpha1.GroupVersion.WithResource("machines").GroupResource(), m.Name, fmt.Errorf("there is a newer one"))
}
