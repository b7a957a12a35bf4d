package machine

import (
	"cmp"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// writeStatus computes the conditions and the state from what a pass came to. While the cloud
// cannot be asked, the server is taken to be as it was.
func writeStatus(s *scope, e *reconcile.Error, now time.Time) {
	m := s.machine
	status := &m.Status
	set := func(conditionType string, conditionStatus metav1.ConditionStatus, reason, message string) {
		meta.SetStatusCondition(&status.Conditions, metav1.Condition{
			Type: conditionType, Status: conditionStatus, Reason: reason, Message: message, ObservedGeneration: m.Generation,
		})
	}
	known := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionServerReady)
	switch {
	case e == nil:
		set(v1alpha1.ConditionServerReady, metav1.ConditionTrue, "AsExpected", "the server runs")
	case e.Kind == reconcile.KindUser:
		set(v1alpha1.ConditionServerReady, metav1.ConditionFalse, e.Reason, e.Message)
	case e.Kind == reconcile.KindWait || known == nil || known.Status == metav1.ConditionUnknown:
		set(v1alpha1.ConditionServerReady, metav1.ConditionUnknown, e.Reason, e.Message)
	}
	status.Message = ""
	if e != nil && (e.Kind != reconcile.KindRetry || status.ReadySince == nil) {
		status.Message = e.Message // of nodes an outage of the cloud says nothing
	}
	if e != nil && e.Reason == reasonBuilding && isReady(status.Node) && m.DeletionTimestamp == nil {
		status.Message = "" // the node is quicker than the next list of servers
	}
	switch lost := isLost(status); {
	case m.Rebuilding() && e != nil && e.Kind != reconcile.KindRetry && m.DeletionTimestamp == nil:
		ready := metav1.ConditionUnknown
		if e.Kind == reconcile.KindUser {
			ready = metav1.ConditionFalse
		}
		set(v1alpha1.ConditionReady, ready, e.Reason, e.Message)
	case status.ReadySince == nil && e == nil:
		words := "the server runs, and has not become a Ready node yet"
		if end := m.Deadline(); end != nil && !now.Before(end.Time) {
			words = "the server runs, and has not become a Ready node in its time: it is given up when the cluster's API server is there and tells so"
		}
		status.Message = cmp.Or(nodeMessage(status.Node), words)
		set(v1alpha1.ConditionReady, metav1.ConditionUnknown, "WaitingForNode", status.Message)
	case status.ReadySince == nil && e.Kind == reconcile.KindUser:
		set(v1alpha1.ConditionReady, metav1.ConditionFalse, e.Reason, e.Message)
	case status.ReadySince == nil:
		set(v1alpha1.ConditionReady, metav1.ConditionUnknown, e.Reason, e.Message)
	case lost:
		c := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionServerReady)
		set(v1alpha1.ConditionReady, metav1.ConditionFalse, c.Reason, c.Message)
	case isReady(status.Node):
		set(v1alpha1.ConditionReady, metav1.ConditionTrue, "AsExpected", "the node is Ready")
	default:
		words := cmp.Or(nodeMessage(status.Node), "the node is not Ready")
		status.Message = cmp.Or(status.Message, words)
		set(v1alpha1.ConditionReady, metav1.ConditionFalse, "NodeNotReady", words)
	}
	if m.DeletionTimestamp != nil {
		reconcile.SetCondition(&status.Conditions, v1alpha1.ConditionDeleting, m.Generation, asError(e), "")
	}
	status.State, status.ObservedGeneration = stateOf(m), m.Generation
}

func asError(e *reconcile.Error) error {
	if e == nil {
		return nil
	}
	return e
}

// isReady reports whether controlplane has found the node Ready.
func isReady(n *v1alpha1.MachineNode) bool { return n != nil && n.Ready }

func nodeMessage(n *v1alpha1.MachineNode) string {
	if n == nil {
		return ""
	}
	return n.Message
}

// isLost reports whether the server of a node is gone or broken.
func isLost(status *v1alpha1.MachineStatus) bool {
	c := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionServerReady)
	return c != nil && c.Status == metav1.ConditionFalse && status.ReadySince != nil && (c.Reason == reasonGone || c.Reason == reasonError)
}

// stateOf is the word for what the rest of the status says.
func stateOf(m *v1alpha1.Machine) v1alpha1.MachineState {
	status := &m.Status
	switch {
	case m.DeletionTimestamp != nil && undrained(m):
		return v1alpha1.MachineDraining
	case m.DeletionTimestamp != nil:
		return v1alpha1.MachineTerminating
	case status.ReadySince == nil && status.ServerID == "":
		return v1alpha1.MachinePending
	case status.ReadySince == nil:
		return v1alpha1.MachineInstalling
	case m.Rebuilding() && !isEmptied(m):
		return v1alpha1.MachineDraining
	case m.Rebuilding():
		return v1alpha1.MachineInstalling
	case isReady(status.Node) && !isLost(status):
		return v1alpha1.MachineReady
	default:
		return v1alpha1.MachineNotReady
	}
}
