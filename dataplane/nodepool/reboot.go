package nodepool

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/operation"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// staleness is how long a node may be taken for Ready whose kubelet has ended: longer than a
// controller-manager waits for a sign of it.
const staleness = time.Minute

// rebootTimeout is how long a node may take from the turn that it has to Ready. An Operation
// that waits for longer would keep others from being healed.
const rebootTimeout = 15 * time.Minute

// reboots are those of the nodes of an Operation, in its order; nil for one that is not there.
func (r repairs) reboots(op *v1alpha1.Operation) []*v1alpha1.Machine {
	all := make([]*v1alpha1.Machine, len(op.Spec.Nodes))
	for i, name := range op.Spec.Nodes {
		for j := range r.machines {
			if m := &r.machines[j]; m.Name == name && m.DeletionTimestamp == nil {
				all[i] = m
			}
		}
	}
	return all
}

// rebooted reports whether a node is Ready after its reboot, and nobody remembers how it was
// before.
func rebooted(m *v1alpha1.Machine, op *v1alpha1.Operation) bool {
	sure := sureAfter(m, op)
	after := m.Spec.CheckAfter
	return !sure.IsZero() && isReady(*m) && after != nil && !after.Time.Before(sure) && m.Status.Node.Checked.Answers(after)
}

// sureAfter is from when on a node that is Ready has become so after its reboot; zero while that
// is not done.
func sureAfter(m *v1alpha1.Machine, op *v1alpha1.Operation) (never time.Time) {
	last := m.Status.Reboot
	if last == nil || last.Request != string(op.UID) || last.DoneAt == nil {
		return never
	}
	return last.DoneAt.Add(staleness)
}

// rebootSteps are one for each node.
func (r repairs) rebootSteps(op *v1alpha1.Operation) (steps []operation.Step) {
	for i, m := range r.reboots(op) {
		st := operation.Step{Name: "Node " + op.Spec.Nodes[i], Message: "the node is not there any more"}
		if m != nil {
			st.Done = rebooted(m, op)
			st.Message = "the server is being rebooted"
			if !sureAfter(m, op).IsZero() {
				st.Message = "the server has been rebooted: waiting until the node is Ready"
			}
		}
		steps = append(steps, st)
	}
	return steps
}

// unbegun are the nodes whose reboot has not begun.
func (r repairs) unbegun(op *v1alpha1.Operation) (left []*v1alpha1.Machine) {
	for _, m := range r.reboots(op) {
		if m != nil && m.Spec.Reboot != string(op.UID) {
			left = append(left, m)
		}
	}
	return left
}

// overdue names the node that has had its turn and is not Ready, empty for none.
func (r repairs) overdue(op *v1alpha1.Operation) string {
	if op.Status.StartedAt == nil {
		return ""
	}
	for i, m := range r.reboots(op) {
		if m != nil && !rebooted(m, op) && r.now.Sub(op.Status.StartedAt.Time) > time.Duration(i+1)*rebootTimeout {
			return m.Name
		}
	}
	return ""
}

// reboot has the next node rebooted when the one before is Ready again. A request whose
// Operation has ended is withdrawn: the cloud may be able to carry it out hours later.
func (r *Reconciler) reboot(ctx context.Context, s *scope) error {
	op := s.reboots
	for i := range s.machines {
		m := &s.machines[i]
		if m.Spec.Reboot == "" || op != nil && m.Spec.Reboot == string(op.UID) {
			continue
		}
		before := m.DeepCopy()
		m.Spec.Reboot = ""
		if err := r.Client.Patch(ctx, m, client.MergeFrom(before), client.FieldOwner(v1alpha1.FieldOwner)); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("withdrawing the reboot of node %s: %w", m.Name, err)
		}
	}
	if op == nil {
		return nil
	}
	for _, m := range (repairs{changes: changes{machines: s.machines}}).reboots(op) {
		if m == nil || rebooted(m, op) {
			continue
		}
		before, now, sure := m.DeepCopy(), r.Now(), sureAfter(m, op)
		switch {
		case m.Spec.Reboot != string(op.UID):
			m.Spec.Reboot = string(op.UID)
		case sure.IsZero():
			return nil
		case now.Before(sure):
			s.again = reconcile.Earliest(s.again, sure.Sub(now)+time.Second)
			return nil
		case m.Spec.CheckAfter == nil || m.Spec.CheckAfter.Time.Before(sure):
			m.Spec.CheckAfter = &metav1.Time{Time: now.Truncate(time.Second)}
		default:
			return nil
		}
		err := r.Client.Patch(ctx, m, client.MergeFrom(before), client.FieldOwner(v1alpha1.FieldOwner))
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("having node %s rebooted: %w", m.Name, err)
		}
		return nil
	}
	return nil
}
