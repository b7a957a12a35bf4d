package nodepool

import (
	"fmt"
	"hash/fnv"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/operation"
)

// renewal is a Machine whose server is made anew as it is, in place of being given up.
type renewal struct {
	uid types.UID
	id  string
}

// renews reports whether the server of a Machine is made anew as it is.
func (w wish) renews(m v1alpha1.Machine) bool { return w.renew.uid != "" && w.renew.uid == m.UID }

// keeps reports whether a Machine is to stay in the pool. What is to be replaced by one of another
// kind is not made anew before.
func (w wish) keeps(m v1alpha1.Machine) bool { return w.isCurrent(m) || w.rebuilds(m) }

// renewalOf is the id of the rebuild that a Heal asks for. Who is restarted finds the same.
func renewalOf(op *v1alpha1.Operation) string {
	h := fnv.New64a()
	fmt.Fprint(h, op.UID)
	return fmt.Sprintf("%016x", h.Sum64())
}

// renewable reports whether the server of a node that is lost can be made anew: it is there, in
// a state of which Nova does so, boots from no volume, and that has not just come to nothing.
func renewable(m *v1alpha1.Machine) bool {
	c := serverReady(*m)
	state := c != nil && (c.Status == metav1.ConditionTrue || c.Status == metav1.ConditionFalse && c.Reason == reasonServerError)
	return state && m.Spec.Template.DiskGiB == 0 && !m.Rebuilding()
}

// renewed is the Machine that a Heal has made anew, or is at it; nil for none.
func (r repairs) renewed(op *v1alpha1.Operation) *v1alpha1.Machine {
	for i := range r.machines {
		m := &r.machines[i]
		if op.Spec.Type == v1alpha1.OperationHeal && m.Spec.Rebuild != nil && m.Spec.Rebuild.ID == renewalOf(op) && slices.Contains(op.Spec.Nodes, m.Name) {
			return m
		}
	}
	return nil
}

// renewalSteps are those of a Heal that makes a server anew.
func renewalSteps(m *v1alpha1.Machine) []operation.Step {
	return []operation.Step{
		{Name: "Server made anew", Done: !m.Rebuilding(), Message: said(m)},
		{Name: "Nodes ready", Done: isReady(*m), Message: said(m)},
	}
}

// judgeRenewal is how a Heal is that makes a server anew, and what is to be said of it. Once that
// has begun nothing else ends it: there is no server any more that could be left as it was.
func (r repairs) judgeRenewal(op *v1alpha1.Operation, m *v1alpha1.Machine) (v1alpha1.OperationPhase, string) {
	steps := renewalSteps(m)
	left := operation.LeftOver(steps)
	switch {
	case r.facts.Deleting:
		return v1alpha1.OperationCancelled, "overtaken: the node pool is being deleted" + left
	case operation.AllDone(steps):
		return v1alpha1.OperationSucceeded, fmt.Sprintf("the server of %s has been made anew: %s", m.Name, op.Spec.Reason)
	case m.DeletionTimestamp != nil:
		return v1alpha1.OperationCancelled, "overtaken: the node is being removed" + left
	case failing(*m):
		return v1alpha1.OperationFailed, "the node has not come back, and is replaced next: " + said(m) + left
	case r.late(op):
		return v1alpha1.OperationFailed, fmt.Sprintf("not done within %s%s", operation.Took(r.limit(op)), left)
	}
	return v1alpha1.OperationRunning, ""
}
