package node

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// longest is how much of what a tenant says is taken into status.
const longest = 512

// observe writes down what the node of a Machine is, or nil where there is none.
func observe(m *v1alpha1.Machine, node *corev1.Node, now time.Time) {
	if node == nil {
		forget(m.Status.Node, now)
		return
	}
	if m.Status.Node == nil {
		m.Status.Node = &v1alpha1.MachineNode{}
	}
	known := m.Status.Node
	if known.UID != node.UID {
		// What its kubelet has registered it with may not be wanted any more.
		known.AppliedLabels, known.AppliedTaints = slices.Clone(m.Status.UserDataLabels), slices.Clone(m.Status.UserDataTaints)
	}
	ready, since := known.Ready, known.Since
	known.UID, known.Ready, known.Since, known.Message = node.UID, false, nil, "the node does not tell whether it is ready"
	if c := readiness(node); c != nil {
		known.Ready, known.Message = c.Status == corev1.ConditionTrue, shortened(c.Message)
		if !c.LastTransitionTime.IsZero() {
			known.Since = c.LastTransitionTime.DeepCopy()
		}
	}
	if known.Ready {
		known.Message = ""
	}
	if known.Ready != ready || !known.Since.Equal(since) || !isPast(known.ChangedAt, now) {
		known.ChangedAt = at(now)
	}
}

// at is a time as status can hold it.
func at(now time.Time) *metav1.Time { return &metav1.Time{Time: now.Truncate(time.Second)} }

// isPast reports whether there is a time that is over. A clock that was set back, or that of
// another manager, leaves ones behind that are not; a minute is no matter.
func isPast(when *metav1.Time, now time.Time) bool {
	return when != nil && !when.After(now.Add(time.Minute))
}

// forget notes that a node is gone that there was.
func forget(known *v1alpha1.MachineNode, now time.Time) {
	if known == nil || known.UID == "" && (known.Since == nil || isPast(known.ChangedAt, now)) {
		return
	}
	seen := at(now)
	if known.Ready || known.Since == nil {
		known.Since = seen
	}
	if known.Ready || !isPast(known.ChangedAt, now) {
		known.ChangedAt = seen
	}
	known.UID, known.Ready, known.Message = "", false, "the node is no longer in the cluster: it comes back when its server is rebooted"
	known.AppliedLabels, known.AppliedTaints = nil, nil
}

// checked notes that the tenant has been asked for the node of a Machine, when somebody wants
// to know: that was before it was read here. Of one of which nothing is known nobody does.
func checked(m *v1alpha1.Machine, asked time.Time) {
	after, n := m.Spec.CheckAfter, m.Status.Node
	if after == nil || n == nil || n.Checked.Answers(after) {
		return
	}
	n.Checked = &v1alpha1.MachineCheck{After: *after, At: metav1.NewTime(asked.Truncate(time.Second))}
}

// missedLife is how old status.node.missed may become.
const missedLife = time.Minute

// missed notes that the tenant has been asked, and has told that a node is not Ready although its
// time is over: it is nobody's word that there is none while the tenant cannot be asked.
func missed(m *v1alpha1.Machine, asked time.Time) {
	deadline, n := m.Deadline(), m.Status.Node
	over := deadline != nil && !asked.Before(deadline.Time)
	switch {
	case n != nil && (n.Ready || !over):
		n.Missed = nil
		return
	case !over:
		return
	case n == nil:
		n = &v1alpha1.MachineNode{}
		m.Status.Node = n
	}
	if !isPast(n.Missed, asked) || asked.Sub(n.Missed.Time) >= missedLife {
		n.Missed = at(asked)
	}
}

// readiness is the condition Ready of a node, or nil.
func readiness(node *corev1.Node) *corev1.NodeCondition {
	for i := range node.Status.Conditions {
		if node.Status.Conditions[i].Type == corev1.NodeReady {
			return &node.Status.Conditions[i]
		}
	}
	return nil
}

// shortened is what a tenant says, with a limit.
func shortened(text string) string {
	runes := []rune(text)
	if len(runes) <= longest {
		return text
	}
	return string(runes[:longest-1]) + "…"
}
