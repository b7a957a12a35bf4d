package node

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/guard"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// drainTimeout is for Machines that do not have one (features P20).
const drainTimeout = 10 * time.Minute

// endTimeout is how long pods are waited for that were deleted because the drain time-out was
// over. It is what pods get to end unless they say otherwise.
const endTimeout = 30 * time.Second

// timeoutOf is how long PodDisruptionBudgets are respected.
func timeoutOf(m *v1alpha1.Machine) time.Duration {
	if s := m.Spec.DrainTimeoutSeconds; s != nil {
		return time.Duration(*s) * time.Second
	}
	return drainTimeout
}

// empty drains the node of a Machine that is deleted, until its server may be deleted as well.
func (r *Reconciler) empty(ctx context.Context, s *scope, m, before *v1alpha1.Machine) (time.Duration, error) {
	if s.tenant != nil {
		observe(m, s.nodes[m.Name], r.Now())
	}
	if m.Status.Node == nil {
		m.Status.Node = &v1alpha1.MachineNode{}
	}
	forgetRebuild(m.Status.Node)
	if !m.Status.Node.Drained {
		if err := r.drain(ctx, s, m, before); err != nil {
			return 0, err
		}
	}
	if err := reconcile.PatchStatus(ctx, r.Client, before, m); err != nil {
		return 0, err
	}
	if m.Status.Node.Drained {
		// An event tells when the server is gone.
		return calm, nil
	}
	return s.soon, nil
}

// drain gets on with a drain, or finds that there is nothing to do or to wait for.
func (r *Reconciler) drain(ctx context.Context, s *scope, m, before *v1alpha1.Machine) error {
	going, err := r.going(ctx, s, m)
	if err != nil {
		return err
	}
	n := m.Status.Node
	node := s.nodes[m.Name]
	switch {
	case going:
		drained(n, "not drained: the cluster is deleted as well")
		return nil
	case s.tenant == nil && mayHaveNode(m):
		r.unanswered(m)
		return nil
	case node == nil:
		drained(n, "")
		return nil
	}
	if goes, err := r.mayMove(ctx, s, m); err != nil || !goes {
		return err
	}
	if n.DrainStartedAt == nil {
		if err := r.begin(ctx, m, before); err != nil {
			return err
		}
	}
	if err := r.move(ctx, s, m, node); err != nil {
		ctrl.LoggerFrom(ctx).Info("a node cannot be drained", "node", node.Name, "error", shortened(err.Error()))
		r.unanswered(m)
	}
	return nil
}

// mayMove reports whether the pods of a node are to be moved now. If not, it says in the Machine
// what is waited for, or why they need not be.
func (r *Reconciler) mayMove(ctx context.Context, s *scope, m *v1alpha1.Machine) (bool, error) {
	if err := r.askPools(ctx, s); err != nil {
		return false, err
	}
	n := m.Status.Node
	if n.DrainStartedAt == nil {
		if why := s.waits(m, r.Now()); why != "" {
			n.DrainMessage = why
			return false, nil
		}
	}
	if !s.refuge(m, n.DrainStartedAt != nil) {
		drained(n, "not drained: there is no other node for its pods")
		return false, nil
	}
	return true, nil
}

// going reports whether the tenant itself goes. A control plane that is deleted though its
// Cluster is not goes on as it is.
func (r *Reconciler) going(ctx context.Context, s *scope, m *v1alpha1.Machine) (bool, error) {
	if !s.hosted {
		return true, nil
	}
	if s.deleted == nil {
		err := guard.ClusterDeleted(ctx, r.Live, m.Spec.ClusterRef, "the node is drained")
		if err != nil && reconcile.As(err).Kind != reconcile.KindWait {
			return false, err
		}
		deleted := err == nil
		s.deleted = &deleted
	}
	return *s.deleted, nil
}

// mayHaveNode reports whether there was ever anything of a Machine that could be a node.
func mayHaveNode(m *v1alpha1.Machine) bool {
	return m.Status.ProjectID != "" || m.Status.Node != nil && m.Status.Node.UID != ""
}

// begin writes down that the drain begins now. A pass with an old copy of the Machine, which
// may have begun it earlier, is overtaken.
func (r *Reconciler) begin(ctx context.Context, m, before *v1alpha1.Machine) error {
	m.Status.Node.DrainStartedAt, m.Status.Node.WaitsSince = at(r.Now()), nil
	patch := client.MergeFromWithOptions(before.DeepCopy(), client.MergeFromWithOptimisticLock{})
	if err := r.Client.Status().Patch(ctx, m, patch, client.FieldOwner(v1alpha1.FieldOwner)); err != nil {
		return fmt.Errorf("writing when the drain began: %w", err)
	}
	m.DeepCopyInto(before)
	return nil
}

// unanswered waits for a tenant that cannot be asked, for as long as a drain may take.
func (r *Reconciler) unanswered(m *v1alpha1.Machine) {
	end := m.DeletionTimestamp.Add(timeoutOf(m))
	switch n := m.Status.Node; {
	case n.DrainStartedAt != nil:
		end = n.DrainStartedAt.Add(timeoutOf(m))
	case n.WaitsSince != nil:
		end = endOfWait(m).Add(timeoutOf(m))
	}
	if r.Now().Before(end) {
		m.Status.Node.DrainMessage = "the tenant's API server does not answer: it is waited for until " + end.UTC().Format(time.RFC3339)
		return
	}
	drained(m.Status.Node, "not drained: the tenant's API server has not answered until the drain time-out")
}

// drained says that nobody has to wait any more, and why if that is not because no pod is left.
func drained(n *v1alpha1.MachineNode, why string) { n.Drained, n.DrainMessage = true, why }

// remove deletes the node of a Machine whose server is gone, and lets the Machine go.
func (r *Reconciler) remove(ctx context.Context, s *scope, m, before *v1alpha1.Machine) (time.Duration, error) {
	if !r.deleteNode(ctx, s, m) {
		going, err := r.going(ctx, s, m)
		if err != nil {
			return 0, err
		}
		if !going {
			if m.Status.Node == nil {
				m.Status.Node = &v1alpha1.MachineNode{}
			}
			m.Status.Node.DrainMessage = "the node will be deleted when the tenant's API server answers"
			return s.soon, reconcile.PatchStatus(ctx, r.Client, before, m)
		}
	}
	return 0, reconcile.SetFinalizer(ctx, r.Client, m, before, controllerutil.RemoveFinalizer, v1alpha1.NodeFinalizer)
}

// deleteNode deletes the node that was the Machine's, and reports whether that is done. With
// the server gone, another one of its name is somebody else's.
func (r *Reconciler) deleteNode(ctx context.Context, s *scope, m *v1alpha1.Machine) bool {
	if s.tenant == nil {
		return !mayHaveNode(m)
	}
	node := s.nodes[m.Name]
	if node == nil || m.Status.Node != nil && m.Status.Node.UID != "" && m.Status.Node.UID != node.UID {
		return true
	}
	ctx, cancel := s.within(ctx)
	defer cancel()
	err := s.tenant.CoreV1().Nodes().Delete(ctx, node.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &node.UID}})
	if client.IgnoreNotFound(err) != nil {
		ctrl.LoggerFrom(ctx).Info("a node cannot be deleted", "node", node.Name, "error", shortened(err.Error()))
		return false
	}
	return true
}
