package cluster

import (
	"fmt"
	"slices"
	"time"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/operation"
)

// situation is all that the decision about Operations depends on.
type situation struct {
	cluster *v1alpha1.Cluster
	// hcp is the control plane, nil without one.
	hcp *v1alpha1.HostedControlPlane
	// network is that of the nodes, nil without one.
	network *v1alpha1.ClusterNetwork
	// pools are the NodePools.
	pools []v1alpha1.NodePool
	// refused is why a person has to change the spec, or what it names; nil if nothing
	// is wrong with it.
	refused error
	// waits is what an upgrade waits for before it begins, nil for nothing.
	waits error
	// operations are those of this Cluster, the oldest first.
	operations []*v1alpha1.Operation
	now        time.Time
}

// Subject implements operation.Target.
func (s situation) Subject() operation.Subject {
	c := s.cluster
	return operation.Subject{Kind: v1alpha1.TargetCluster, Namespace: c.Namespace, Name: c.Name, UID: c.UID, Generation: c.Generation, Labels: labelsOf(c)}
}

// Refused implements operation.Target.
func (s situation) Refused() bool { return s.refused != nil }

// Merges implements operation.Target: what takes up a newer spec stays the Operation of the
// one with which it began.
func (s situation) Merges(*v1alpha1.Operation) bool { return false }

// Resumes reports whether an Operation goes on with a change of version that has been
// stopped.
func (s situation) Resumes(op *v1alpha1.Operation) bool {
	return op.Spec.Type == v1alpha1.OperationUpgrade && s.stopped()
}

// Wanted is what the spec asks for and has not been carried out; nil for nothing.
func (s situation) Wanted() *operation.Wish {
	c := s.cluster
	switch {
	case c.DeletionTimestamp != nil:
		return &operation.Wish{Kind: v1alpha1.OperationDelete, Generation: c.Generation}
	case s.awaitsPool() != nil:
		return nil
	case !s.beenReady():
		return &operation.Wish{Kind: v1alpha1.OperationCreate, Generation: c.Generation}
	case s.changesVersion() && !s.stopped():
		return &operation.Wish{Kind: v1alpha1.OperationUpgrade, Version: c.Spec.Version, Generation: c.Generation}
	case c.Status.Accepted == nil || c.Status.Accepted.Generation != c.Generation:
		return &operation.Wish{Kind: v1alpha1.OperationUpdate, Generation: c.Generation}
	default:
		return nil
	}
}

func (s situation) beenReady() bool {
	return s.cluster.Status.ReadySince != nil || s.hcp != nil && controlPlaneError(s.hcp) == nil && networkError(s.cluster, s.network) == nil
}

// changesVersion reports whether the control plane runs, or is about to run, another
// version than the spec asks for.
func (s situation) changesVersion() bool {
	if s.hcp == nil {
		return false
	}
	return s.hcp.Status.Version != s.cluster.Spec.Version || s.hcp.Spec.Version != s.cluster.Spec.Version
}

// stopped reports whether the change to the version of the spec has been cancelled: it
// stays so until somebody tries it again or changes the version. The newest Upgrade
// tells, of those that began or that a user cancelled before they did.
func (s situation) stopped() bool {
	if !s.changesVersion() || s.hcp.Status.Committed != "" {
		return false
	}
	for _, op := range slices.Backward(s.operations) {
		// One that could not stop since it was stuck has failed, and was to be stopped.
		cancelled := op.Spec.Cancel && (op.Status.Phase == v1alpha1.OperationCancelled || op.Status.Phase == v1alpha1.OperationFailed && op.Status.StartedAt != nil)
		if op.Spec.Type == v1alpha1.OperationUpgrade && (op.Status.StartedAt != nil || cancelled) {
			return cancelled && op.Spec.Version == s.cluster.Spec.Version
		}
	}
	// The history does not reach back so far. One that never began leaves the version that runs.
	return s.hcp.Spec.Paused && (s.hcp.Spec.Version == s.cluster.Spec.Version || s.hcp.Spec.Version == s.hcp.Status.Version)
}

// neverBegun reports whether the change to the version of the spec has been cancelled before
// anything was told or given that version.
func (s situation) neverBegun() bool {
	return s.stopped() && s.hcp.Spec.Version != s.cluster.Spec.Version && !s.given()
}

// given reports whether any component has been given the version of the spec.
func (s situation) given() bool {
	return slices.ContainsFunc(s.hcp.Status.Components, func(c v1alpha1.ComponentStatus) bool { return c.Version == s.cluster.Spec.Version })
}

// Admit implements operation.Target: a renewal is told of when it is done.
func (s situation) Admit(op *v1alpha1.Operation) (v1alpha1.OperationPhase, string) {
	if op.Spec.Type == v1alpha1.OperationRenewCertificates && op.Spec.RetryOf == "" {
		return v1alpha1.OperationSucceeded, s.renewed()
	}
	if reason := s.refuses(op, s.Wanted()); reason != "" {
		return v1alpha1.OperationFailed, reason
	}
	return "", ""
}

// refuses tells why an Operation that has not begun never will; empty if it may.
func (s situation) refuses(op *v1alpha1.Operation, want *operation.Wish) string {
	deleting := s.cluster.DeletionTimestamp != nil
	switch op.Spec.Type {
	case v1alpha1.OperationResync, v1alpha1.OperationRestart, v1alpha1.OperationRotateCertificates:
		switch {
		case deleting:
			return "the cluster is being deleted"
		case !s.beenReady():
			return "the cluster has never been ready: there is nothing yet that this could be done to"
		}
	case v1alpha1.OperationUpgrade:
		if deleting {
			return "the cluster is being deleted"
		}
		if op.Spec.Version != s.cluster.Spec.Version || !s.changesVersion() {
			return fmt.Sprintf("the cluster is not to be upgraded to %s: its spec asks for %s and it runs %s; change spec.version instead",
				op.Spec.Version, s.cluster.Spec.Version, s.cluster.Status.Version)
		}
	default:
		if want == nil || !want.Is(op) {
			return fmt.Sprintf("there is nothing left to do of type %s", op.Spec.Type)
		}
	}
	return operation.CannotRetry(op, s.operations, "cluster")
}
