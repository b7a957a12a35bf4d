package machine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/dataplane/project"
	"github.com/marina-dev/marina/dataplane/userdata"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// Why a server that is made anew is waited for.
const (
	reasonDraining       = "Draining"
	reasonRebuilding     = "Rebuilding"
	reasonRebuildTimeout = "RebuildTimeout"
)

// rebuildable are the states of a server that Nova makes anew.
var rebuildable = []string{"ACTIVE", "SHUTOFF", "ERROR"}

// rebuild makes a server anew in place, if that is asked for:
//
//  1. the node is emptied, by controlplane
//  2. what it joins with is made, anew
//  3. that the cloud is asked is written down, and it is asked
//  4. the server runs, and its node comes back, which controlplane tells
//
// Neither may take longer than the first boot of a server.
//
// The request writes its id into the metadata of the server, so that who has not got the answer
// finds whether it arrived. It returns nil for a server that is to be judged like any other.
func (r *Reconciler) rebuild(ctx context.Context, s *scope, server *servers.Server) error {
	m := s.machine
	if !m.Rebuilding() || openstack.Leaving(server) {
		return nil
	}
	status, id := &m.Status, m.Spec.Rebuild.ID
	if p := status.Rebuild; p == nil || p.ID != id || p.AcceptedAt == nil {
		if server.Metadata[keyRebuild] != id {
			return r.askForRebuild(ctx, s, server)
		}
		r.accepted(s)
	}
	switch p := status.Rebuild; {
	case server.Status == "REBUILD":
		return r.unmade(s, server, reconcile.WaitFor(busyInterval, reasonRebuilding, "the server %s is being made anew", server.ID))
	case server.Status == "SHUTOFF" || strings.HasSuffix(server.Status, "REBOOT"):
		return r.unmade(s, server, r.turnOn(ctx, s, server))
	case server.Status != "ACTIVE":
		return nil
	case status.Node != nil && status.Node.Rebuilt == id:
		status.Rebuilt, status.RebuiltAt, status.Rebuild = id, &metav1.Time{Time: r.Now()}, nil
		return nil
	case p.BootedAt == nil:
		p.BootedAt = &metav1.Time{Time: r.Now()}
	}
	if limit := creationTimeout(m); r.Now().Sub(status.Rebuild.BootedAt.Time) >= limit {
		return &reconcile.Error{Kind: reconcile.KindUser, Reason: reasonRebuildTimeout, After: calmInterval,
			Message: fmt.Sprintf("the server %s has been made anew, and has not become a Ready node within %s%s%s: 'openstack console log show %s' may tell why, and 'openstack server delete %s' has it replaced", server.ID, limit, slowFlavors, nodeSays(m), server.ID, server.ID)}
	}
	return reconcile.WaitFor(busyInterval, reasonRebuilding, "the server %s has been made anew, and has not become a Ready node yet%s", server.ID, nodeSays(m))
}

// nodeSays is what keeps the node of a rebuild from being taken for back, as a part of a sentence.
func nodeSays(m *v1alpha1.Machine) string {
	if n := m.Status.Node; n != nil && n.Rebuild == m.Spec.Rebuild.ID && n.Drained && n.DrainMessage != "" {
		return " (" + n.DrainMessage + ")"
	}
	return ""
}

// unmade is what a server is waited for that has not been made anew yet, until that has taken
// too long: then nobody asks for it any more.
func (r *Reconciler) unmade(s *scope, server *servers.Server, wait error) error {
	m := s.machine
	limit := creationTimeout(m)
	if r.Now().Sub(m.Status.Rebuild.RequestedAt.Time) < limit {
		return wait
	}
	return &reconcile.Error{Kind: reconcile.KindUser, Reason: reasonRebuildTimeout, After: calmInterval,
		Message: fmt.Sprintf("the server %s was to be made anew, and has not been within %s; it is %s: 'openstack server event list %s' may tell why, and 'openstack server delete %s' has it replaced", server.ID, limit, server.Status, server.ID, server.ID)}
}

// turnOn starts a server that was off before it was made anew: Nova leaves it so.
func (r *Reconciler) turnOn(ctx context.Context, s *scope, server *servers.Server) error {
	wait := reconcile.WaitFor(busyInterval, reasonRebuilding, "the server %s has been made anew, and is being started", server.ID)
	if server.Status != "SHUTOFF" || server.TaskState != "" {
		return wait
	}
	if err := r.open(ctx, s); err != nil {
		return err
	}
	err := s.compute.reboot(ctx, server.ID, false)
	r.changed(s)
	if err != nil {
		return s.project.Outcome(err, "starting the server "+server.ID)
	}
	return wait
}

