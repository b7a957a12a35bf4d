package nodepool

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// lasting is how long a node has to be Ready to count as good when it is lost after it.
const lasting = time.Hour

// check has the tenant and the cloud asked for a node whose time is over, and gives it up when
// they have answered.
func (h health) check(m *v1alpha1.Machine, words string) diagnosis {
	after := m.Spec.CheckAfter
	if after == nil || after.After(h.now) {
		return h.lookAgain(m, words)
	}
	oldest := h.now
	for _, by := range []struct {
		last *v1alpha1.MachineCheck
		who  string
	}{{m.Status.Node.Checked, "the tenant's API server"}, {m.Status.Checked, "the cloud"}} {
		if !by.last.Answers(after) {
			return diagnosis{waits: true, reason: "WaitingForAnswer", message: words + "; it is healed when " + by.who + " has told how it is"}
		}
		at := by.last.At.Time
		if at.Before(after.Time) || at.After(h.now) {
			at = after.Time // the clock of who has looked is another one; it was after that
		}
		if at.Before(oldest) {
			oldest = at
		}
	}
	if h.now.Sub(oldest) > checkLife {
		return h.lookAgain(m, words)
	}
	return diagnosis{heal: m, reason: "Healing", message: words + "; it is being healed"}
}

func (h health) lookAgain(m *v1alpha1.Machine, words string) diagnosis {
	return diagnosis{ask: m, reason: "NodeNotReady", message: words + "; it is looked at once more", again: time.Second}
}

// unclear is what the cloud says of a server that says nothing of its node: somebody does
// something with it, which may end well. Empty if it runs, or does not for good.
func unclear(m *v1alpha1.Machine) string {
	switch c := serverReady(*m); {
	case c == nil:
		return "nothing is known of it"
	case c.Status == metav1.ConditionUnknown, c.Status == metav1.ConditionFalse && c.Reason == reasonServerNotActive:
		return c.Message
	}
	return ""
}

// condemned reports whether somebody else than the node says that it is lost: the cloud of its
// server, or an API server that answers and has no such Node.
func condemned(m *v1alpha1.Machine) bool {
	c := serverReady(*m)
	bad := c != nil && c.Status == metav1.ConditionFalse && (c.Reason == reasonServerError || c.Reason == reasonServerStopped)
	return bad || m.Status.Node.UID == ""
}

// changedAt is when the node of a Machine was seen to become what it is.
func changedAt(m *v1alpha1.Machine) time.Time { return m.Status.Node.ChangedAt.Time }

// unwell are the nodes that have been Ready and are not, of servers that are there. Of one of
// which it has not been seen since when, the time has not begun. One whose server is being made
// anew is away because of that, unless it does not come back.
func unwell(machines []v1alpha1.Machine) (lost []*v1alpha1.Machine) {
	for i := range machines {
		m := &machines[i]
		if m.DeletionTimestamp == nil && m.Status.ReadySince != nil && (!m.Rebuilding() || failing(*m)) && !isReady(*m) && !serverGone(*m) && m.Status.Node != nil && m.Status.Node.ChangedAt != nil {
			lost = append(lost, m)
		}
	}
	return lost
}

// been is how many nodes there are that have been Ready, and how many of them are. One that goes
// away has been one, and is no sign of life: nobody has to look at it any more.
func been(fleet []v1alpha1.Machine) (all, ready int) {
	for _, m := range fleet {
		if m.Status.ReadySince == nil || serverGone(m) {
			continue
		}
		all++
		if m.DeletionTimestamp == nil && isReady(m) {
			ready++
		}
	}
	return all, ready
}

// melted reports whether none of the nodes that there are is Ready any more: more likely the way
// between them and the control plane is lost than all of them. It takes more than one to say so.
func melted(fleet []v1alpha1.Machine) (all int, dead bool) {
	all, ready := been(fleet)
	return all, all > 1 && ready == 0
}

// revived is when the first of the nodes that are Ready became so. A node that was lost before
// that was so with all others, which come back one by one.
func revived(fleet []v1alpha1.Machine) (first time.Time) {
	for _, m := range fleet {
		if m.DeletionTimestamp != nil || m.Status.ReadySince == nil || !isReady(m) {
			continue
		}
		if m.Status.Node.ChangedAt == nil {
			return time.Time{}
		}
		if since := m.Status.Node.ChangedAt.Time; first.IsZero() || since.Before(first) {
			first = since
		}
	}
	return first
}

// inVain is how many Heals have been since the last node became Ready that is so, or was for
// long, and since anybody asked for something else of the pool. Running is the Heal that it is
// asked for. It follows from what is written down: a restart begins nothing anew.
func inVain(operations []*v1alpha1.Operation, machines []v1alpha1.Machine, running *v1alpha1.Operation) (n int) {
	var anew time.Time
	for i := range machines {
		if m := &machines[i]; m.Status.ReadySince != nil && hasLasted(m) {
			anew = later(anew, begun(m))
		}
	}
	for _, op := range operations {
		if at := op.Status.StartedAt; at != nil && op.Spec.Type != v1alpha1.OperationHeal {
			anew = later(anew, at.Time)
		}
	}
	for _, op := range operations {
		at := op.Status.StartedAt
		if op != running && op.Spec.Type == v1alpha1.OperationHeal && at != nil && !at.Time.Before(anew) && op.Status.Phase != v1alpha1.OperationCancelled {
			n++
		}
	}
	return n
}

// hasLasted reports whether a node is Ready, or was so for long.
func hasLasted(m *v1alpha1.Machine) bool {
	n := m.Status.Node
	return m.DeletionTimestamp == nil && isReady(*m) || n != nil && n.ChangedAt != nil && n.ChangedAt.Sub(begun(m)) >= lasting
}

// begun is when a node became what it is: for the first time, or since its server was made anew.
func begun(m *v1alpha1.Machine) time.Time {
	if at := m.Status.RebuiltAt; at != nil {
		return later(m.Status.ReadySince.Time, at.Time)
	}
	return m.Status.ReadySince.Time
}
