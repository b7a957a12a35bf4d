package cluster

import (
	"fmt"
	"time"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/operation"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// Judge implements operation.Target.
func (s situation) Judge(op *v1alpha1.Operation) (v1alpha1.OperationPhase, string) {
	left := operation.LeftOver(stepsOf(op, s))
	switch c := s.cluster; {
	case op.Spec.Type != v1alpha1.OperationDelete && c.DeletionTimestamp != nil:
		return v1alpha1.OperationCancelled, "overtaken: the cluster is being deleted" + left
	case s.done(op):
		if s.stopped() {
			return v1alpha1.OperationSucceeded, success(op) + ", but for its version, whose change has been stopped"
		}
		return v1alpha1.OperationSucceeded, success(op)
	case op.Spec.Type == v1alpha1.OperationUpgrade && op.Spec.Version != c.Spec.Version:
		return v1alpha1.OperationCancelled, fmt.Sprintf("overtaken: spec.version is now %s%s", c.Spec.Version, left)
	case op.Spec.Type == v1alpha1.OperationUpdate && op.Status.Generation != c.Generation:
		return v1alpha1.OperationCancelled, "overtaken: the spec has changed again" + left
	case s.refused != nil && (carriesOutSpec(op) || s.refusedWith(op)):
		return v1alpha1.OperationFailed, reconcile.As(s.refused).Message + left
	case s.now.After(deadline(op)):
		return v1alpha1.OperationFailed, fmt.Sprintf("not done within %s%s", operation.Took(limits[op.Spec.Type]), left)
	case op.Spec.Cancel && s.atSafePoint(op):
		return v1alpha1.OperationCancelled, "stopped as asked" + left + s.advice(op)
	}
	return v1alpha1.OperationRunning, ""
}

// limits are how long an Operation may keep others waiting that cannot be cancelled, or
// only between two components. What it has begun goes on after that.
var limits = map[v1alpha1.OperationType]time.Duration{
	v1alpha1.OperationUpdate:             10 * time.Minute,
	v1alpha1.OperationResync:             10 * time.Minute,
	v1alpha1.OperationRotateCertificates: 10 * time.Minute,
	v1alpha1.OperationRestart:            30 * time.Minute,
}

// deadline is when an Operation that runs has failed; far away without a limit.
func deadline(op *v1alpha1.Operation) time.Time {
	limit, limited := limits[op.Spec.Type]
	if !limited || op.Status.StartedAt == nil {
		return time.Unix(1<<40, 0)
	}
	return op.Status.StartedAt.Add(limit)
}

// refusedWith reports whether the control plane has taken note of an Operation and
// refuses its spec, so that a pass will never come to its end.
func (s situation) refusedWith(op *v1alpha1.Operation) bool {
	if s.hcp == nil || refusedBy(s.hcp) == nil {
		return false
	}
	switch op.Spec.Type {
	case v1alpha1.OperationResync:
		return s.hcp.Spec.Resync == string(op.UID)
	case v1alpha1.OperationRotateCertificates:
		return s.hcp.Spec.CertificatesNotBefore != nil && s.hcp.Spec.CertificatesNotBefore.Equal(op.Status.StartedAt)
	default:
		return false
	}
}

// carriesOutSpec reports whether an Operation does what the spec says, so that it
// fails with it.
func carriesOutSpec(op *v1alpha1.Operation) bool {
	switch op.Spec.Type {
	case v1alpha1.OperationCreate, v1alpha1.OperationUpdate, v1alpha1.OperationUpgrade:
		return true
	default:
		return false
	}
}

// carriesOutAnySpec reports whether an Operation takes up a spec that changes while it
// runs; others make it wait.
func carriesOutAnySpec(op *v1alpha1.Operation) bool {
	switch op.Spec.Type {
	case v1alpha1.OperationCreate, v1alpha1.OperationUpdate, v1alpha1.OperationDelete:
		return true
	default:
		return false
	}
}

// advice tells how to go on after a cancellation.
func (s situation) advice(op *v1alpha1.Operation) string {
	again := fmt.Sprintf(": 'marina operation retry %s' goes on", op.Name)
	if op.Spec.Type == v1alpha1.OperationUpgrade {
		again += fmt.Sprintf(", spec.version %s goes back", s.cluster.Status.Version)
	}
	return again
}

// success is the last word on an Operation that has done what it was to do.
func success(op *v1alpha1.Operation) string {
	switch op.Spec.Type {
	case v1alpha1.OperationCreate:
		return "the control plane serves and nodes can join"
	case v1alpha1.OperationUpdate:
		return "the control plane is as the spec asks"
	case v1alpha1.OperationUpgrade:
		return "the whole control plane runs " + op.Spec.Version
	case v1alpha1.OperationDelete:
		for _, st := range op.Status.Steps {
			if st.Phase == v1alpha1.OperationSucceeded && st.Message != "" {
				return "the cluster is gone; " + st.Message
			}
		}
		return "nothing is left of the cluster"
	case v1alpha1.OperationResync:
		return "everything has been written again"
	case v1alpha1.OperationRestart:
		return "all replicas have been restarted"
	default:
		return "all leaf certificates have been issued again"
	}
}
