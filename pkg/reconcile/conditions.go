package reconcile

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// SetCondition records the outcome of the step that a condition is about: True
// with the given message on success; Unknown while it waits, since not yet is not
// no; False on anything else, with the error's reason and message.
//
// It keeps the transition time when the status stays, and reports whether
// anything changed.
func SetCondition(conditions *[]metav1.Condition, conditionType string, generation int64, err error, done string) bool {
	c := metav1.Condition{Type: conditionType, ObservedGeneration: generation}
	switch e := As(err); {
	case e == nil:
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, "AsExpected", done
	case e.Kind == KindWait:
		c.Status, c.Reason, c.Message = metav1.ConditionUnknown, e.Reason, e.Message
		if known := meta.FindStatusCondition(*conditions, conditionType); known != nil && known.Status != metav1.ConditionUnknown {
			// Once it has been true or false, waiting means that it is not true now.
			c.Status = metav1.ConditionFalse
		}
	default:
		c.Status, c.Reason, c.Message = metav1.ConditionFalse, e.Reason, e.Message
	}
	return meta.SetStatusCondition(conditions, c)
}

// IsTrue reports whether a condition is present and True.
func IsTrue(conditions []metav1.Condition, conditionType string) bool {
	return meta.IsStatusConditionTrue(conditions, conditionType)
}
