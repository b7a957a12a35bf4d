package cluster

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/operation"
)

// rolled are the components that a roll goes through, in the order in which it does.
var rolled = []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler"}

// Steps implements operation.Target.
func (s situation) Steps(op *v1alpha1.Operation) (steps []operation.Step, note string) {
	if op.Spec.Cancel {
		note = "stopping at the next safe point, which is when all replicas of what has begun are ready"
		if op.Spec.Type == v1alpha1.OperationUpgrade {
			if s.hcp != nil && s.hcp.Status.Committed != "" {
				return stepsOf(op, s), "it cannot be stopped any more: there is no way back to " + s.cluster.Status.Version
			}
			note += "; spec.version " + s.cluster.Status.Version + " goes back at once"
		}
	}
	return stepsOf(op, s), note
}

// stepsOf are the steps of an Operation.
func stepsOf(op *v1alpha1.Operation, s situation) []operation.Step {
	switch op.Spec.Type {
	case v1alpha1.OperationCreate:
		return append([]operation.Step{
			s.condition("Place in etcd", v1alpha1.ConditionEtcdReady),
			s.condition("Certificates", v1alpha1.ConditionCertificatesValid),
			s.condition("Control plane", v1alpha1.ConditionControlPlaneReady),
			s.condition("Inside the cluster", v1alpha1.ConditionAddonsReady),
		}, s.networkMade()...)
	case v1alpha1.OperationUpdate:
		return []operation.Step{
			{Name: "Spec taken up", Done: s.takenUp(op), Message: "the spec has not been taken up"},
			s.upToDate("Control plane"),
		}
	case v1alpha1.OperationUpgrade:
		return s.rise(op)
	case v1alpha1.OperationRestart:
		return s.roll("", func(c v1alpha1.ComponentStatus) bool { return c.Restart == string(op.UID) })
	case v1alpha1.OperationRotateCertificates:
		return []operation.Step{
			{Name: "Certificates", Done: s.rotated(op), Message: "not all certificates have been issued again"},
			s.upToDate("Given to the control plane"),
		}
	case v1alpha1.OperationResync:
		resynced := s.hcp != nil && s.hcp.Status.Resynced == string(op.UID)
		return append([]operation.Step{{Name: "Control plane", Done: resynced, Message: "not everything has been written again"}}, s.lookedAt(op)...)
	case v1alpha1.OperationRenewCertificates:
		return nil
	default: // Delete
		return append(slices.Concat(s.deorbited(), s.poolsGone(), s.networkGone()), []operation.Step{
			{Name: "Control plane", Done: s.hcp == nil, Message: "the control plane is still there"},
			{Name: "Namespace", Message: "the management namespace is still there"},
		}...)
	}
}

// condition is a step that a condition of the control plane tells of.
func (s situation) condition(name, conditionType string) operation.Step {
	result := operation.Step{Name: name}
	if s.hcp != nil {
		if c := meta.FindStatusCondition(s.hcp.Status.Conditions, conditionType); c != nil {
			result.Done = c.Status == metav1.ConditionTrue
			if c.Status == metav1.ConditionFalse {
				// What it merely waits for changes often, and stands in the Cluster.
				result.Message = c.Message
			}
		}
	}
	return result
}

// upToDate is the step after which every replica is as the HostedControlPlane asks.
func (s situation) upToDate(name string) operation.Step {
	result := operation.Step{Name: name, Message: "not all replicas are as asked"}
	if s.hcp != nil {
		c := meta.FindStatusCondition(s.hcp.Status.Conditions, v1alpha1.ConditionUpToDate)
		result.Done = c != nil && c.ObservedGeneration == s.hcp.Generation &&
			(c.Status == metav1.ConditionTrue || s.stopped() && settledAll(s.hcp))
	}
	return result
}

// roll are the steps of a roll through all components, with words after their names; is
// tells whether a component has been given what the roll is for.
func (s situation) roll(words string, is func(v1alpha1.ComponentStatus) bool) (steps []operation.Step) {
	for _, name := range rolled {
		c := componentOf(s.hcp, name)
		result := operation.Step{Name: name + words, Done: is(c) && settled(c)}
		if is(c) {
			result.Message = fmt.Sprintf("%d of %d replicas replaced, %d ready", c.Updated, c.Replicas, c.Ready)
		}
		steps = append(steps, result)
	}
	return steps
}

// componentOf is what a control plane says of a component.
func componentOf(hcp *v1alpha1.HostedControlPlane, name string) v1alpha1.ComponentStatus {
	if hcp != nil {
		for _, c := range hcp.Status.Components {
			if c.Name == name {
				return c
			}
		}
	}
	return v1alpha1.ComponentStatus{Name: name}
}

// settled reports whether no replica is being replaced.
func settled(c v1alpha1.ComponentStatus) bool {
	return c.Replicas > 0 && c.Updated == c.Replicas && c.Ready == c.Replicas
}

// done reports whether an Operation has done what it was to do.
func (s situation) done(op *v1alpha1.Operation) bool {
	switch op.Spec.Type {
	case v1alpha1.OperationCreate:
		return s.beenReady()
	case v1alpha1.OperationDelete:
		// The Cluster goes with it.
		return false
	case v1alpha1.OperationUpgrade:
		return !s.changesVersion() && s.hcp != nil && s.hcp.Status.Version == op.Spec.Version && s.upToDate("").Done
	default:
		return operation.AllDone(stepsOf(op, s))
	}
}

// takenUp reports whether the control plane is to be as the spec says that an Update
// is of.
func (s situation) takenUp(op *v1alpha1.Operation) bool {
	accepted := s.cluster.Status.Accepted
	return accepted != nil && accepted.Generation >= op.Status.Generation && s.hcp != nil &&
		slices.Equal(s.hcp.Spec.CertSANs, s.cluster.Spec.Access.CertSANs) && networkAsAsked(s.cluster, s.network)
}

// rotated reports whether all certificates are younger than the Operation.
func (s situation) rotated(op *v1alpha1.Operation) bool {
	if s.hcp == nil || s.hcp.Status.Certificates == nil || op.Status.StartedAt == nil {
		return false
	}
	// Both, since what was asked for before may lie in the future of a clock that was
	// set back.
	asked, satisfied := s.hcp.Spec.CertificatesNotBefore, s.hcp.Status.Certificates.NotBefore
	return asked.Equal(op.Status.StartedAt) && satisfied.Equal(asked)
}

// atSafePoint reports whether a cancelled Operation may stop here: no component is
// halfway. One that has not begun is not halfway.
func (s situation) atSafePoint(op *v1alpha1.Operation) bool {
	if op.Spec.Type == v1alpha1.OperationUpgrade && s.waits != nil {
		return true // whatever it waits for
	}
	if s.hcp == nil || s.hcp.Status.ObservedGeneration != s.hcp.Generation {
		return false
	}
	if op.Spec.Type == v1alpha1.OperationUpgrade && (!s.hcp.Spec.Paused || s.hcp.Status.Committed != "") {
		return false
	}
	return settledAll(s.hcp)
}
