package nodepool

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/operation"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// repairs are the Operations on single nodes. One runs at a time; where one does, a change of
// the spec does not wait for it.
type repairs struct {
	changes
	diagnosis diagnosis
	// change is the Operation that carries out the spec, nil if none runs; stalled is whether
	// that gets on no further before a node that is lost has gone.
	change  *v1alpha1.Operation
	stalled bool
	wish    wish
	held    error
	gate    error
}

func isRepair(op *v1alpha1.Operation) bool { return op.Spec.Type.IsOfNodes() }

// Wanted implements operation.Target: they are asked for, by users or by Marina.
func (repairs) Wanted() *operation.Wish { return nil }

// Merges implements operation.Target.
func (repairs) Merges(*v1alpha1.Operation) bool { return false }

// named are the nodes of an Operation that there are, by whether they go.
func (r repairs) named(op *v1alpha1.Operation) (live, going []*v1alpha1.Machine) {
	for i := range r.machines {
		m := &r.machines[i]
		switch {
		case !slices.Contains(op.Spec.Nodes, m.Name):
		case m.DeletionTimestamp == nil:
			live = append(live, m)
		default:
			going = append(going, m)
		}
	}
	return live, going
}

// Admit implements operation.Target.
func (r repairs) Admit(op *v1alpha1.Operation) (v1alpha1.OperationPhase, string) {
	reason := operation.CannotRetry(op, r.operations, "node pool")
	switch {
	case reason != "":
	case r.facts.Deleting:
		reason = "the node pool is being deleted"
	case r.gate != nil && op.Spec.Type != v1alpha1.OperationHeal: // of which the diagnosis tells
		reason = reconcile.As(r.gate).Message
	case r.change != nil && !r.stalled:
		reason = fmt.Sprintf("operation %s (%s) runs: wait until it has ended, and ask again", r.change.Name, r.change.Spec.Type)
	case firstRunning(r.operations) != nil:
		// It is refused by the name of that one.
	case (r.facts.Old > 0 || r.facts.Live > r.facts.Wanted) && !r.stalled && (!r.facts.GivenUp || op.Spec.Type != v1alpha1.OperationHeal):
		reason = "the nodes of the pool are being replaced or removed: wait until that has ended, and ask again"
	case op.Spec.Type == v1alpha1.OperationHeal:
		if reason := r.unhealed(op); reason != "" {
			return v1alpha1.OperationCancelled, reason
		}
	default:
		reason = r.unknown(op)
	}
	if reason == "" && r.held != nil && op.Spec.Type == v1alpha1.OperationReplaceNode {
		reason = "no other node can be made: " + reconcile.As(r.held).Message
	}
	if reason == "" {
		return "", ""
	}
	return v1alpha1.OperationFailed, reason
}

// unknown tells which of the nodes of an Operation the pool does not have. One that tries again
// what was done in part goes on with the rest.
func (r repairs) unknown(op *v1alpha1.Operation) string {
	live, _ := r.named(op)
	if len(live) == len(op.Spec.Nodes) || op.Spec.RetryOf != "" && len(live) > 0 {
		return ""
	}
	there, absent := sets.New[string](), sets.New(op.Spec.Nodes...)
	for _, m := range r.machines {
		if m.DeletionTimestamp == nil {
			there.Insert(m.Name)
		}
	}
	words := "it has none"
	if len(there) > 0 {
		words = "its nodes are " + strings.Join(sets.List(there), ", ")
	}
	return fmt.Sprintf("the pool has no node %s: %s", strings.Join(sets.List(absent.Difference(there)), ", "), words)
}

// unhealed is why nothing is left to be healed, of a Heal that has not begun. One that waits for
// an answer begins with that.
func (r repairs) unhealed(op *v1alpha1.Operation) string {
	live, _ := r.named(op)
	next := cmp.Or(r.diagnosis.heal, r.diagnosis.ask)
	for _, m := range live {
		if serverGone(*m) || r.diagnosis.waits || next != nil && next.UID == m.UID {
			return ""
		}
	}
	return "nothing is left to do: no node of these is to be healed now; ask for a ReplaceNode to have one replaced all the same"
}

// come is how many nodes there are that have been Ready, without those of an Operation.
func (r repairs) come(op *v1alpha1.Operation) (n int) {
	for _, m := range r.machines {
		if m.DeletionTimestamp == nil && m.Status.ReadySince != nil && !slices.Contains(op.Spec.Nodes, m.Name) {
			n++
		}
	}
	return n
}

