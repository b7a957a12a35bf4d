package node

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// isLeaving reports whether the node of a Machine is emptied, or about to be. One that has come
// back from a rebuild is not.
func isLeaving(m *v1alpha1.Machine) bool {
	if m.DeletionTimestamp != nil {
		return true
	}
	return m.Rebuilding() && (m.Status.Node == nil || m.Status.Node.Rebuilt != m.Spec.Rebuild.ID)
}

// hasBegun reports whether pods of a node that is emptied have been moved already, or need not be.
func hasBegun(m *v1alpha1.Machine) bool {
	n := m.Status.Node
	return n != nil && (n.DrainStartedAt != nil || n.Drained)
}

// comes reports whether there will be a node that takes pods in place of what there is of a
// Machine: its server is made anew, is its first and does not fail, or its pool makes another.
func (s *scope) comes(m *v1alpha1.Machine) bool {
	switch {
	case m.DeletionTimestamp != nil:
		return s.replaced[m.Spec.PoolRef.UID]
	case m.Rebuilding():
		return true
	}
	return m.Status.ReadySince == nil && !meta.IsStatusConditionFalse(m.Status.Conditions, v1alpha1.ConditionReady)
}

// others are the Machines by the names of their nodes, without m, and whether a node comes that
// is worth to be waited for, be it that of m.
func (s *scope) others(m *v1alpha1.Machine) (others map[string]*v1alpha1.Machine, comes bool) {
	others = map[string]*v1alpha1.Machine{}
	for i := range s.machines {
		x := &s.machines[i]
		comes = comes || s.comes(x)
		if x.Name != m.Name {
			others[x.Name] = x
		}
	}
	return others, comes
}

// steady reports whether there is a node that takes pods, and that nobody is about to empty.
func (s *scope) steady() bool {
	leaving := map[string]bool{}
	for i := range s.machines {
		leaving[s.machines[i].Name] = isLeaving(&s.machines[i])
	}
	for _, node := range s.nodes {
		if !leaving[node.Name] && node.DeletionTimestamp == nil && takesPods(node) {
			return true
		}
	}
	return false
}

// refuge reports whether there are other nodes on which the pods of a node that leaves can run,
// or will be; once the drain has begun, whether there are any: they may be Ready again before it
// ends. A node that is itself about to leave is one while it waits for its turn.
func (s *scope) refuge(m *v1alpha1.Machine, begun bool) bool {
	others, comes := s.others(m)
	for _, x := range others {
		if s.comes(x) {
			return true
		}
	}
	for _, node := range s.nodes {
		if node.Name == m.Name || node.DeletionTimestamp != nil {
			continue
		}
		if x := others[node.Name]; x != nil && isLeaving(x) && (!comes || hasBegun(x)) {
			continue
		}
		if begun || takesPods(node) {
			return true
		}
	}
	return false
}

// ahead is the Machine whose turn it is before m, nil if m waits for none. Where no node takes
// pods but such as are to leave, and one will come, they leave one after the other: those that
// have begun, then by name. What is lost waits for nobody, since no pod is saved by that.
func (s *scope) ahead(m *v1alpha1.Machine) (first *v1alpha1.Machine) {
	others, comes := s.others(m)
	if !comes || !isReady(s.nodes[m.Name]) || s.steady() {
		return nil
	}
	for _, x := range others {
		ready := isReady(s.nodes[x.Name])
		switch {
		case first != nil && first.Name < x.Name:
		case !s.comes(x) && (!isLeaving(x) || !ready):
			// Nothing becomes of it, and it has no use for the node of m.
		case !isLeaving(x), hasBegun(x), !ready, x.Name < m.Name:
			first = x
		}
	}
	return first
}

// waits tells what a node that has not begun to be emptied waits for, empty if for nothing, or
// not any longer: another one has had the most that its emptying takes, and as much again as
// that of m to come back.
func (s *scope) waits(m *v1alpha1.Machine, now time.Time) string {
	n, x := m.Status.Node, s.ahead(m)
	if x == nil {
		n.WaitsSince = nil
		return ""
	}
	if n.WaitsSince == nil {
		n.WaitsSince = at(now)
	}
	end := endOfWait(m)
	if !now.Before(end) {
		return ""
	}
	what := "becomes a node"
	switch {
	case x.DeletionTimestamp != nil && s.comes(x):
		what = "is replaced"
	case x.DeletionTimestamp != nil:
		what = "is emptied and removed"
	case x.Rebuilding():
		what = "is emptied and made anew"
	}
	return fmt.Sprintf("waiting while %s %s, until %s at the latest: no other node takes pods", x.Name, what, end.UTC().Format(time.RFC3339))
}

// endOfWait is when a node that waits for its turn does not any longer.
func endOfWait(m *v1alpha1.Machine) time.Time {
	return m.Status.Node.WaitsSince.Add(drainTimeout + endTimeout + timeoutOf(m))
}

// askPools finds out which pools make another node in place of one that is deleted, where that
// matters: no node takes pods that stays.
func (r *Reconciler) askPools(ctx context.Context, s *scope) error {
	if s.replaced != nil || s.steady() {
		return nil
	}
	live, pools := map[types.UID]int32{}, map[types.UID]*v1alpha1.Machine{}
	for i := range s.machines {
		m := &s.machines[i]
		if m.DeletionTimestamp == nil {
			live[m.Spec.PoolRef.UID]++
		} else {
			pools[m.Spec.PoolRef.UID] = m
		}
	}
	replaced := map[types.UID]bool{}
	for uid, m := range pools {
		pool := &v1alpha1.NodePool{}
		err := r.Live.Get(ctx, client.ObjectKey{Namespace: m.Spec.ClusterRef.Namespace, Name: m.Spec.PoolRef.Name}, pool)
		if apierrors.IsNotFound(err) {
			continue
		} else if err != nil {
			return fmt.Errorf("looking whether a node is replaced: %w", err)
		}
		replaced[uid] = pool.UID == uid && pool.DeletionTimestamp == nil && live[uid] < pool.WantedReplicas()
	}
	s.replaced = replaced
	return nil
}

func takesPods(node *corev1.Node) bool { return !node.Spec.Unschedulable && isReady(node) }

// isReady reports whether there is a node, and it says that it is Ready.
func isReady(node *corev1.Node) bool {
	if node == nil {
		return false
	}
	ready := readiness(node)
	return ready != nil && ready.Status == corev1.ConditionTrue
}
