package machine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/dataplane/project"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

const (
	// firstBackOff is how long after a server that did not become a node the next one is
	// made; it doubles up to lastBackOff.
	firstBackOff, lastBackOff = 30 * time.Second, 10 * time.Minute
	// capacityInterval is how often it is tried again in a cloud that has no room.
	capacityInterval = 2 * time.Minute
)

// failure is why a server does not become a node, or is none any more.
type failure struct {
	kind            openstack.Kind
	reason, message string
}

// withFault is a server with what Nova says of why it is in ERROR. Lists do not tell that of one
// that has found no host.
func (r *Reconciler) withFault(ctx context.Context, s *scope, listed *servers.Server) (*servers.Server, error) {
	if listed.Status != "ERROR" || listed.Fault.Message != "" || openstack.Leaving(listed) {
		return listed, nil
	}
	if err := r.open(ctx, s); err != nil {
		return nil, err
	}
	server, err := s.compute.get(ctx, listed.ID)
	if e := openstack.As(err); e != nil && e.Passing() {
		return nil, s.project.Outcome(err, "asking why the server is in ERROR")
	}
	if err != nil || server == nil {
		return listed, nil //nolint:nilerr // nobody tells
	}
	told := *listed // lists are everybody's
	told.Fault = server.Fault
	return &told, nil
}

func (f *failure) Error() string { return f.message }

// Why the server of a node is none any more, or does not run: it is stopped, or in a state of
// which nobody knows here what it is for.
const (
	reasonGone      = "ServerGone"
	reasonError     = "ServerError"
	reasonStopped   = "ServerStopped"
	reasonNotActive = "ServerNotActive"
)

// lasting is what it is of a Machine that has been a node. Its pool makes another one if the
// server is gone. One in ERROR may still run, and somebody may want what is on its disk.
func (f *failure) lasting(id string) error {
	e := &reconcile.Error{Kind: reconcile.KindUser, Reason: reasonGone, Message: f.message, After: calmInterval}
	if f.reason != reasonGone {
		e.Reason = reasonError
		e.Message += fmt.Sprintf(": 'openstack server delete %s' has it replaced at once", id)
	}
	return e
}

// fail deletes a server that does not become a node, with what it was to join with, and says
// when the next one is made. A cloud without room, or a quota without, is no failure of the
// server.
func (r *Reconciler) fail(ctx context.Context, s *scope, f *failure, all []*servers.Server) error {
	if err := r.current(ctx, s); err != nil {
		return err
	}
	if err := r.remove(ctx, s, all); err != nil {
		return err
	}
	if err := r.removeBootstrap(ctx, s); err != nil {
		return err
	}
	status := &s.machine.Status
	var wait time.Duration
	switch f.kind {
	case openstack.Quota:
		wait = r.quotaBackOff(s)
	case openstack.NoCapacity:
		wait = capacityInterval
	default:
		status.Failures++
		wait = backOff(status.Failures)
	}
	at := r.Now().Add(wait)
	status.ServerID, status.RequestedAt, status.Addresses, status.RetryAt = "", nil, nil, &metav1.Time{Time: at}
	return &reconcile.Error{Kind: reconcile.KindUser, Reason: f.reason, After: wait,
		Message: fmt.Sprintf("%s: it is deleted, and another one is made at %s", f.message, at.UTC().Format(time.TimeOnly))}
}

func backOff(failures int32) time.Duration {
	return min(firstBackOff<<min(failures-1, 10), lastBackOff)
}

// backOff waits until the next server may be made. What is wrong stays in the status.
func (r *Reconciler) backOff(s *scope) error {
	status := s.machine.Status
	if status.RetryAt == nil || !r.Now().Before(status.RetryAt.Time) {
		return nil
	}
	e := &reconcile.Error{Kind: reconcile.KindUser, Reason: "BackOff", Message: "the next server is made later", After: status.RetryAt.Sub(r.Now())}
	if c := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionServerReady); c != nil {
		e.Reason, e.Message = c.Reason, c.Message
	}
	return e
}

// unreachable is why a cloud cannot be asked, nil if it is something else that is wrong.
func unreachable(err error) *reconcile.Error {
	var e *reconcile.Error
	if !errors.As(err, &e) || e.Kind == reconcile.KindRetry && e.Reason != project.ReasonUnreachable {
		return nil
	}
	return e
}
