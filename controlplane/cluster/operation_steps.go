package cluster

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// rolled are the components that a roll goes through, in the order in which it does.
var rolled = []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler"}

// step is a part of an Operation as it is found.
type step struct {
	name string
	done bool
	// message tells what it waits for, or what is left of it.
	message string
}

// stepsOf are the steps of an Operation and which of them are done, by what is
// observed: a restart of Marina in the middle finds the same.
func stepsOf(op *v1alpha1.Operation, s situation) []step {
	switch op.Spec.Type {
	case v1alpha1.OperationCreate:
		return append([]step{
			s.condition("Place in etcd", v1alpha1.ConditionEtcdReady),
			s.condition("Certificates", v1alpha1.ConditionCertificatesValid),
			s.condition("Control plane", v1alpha1.ConditionControlPlaneReady),
			s.condition("Inside the cluster", v1alpha1.ConditionAddonsReady),
		}, s.networkMade()...)
	case v1alpha1.OperationUpdate:
		return []step{
			{name: "Spec taken up", done: s.takenUp(op), message: "the spec has not been taken up"},
			s.upToDate("Control plane"),
		}
	case v1alpha1.OperationUpgrade:
		return s.roll(func(c v1alpha1.ComponentStatus) bool { return c.Version == op.Spec.Version })
	case v1alpha1.OperationRestart:
		return s.roll(func(c v1alpha1.ComponentStatus) bool { return c.Restart == string(op.UID) })
	case v1alpha1.OperationRotateCertificates:
		return []step{
			{name: "Certificates", done: s.rotated(op), message: "not all certificates have been issued again"},
			s.upToDate("Given to the control plane"),
		}
	case v1alpha1.OperationResync:
		resynced := s.hcp != nil && s.hcp.Status.Resynced == string(op.UID)
		return []step{{name: "Control plane", done: resynced, message: "not everything has been written again"}}
	case v1alpha1.OperationRenewCertificates:
		return nil
	default: // Delete
		return append(append(s.poolsGone(), s.networkGone()...), []step{
			{name: "Control plane", done: s.hcp == nil, message: "the control plane is still there"},
			{name: "Namespace", message: "the management namespace is still there"},
		}...)
	}
}

// condition is a step that a condition of the control plane tells of.
func (s situation) condition(name, conditionType string) step {
	result := step{name: name}
	if s.hcp != nil {
		if c := meta.FindStatusCondition(s.hcp.Status.Conditions, conditionType); c != nil {
			result.done = c.Status == metav1.ConditionTrue
			if c.Status == metav1.ConditionFalse {
				// What it merely waits for changes often, and stands in the Cluster.
				result.message = c.Message
			}
		}
	}
	return result
}

// upToDate is the step after which every replica is as the HostedControlPlane asks.
func (s situation) upToDate(name string) step {
	result := step{name: name, message: "not all replicas are as asked"}
	if s.hcp != nil {
		c := meta.FindStatusCondition(s.hcp.Status.Conditions, v1alpha1.ConditionUpToDate)
		result.done = c != nil && c.ObservedGeneration == s.hcp.Generation &&
			(c.Status == metav1.ConditionTrue || s.stopped() && settledAll(s.hcp))
	}
	return result
}

// roll are the steps of a roll through all components; is tells whether a component
// has been given what the roll is for.
func (s situation) roll(is func(v1alpha1.ComponentStatus) bool) (steps []step) {
	for _, name := range rolled {
		c := componentOf(s.hcp, name)
		result := step{name: name, done: is(c) && settled(c)}
		if is(c) {
			result.message = fmt.Sprintf("%d of %d replicas replaced, %d ready", c.Updated, c.Replicas, c.Ready)
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
		return !s.changesVersion() && s.hcp != nil && s.hcp.Status.Version == op.Spec.Version && s.upToDate("").done
	default:
		return !slices.ContainsFunc(stepsOf(op, s), func(st step) bool { return !st.done })
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
	if s.hcp == nil || s.hcp.Status.ObservedGeneration != s.hcp.Generation {
		return false
	}
	if op.Spec.Type == v1alpha1.OperationUpgrade && !s.hcp.Spec.Paused {
		return false
	}
	return settledAll(s.hcp)
}

// leftOver names the steps that are not done, as the end of a sentence.
func leftOver(steps []step) string {
	var left []string
	for _, st := range steps {
		if !st.done {
			left = append(left, st.name)
		}
	}
	if len(left) == 0 {
		return ""
	}
	return "; not done: " + strings.Join(left, ", ")
}

// report writes what is observed of an Operation that runs into its status.
func report(op *v1alpha1.Operation, steps []step, now metav1.Time) {
	status := &op.Status
	before := status.Steps
	status.Steps = nil
	// They are done in this order: one that seems to be done before its turn was so
	// from before.
	done, current := 0, ""
	for _, st := range steps {
		written := v1alpha1.OperationStep{Name: st.name, Phase: v1alpha1.OperationPending}
		if i := slices.IndexFunc(before, func(b v1alpha1.OperationStep) bool { return b.Name == st.name }); i >= 0 {
			written.StartedAt, written.FinishedAt = before[i].StartedAt, before[i].FinishedAt
		}
		switch {
		case st.done && current == "":
			done++
			written.Phase = v1alpha1.OperationSucceeded
			if written.StartedAt == nil {
				written.StartedAt = &now
			}
			if written.FinishedAt == nil {
				written.FinishedAt = &now
			}
		case current == "":
			current = st.name
			written.Phase, written.Message, written.FinishedAt = v1alpha1.OperationRunning, st.message, nil
			if written.StartedAt == nil {
				written.StartedAt = &now
			}
		}
		status.Steps = append(status.Steps, written)
	}
	status.Progress = fmt.Sprintf("%d/%d", done, len(steps))
}

// conclude writes a verdict into the status of an Operation. What has not been done
// is marked as what stopped it, or as left.
func conclude(op *v1alpha1.Operation, steps []step, v verdict, now metav1.Time) {
	status := &op.Status
	begun := map[string]bool{}
	for _, st := range status.Steps {
		begun[st.Name] = st.StartedAt != nil
	}
	if status.StartedAt != nil && steps != nil {
		report(op, steps, now)
	}
	marked := false
	for i := range status.Steps {
		st := &status.Steps[i]
		if st.Phase != v1alpha1.OperationSucceeded && v.phase == v1alpha1.OperationCancelled && !begun[st.Name] {
			st.StartedAt = nil
		}
		if st.Phase == v1alpha1.OperationSucceeded {
			continue
		}
		st.FinishedAt = &now
		switch {
		case v.phase == v1alpha1.OperationSucceeded:
			st.Phase, st.Message = v1alpha1.OperationSucceeded, ""
			if st.StartedAt == nil {
				st.StartedAt = &now
			}
		case v.phase == v1alpha1.OperationFailed && !marked:
			st.Phase = v1alpha1.OperationFailed
		default:
			st.Phase = v1alpha1.OperationCancelled
			if st.StartedAt == nil {
				st.Message = "left as it was"
			}
		}
		marked = true
	}
	status.Phase, status.Message, status.FinishedAt = v.phase, v.message, &now
	if v.phase == v1alpha1.OperationSucceeded && len(status.Steps) > 0 {
		status.Progress = fmt.Sprintf("%d/%d", len(status.Steps), len(status.Steps))
	}
	if status.StartedAt != nil {
		status.Took = took(now.Sub(status.StartedAt.Time))
	}
}

// took is a time as people write it. A clock that was set back makes none.
func took(d time.Duration) string { return duration.HumanDuration(max(0, d.Round(time.Second))) }