// accepted takes note that the cloud has taken up the rebuild.
func (r *Reconciler) accepted(s *scope) {
	now, status, id := metav1.NewTime(r.Now()), &s.machine.Status, s.machine.Spec.Rebuild.ID
	if status.Rebuild == nil || status.Rebuild.ID != id {
		status.Rebuild = &v1alpha1.RebuildProgress{ID: id, RequestedAt: now}
	}
	status.Rebuild.AcceptedAt = &now
}

// isEmptied reports whether the node is empty for the rebuild that is asked for.
func isEmptied(m *v1alpha1.Machine) bool {
	n := m.Status.Node
	return !controllerutil.ContainsFinalizer(m, v1alpha1.NodeFinalizer) || n != nil && n.Rebuild == m.Spec.Rebuild.ID && n.Drained
}

// askForRebuild asks the cloud for it when everything is there that it takes.
func (r *Reconciler) askForRebuild(ctx context.Context, s *scope, server *servers.Server) error {
	m := s.machine
	if !isEmptied(m) {
		if n := m.Status.Node; n != nil && n.Rebuild == m.Spec.Rebuild.ID && n.DrainMessage != "" {
			return reconcile.Wait(reasonDraining, "%s", n.DrainMessage)
		}
		return reconcile.Wait(reasonDraining, "the node is being emptied")
	}
	if p := m.Status.Rebuild; p == nil || p.ID != m.Spec.Rebuild.ID {
		m.Status.Rebuild = &v1alpha1.RebuildProgress{ID: m.Spec.Rebuild.ID, RequestedAt: metav1.NewTime(r.Now())}
	}
	if late := r.unmade(s, server, nil); late != nil {
		return late
	}
	if !slices.Contains(rebuildable, server.Status) || server.TaskState != "" {
		return reconcile.WaitFor(busyInterval, "ServerChanging", "the server %s is %s, and can be made anew when it runs, or is off", server.ID, server.Status)
	}
	if err := s.prepare(); err != nil {
		return err
	}
	if err := r.ensureBootstrap(ctx, s); err != nil {
		return fmt.Errorf("bootstrap: %w", err)
	}
	secret, err := r.bootstrapSecret(ctx, s)
	if apierrors.IsNotFound(err) {
		return reconcile.WaitFor(time.Second, "WaitingForBootstrap", "what the node joins with is being made")
	} else if err != nil {
		return err
	}
	userData, err := userdata.Render(nodeOf(m, s.flavor, secret))
	if err != nil {
		return err
	}
	if err := r.open(ctx, s); err != nil {
		return err
	}
	noteUserData(m, true)
	patch := client.MergeFromWithOptions(s.before, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Status().Patch(ctx, m, patch); err != nil {
		return fmt.Errorf("writing the rebuild down: %w", err)
	}
	s.before = m.DeepCopy()
	err = s.compute.rebuild(ctx, server.ID, m.Status.ImageID, marked(m, server.Metadata), userData)
	r.changed(s)
	switch e := openstack.As(err); {
	case err == nil:
		r.accepted(s)
		return reconcile.WaitFor(busyInterval, reasonRebuilding, "the server %s is being made anew", server.ID)
	case e != nil && e.Kind == openstack.Conflict:
		return reconcile.WaitFor(busyInterval, "ServerChanging", "something else happens to the server %s, which is made anew after that: %v", server.ID, e)
	case e != nil && e.Kind == openstack.BadRequest:
		return &reconcile.Error{Kind: reconcile.KindUser, Reason: string(openstack.BadRequest), After: project.ProblemInterval, Err: err,
			Message: fmt.Sprintf("Nova does not make the server %s anew: %v: have its node replaced, with the upgrade strategy Rolling of the pool", server.ID, e)}
	}
	return s.project.Outcome(err, "asking for the rebuild")
}

// marked are the metadata of a server that is made anew: a rebuild replaces all of them.
func marked(m *v1alpha1.Machine, metadata map[string]string) map[string]string {
	all := maps.Clone(metadata)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, metadataOf(m))
	all[keyRebuild] = m.Spec.Rebuild.ID
	return all
}

// stage tells apart the states of a rebuild, in each of which there is something to do at once;
// empty without one.
func stage(m *v1alpha1.Machine) string {
	if !m.Rebuilding() {
		return ""
	}
	words := m.Spec.Rebuild.ID
	if isEmptied(m) {
		words += " emptied"
	}
	if n := m.Status.Node; n != nil && n.Rebuilt == m.Spec.Rebuild.ID {
		words += " back"
	}
	return words
}

// enters reports whether a rebuild has come to another stage since the last look.
func (r *Reconciler) enters(m *v1alpha1.Machine) bool {
	now := stage(m)
	if now == r.memory.of(m).stage {
		return false
	}
	r.memory.set(m, func(l *look) { l.stage = now })
	return now != ""
}
