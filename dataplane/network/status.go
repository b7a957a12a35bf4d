package network

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// writeStatus computes the conditions from what a pass came to. While the cloud cannot be
// asked, what was found before stays, and so does Ready; the condition Reachable tells.
// Ready is False only while a person has to do something.
func writeStatus(s *scope, err error) {
	status, generation := &s.network.Status, s.network.Generation
	set := func(conditionType string, conditionStatus metav1.ConditionStatus, reason, message string) {
		meta.SetStatusCondition(&status.Conditions, metav1.Condition{
			Type: conditionType, Status: conditionStatus, Reason: reason, Message: message, ObservedGeneration: generation,
		})
	}
	e := reconcile.As(err)
	switch {
	case e == nil:
		set(v1alpha1.ConditionReachable, metav1.ConditionTrue, "AsExpected", "the cloud answers")
		set(v1alpha1.ConditionReady, metav1.ConditionTrue, "AsExpected", "nodes can have ports in the network")
		status.ObservedGeneration = generation
	case e.Kind == reconcile.KindRetry:
		set(v1alpha1.ConditionReachable, metav1.ConditionFalse, e.Reason, e.Message)
		if !reconcile.IsTrue(status.Conditions, v1alpha1.ConditionReady) {
			set(v1alpha1.ConditionReady, metav1.ConditionUnknown, e.Reason, e.Message)
		}
	case e.Kind == reconcile.KindWait:
		set(v1alpha1.ConditionReady, metav1.ConditionUnknown, e.Reason, e.Message)
	default:
		set(v1alpha1.ConditionReady, metav1.ConditionFalse, e.Reason, e.Message)
		status.ObservedGeneration = generation
	}
	if s.network.DeletionTimestamp != nil {
		reconcile.SetCondition(&status.Conditions, v1alpha1.ConditionDeleting, generation, err, "")
	}
}