// Steps implements operation.Target.
func (r repairs) Steps(op *v1alpha1.Operation) (steps []operation.Step, note string) {
	live, going := r.named(op)
	removed := operation.Step{Name: "Nodes removed", Done: len(live)+len(going) == 0, Message: "nodes are being emptied and deleted"}
	for _, m := range going {
		if text := said(m); text != "" {
			removed.Message = "node " + m.Name + ": " + text
			break
		}
	}
	// Another one that is lost meanwhile has its own turn.
	ready := operation.Step{Name: "Nodes ready", Done: r.come(op) >= r.facts.Wanted, Message: r.trouble}
	switch op.Spec.Type {
	case v1alpha1.OperationHeal:
		if m := r.renewed(op); m != nil {
			return renewalSteps(m), ""
		}
		return []operation.Step{{Name: "Nodes given up", Done: len(live) == 0}, ready, removed}, ""
	case v1alpha1.OperationEvictNode:
		return []operation.Step{{Name: "Pool made smaller", Done: isEvicted(r.pool, op)}, removed}, ""
	case v1alpha1.OperationRebootNode:
		return r.rebootSteps(op), ""
	default: // ReplaceNode
		return []operation.Step{{Name: "Nodes replaced", Done: len(live) == 0, Message: r.trouble}, removed, ready}, ""
	}
}

// Judge implements operation.Target.
func (r repairs) Judge(op *v1alpha1.Operation) (v1alpha1.OperationPhase, string) {
	if m := r.renewed(op); m != nil {
		return r.judgeRenewal(op, m)
	}
	steps, _ := r.Steps(op)
	left := operation.LeftOver(steps)
	live, _ := r.named(op)
	if isEvicted(r.pool, op) {
		live = nil // these go
	}
	if op.Spec.Type == v1alpha1.OperationRebootNode {
		if slices.Contains(r.reboots(op), nil) {
			return v1alpha1.OperationFailed, "a node is not there any more" + left
		}
		if name := r.overdue(op); name != "" {
			return v1alpha1.OperationFailed, fmt.Sprintf("node %s is not Ready %s after its turn%s", name, operation.Took(rebootTimeout), left)
		}
		live = r.unbegun(op)
	}
	rest, _ := r.rest()
	switch kind := op.Spec.Type; {
	case r.facts.Deleting:
		return v1alpha1.OperationCancelled, "overtaken: the node pool is being deleted" + left
	case operation.AllDone(steps) && !r.moved:
		return v1alpha1.OperationSucceeded, repaired(op)
	case len(live) > 0 && kind == v1alpha1.OperationHeal && r.diagnosis.heal == nil && r.diagnosis.ask == nil && !r.diagnosis.waits && !slices.ContainsFunc(live, isGone):
		return v1alpha1.OperationCancelled, cancelledHeal(r.diagnosis)
	case len(live) > 0 && rest > op.Status.Generation:
		return v1alpha1.OperationCancelled, "overtaken: the spec has changed" + leftNodes(live)
	case len(live) > 0 && r.gate != nil && op.Spec.Type != v1alpha1.OperationHeal:
		return v1alpha1.OperationCancelled, "overtaken: " + reconcile.As(r.gate).Message + leftNodes(live)
	case len(live) > 0 && op.Spec.Cancel:
		return v1alpha1.OperationCancelled, "cancelled" + leftNodes(live)
	case r.givenUpOn(op):
		return v1alpha1.OperationFailed, "another node has not come: " + r.trouble + left
	case r.late(op):
		return v1alpha1.OperationFailed, fmt.Sprintf("not done within %s%s", operation.Took(r.limit(op)), left)
	}
	return v1alpha1.OperationRunning, ""
}

// givenUpOn reports whether a ReplaceNode gets on no further, as the new nodes do not come.
func (r repairs) givenUpOn(op *v1alpha1.Operation) bool {
	w := r.wish
	w.outdated = op.Spec.Nodes
	return op.Spec.Type == v1alpha1.OperationReplaceNode && w.isGivenUp(r.machines)
}

func isGone(m *v1alpha1.Machine) bool { return serverGone(*m) }

// cancelledHeal is why a node is not healed after all, that was to be.
func cancelledHeal(d diagnosis) string {
	if d.reason == "" {
		return "not needed any more: all nodes are Ready again"
	}
	return "put off: " + d.message
}

// leftNodes names those that stay as they were, as the end of a sentence.
func leftNodes(live []*v1alpha1.Machine) string {
	var names []string
	for _, m := range live {
		names = append(names, m.Name)
	}
	slices.Sort(names)
	return "; left as they were: " + strings.Join(names, ", ")
}

// repaired is the last word on an Operation that has done what it was to do.
func repaired(op *v1alpha1.Operation) string {
	words := success(op)
	if op.Spec.Reason != "" {
		words += ": " + op.Spec.Reason
	}
	return words
}
