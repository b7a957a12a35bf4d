package machine

import (
	"context"
	"fmt"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/dataplane/project"
	"github.com/marina-dev/marina/dataplane/userdata"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// settling is how long a server may be missing in a list after it was asked for.
const settling = time.Minute

// ensureServer looks at the server, or makes it. In between events it is as it was.
func (r *Reconciler) ensureServer(ctx context.Context, s *scope) error {
	resync := r.resync(s) || toReboot(s.machine) || r.enters(s.machine)
	if why, wait := r.memory.early(s.machine, r.Now()); wait > 0 && !resync {
		s.early, s.again = true, wait
		return why
	}
	status := &s.machine.Status
	if status.ServerID == "" && status.RequestedAt == nil {
		// Nothing was asked for: there is no hurry to look.
		if err := r.backOff(s); err != nil && !resync {
			return err
		}
		if err := s.prepare(); err != nil {
			return err
		}
	}
	within := calmInterval
	if !reconcile.IsTrue(status.Conditions, v1alpha1.ConditionServerReady) && !isLost(status) {
		within = busyInterval
	}
	l, err := r.list(ctx, s, within)
	if err != nil {
		s.unasked = true
		return err
	}
	s.again = max(time.Second, l.began.Add(calmInterval).Sub(r.Now()))
	return r.act(ctx, s, l.sight(s.machine))
}

// list is a list of the servers of the project that is young enough, and tells of all that
// was asked for this Machine.
func (r *Reconciler) list(ctx context.Context, s *scope, within time.Duration) (*listing, error) {
	mark := r.memory.of(s.machine).mark
	if l := s.feed.fresh(mark, within, r.Now()); l != nil {
		return l, nil
	}
	spec := s.network.Spec
	credentials := client.ObjectKey{Namespace: spec.ClusterRef.Namespace, Name: spec.CredentialsRef.Name}
	return s.feed.list(ctx, credentials, mark, within, r.Now, func(ctx context.Context) ([]servers.Server, error) {
		if err := r.open(ctx, s); err != nil {
			return nil, err
		}
		all, err := s.compute.list(ctx)
		if err != nil {
			return nil, s.project.Outcome(err, "listing servers")
		}
		return all, nil
	})
}

// act does what is to be done about what was seen.
func (r *Reconciler) act(ctx context.Context, s *scope, seen sight) error {
	status := &s.machine.Status
	if seen.known == nil && status.ServerID == "" {
		switch {
		case len(seen.others) > 0:
			// Of an earlier one that did not become a node.
			return r.clear(ctx, s, seen.others)
		case status.RequestedAt == nil:
			return r.create(ctx, s)
		case r.Now().Sub(status.RequestedAt.Time) < settling:
			return reconcile.WaitFor(busyInterval, "LookingForServer", "waiting whether the server is made that was asked for at %s", status.RequestedAt.UTC().Format(time.TimeOnly))
		}
		// It was asked for, and nothing came of it.
		if err := s.prepare(); err != nil {
			return err
		}
		return r.create(ctx, s)
	}
	if seen.known == nil {
		return r.missing(ctx, s)
	}
	status.ServerID = seen.known.ID
	if len(seen.others) > 0 {
		// Somebody who has ended meanwhile had asked for it as well.
		if err := r.remove(ctx, s, seen.others); err != nil {
			return err
		}
	}
	if err := r.repair(ctx, s, seen.known); err != nil {
		return err
	}
	status.Addresses = addressesOf(seen.known, s.network.Status.CIDR)
	if err := r.reboot(ctx, s, seen.known); err != nil {
		return err
	}
	if err := r.rebuild(ctx, s, seen.known); err != nil {
		return err
	}
	overdue, err := r.overdue(ctx, s.machine)
	if err != nil {
		return err
	}
	server, err := r.withFault(ctx, s, seen.known)
	if err != nil {
		return err
	}
	err = judge(s.machine, server, s.network, overdue)
	if f, failed := err.(*failure); failed { //nolint:errorlint // judge makes it
		return r.fail(ctx, s, f, append(seen.others, seen.known))
	}
	if err == nil {
		s.server = seen.known
		r.memory.set(s.machine, func(l *look) { l.refusals = 0 })
	}
	return err
}

// create asks for the server, if there is room for it and what it joins with. That it does is
// written down first: who finds it written down looks for the server.
func (r *Reconciler) create(ctx context.Context, s *scope) error {
	if err := r.awaitQuota(ctx, s); err != nil {
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
	userData, err := userdata.Render(nodeOf(s.machine, s.flavor, secret))
	if err != nil {
		return err
	}
	if err := r.open(ctx, s); err != nil {
		return err
	}
	status := &s.machine.Status
	noteUserData(s.machine, status.RequestedAt != nil)
	status.RequestedAt, status.RetryAt = &metav1.Time{Time: r.Now()}, nil
	// What it was read from may be behind: then it is not asked for again.
	patch := client.MergeFromWithOptions(s.before, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Status().Patch(ctx, s.machine, patch); err != nil {
		return fmt.Errorf("writing the request down: %w", err)
	}
	s.before, status = s.machine.DeepCopy(), &s.machine.Status
	options, hints := asked(s.machine, s.network, userData)
	id, err := s.compute.create(ctx, options, hints)
	r.changed(s)
	switch e := openstack.As(err); {
	case err == nil:
		status.ServerID = id
		return building(s.machine)
	case e != nil && e.Kind == openstack.Unavailable:
		return s.project.Outcome(err, "asking for the server")
	default:
		status.RequestedAt = nil // nothing was made
		return r.refused(ctx, s, err)
	}
}

// changed has lists that began before now not count for this Machine.
func (r *Reconciler) changed(s *scope) {
	mark := s.feed.mark()
	r.memory.set(s.machine, func(l *look) { l.mark = mark })
}

// reasonBuilding is why a server is waited for that was asked for.
const reasonBuilding = "Building"

// building waits for Nova.
func building(m *v1alpha1.Machine) error {
	return reconcile.WaitFor(busyInterval, reasonBuilding, "the server %s is being built", m.Status.ServerID)
}

// missing finds out what a server that is not in the list has come to.
func (r *Reconciler) missing(ctx context.Context, s *scope) error {
	status := &s.machine.Status
	if at := status.RequestedAt; at != nil && r.Now().Sub(at.Time) < settling {
		return building(s.machine)
	}
	if err := r.open(ctx, s); err != nil {
		return err
	}
	server, err := s.compute.get(ctx, status.ServerID)
	if err != nil {
		return s.project.Outcome(err, "looking for the server")
	}
	if server != nil && !openstack.Leaving(server) {
		return reconcile.WaitFor(calmInterval, "ServerUnknown", "the server %s is there, but in no list: a part of the cloud may be down", status.ServerID)
	}
	f := &failure{reason: reasonGone, message: fmt.Sprintf("the server %s is gone, and Marina has not deleted it", status.ServerID)}
	if status.ReadySince != nil {
		return f.lasting(status.ServerID)
	}
	return r.fail(ctx, s, f, nil)
}

// current fails if there is a newer Machine than that which was read: nothing is deleted for
// what an old one says.
func (r *Reconciler) current(ctx context.Context, s *scope) error {
	live := &v1alpha1.Machine{}
	if err := r.Live.Get(ctx, client.ObjectKeyFromObject(s.machine), live); err != nil {
		return err
	}
	if live.ResourceVersion != s.machine.ResourceVersion {
		return conflict(s.machine)
	}
	return nil
}

// remove deletes servers, but for those that are going already.
func (r *Reconciler) remove(ctx context.Context, s *scope, all []*servers.Server) error {
	for _, server := range all {
		if openstack.Leaving(server) {
			continue
		}
		if err := r.current(ctx, s); err != nil {
			return err
		}
		if err := r.open(ctx, s); err != nil {
			return err
		}
		err := s.compute.delete(ctx, server.ID)
		r.changed(s)
		if err != nil {
			return s.project.Outcome(err, "deleting the server "+server.ID)
		}
	}
	return nil
}

// clear deletes what is left of an earlier server, and waits until it is gone.
func (r *Reconciler) clear(ctx context.Context, s *scope, all []*servers.Server) error {
	if err := r.remove(ctx, s, all); err != nil {
		return err
	}
	return reconcile.WaitFor(busyInterval, "DeletingServer", "waiting until the cloud shows no more of the server before")
}

// repair writes the metadata again that somebody has changed: by them the server is found.
func (r *Reconciler) repair(ctx context.Context, s *scope, server *servers.Server) error {
	if openstack.Leaving(server) || !strayed(s.machine, server.Metadata) {
		return nil
	}
	if err := r.open(ctx, s); err != nil {
		return err
	}
	err := s.compute.mark(ctx, server.ID, metadataOf(s.machine))
	r.changed(s)
	if err != nil && !openstack.IsKind(err, openstack.NotFound) {
		return s.project.Outcome(err, "writing the metadata of the server")
	}
	s.again = busyInterval
	return nil
}

// refused is why no server was made.
func (r *Reconciler) refused(ctx context.Context, s *scope, err error) error {
	switch {
	case openstack.IsKind(err, openstack.Quota):
		return r.overQuota(ctx, s, err)
	case openstack.IsKind(err, openstack.NoCapacity):
		e := reconcile.As(s.project.Outcome(err, "asking for the server"))
		e.After = capacityInterval
		return e
	case openstack.IsKind(err, openstack.BadRequest):
		return &reconcile.Error{Kind: reconcile.KindUser, Reason: string(openstack.BadRequest), After: project.ProblemInterval, Err: err,
			Message: fmt.Sprintf("Nova does not take what is asked for: %v: change the pool, or have the Infrastructure %s corrected", openstack.As(err), s.infra.Name)}
	}
	return s.project.Outcome(err, "asking for the server")
}
