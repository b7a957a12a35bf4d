package nodepool

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

const (
	// checkLife is how long an answer of the tenant and the cloud is taken for how it is now.
	checkLife = 2 * time.Minute
	// guardInterval is how often it is looked again what keeps nodes from being healed, where
	// nobody tells of it.
	guardInterval = time.Minute
)

// health is what a diagnosis is made from.
type health struct {
	spec v1alpha1.NodePoolSpec
	// machines are those of the pool, and fleet are those of all pools of the Cluster.
	machines, fleet []v1alpha1.Machine
	// cluster is nil without one.
	cluster *v1alpha1.Cluster
	// busy is what the pool does that changes its nodes; empty for nothing.
	busy string
	// held is why no node can be made.
	held error
	now  time.Time
}

// diagnosis is what becomes of nodes that have been Ready and are not.
type diagnosis struct {
	// heal is the one that is given up now, and ask the one that the tenant and the cloud are
	// asked for before that.
	heal, ask *v1alpha1.Machine
	// reason and message are those of the condition Healthy; without a reason it is True.
	reason, message string
	// paused is whether something keeps nodes from being healed.
	paused bool
	// again is when another diagnosis is needed; zero is with the next event.
	again time.Duration
}

// diagnose finds the node to be healed, at most one. That is the one which has not been Ready
// for longest, from its last transition, or from when the control plane came back, without
// which no node can tell how it is, or the first of all nodes did. Nothing is healed
//
//  1. that is not wanted to be, or while the pool changes its nodes, or can make none
//  2. while the control plane is away or changes
//  3. while all nodes of the Cluster seem to be dead, of more than one: that is more likely
//     the way between them and the control plane
//  4. while too many of the pool are
//  5. before the tenant and the cloud have been asked once more: they may have been out of
//     reach, and the Machine be of how it was then
func diagnose(h health) diagnosis {
	lost := unwell(h.machines)
	if len(lost) == 0 {
		return diagnosis{}
	}
	timeout := notReadyTimeout(h.spec)
	back := later(controlPlaneSince(h.cluster), revived(h.fleet))
	due := func(m *v1alpha1.Machine) time.Time { return later(m.Status.Node.Since.Time, back).Add(timeout) }
	first := slices.MinFunc(lost, func(a, b *v1alpha1.Machine) int {
		return cmp.Or(due(a).Compare(due(b)), cmp.Compare(a.Name, b.Name))
	})
	words := fmt.Sprintf("node %s has not been Ready since %s", first.Name, stamp(first.Status.Node.Since.Time))
	if len(lost) > 1 {
		words += fmt.Sprintf(", and %d more are not", len(lost)-1)
	}
	if reason, why := h.guard(); reason != "" {
		return diagnosis{reason: reason, message: words + "; " + why, paused: reason != "AutoHealDisabled", again: guardInterval}
	}
	if wait := due(first).Sub(h.now); wait > 0 {
		return diagnosis{reason: "NodeNotReady", message: words + "; it is healed at " + stamp(due(first)), again: wait}
	}
	return h.check(first, words)
}

// guard is what keeps nodes from being healed, and why; empty for nothing.
func (h health) guard() (reason, why string) {
	if e := h.spec.AutoHeal.Enabled; e != nil && !*e {
		return "AutoHealDisabled", "autoHeal is not enabled: 'marina nodepool replace' replaces nodes by name"
	}
	const back = "it is healed when %s"
	switch {
	case h.cluster == nil || h.cluster.DeletionTimestamp != nil:
		return "ClusterDeleting", "nothing is healed in a cluster that is gone"
	case h.cluster.Status.Phase == v1alpha1.ClusterUpgrading, h.cluster.Status.Phase == v1alpha1.ClusterUpdating:
		return "ClusterBusy", fmt.Sprintf(back, "the control plane is as it is to be: the cluster is "+string(h.cluster.Status.Phase))
	case !reconcile.IsTrue(h.cluster.Status.Conditions, v1alpha1.ConditionControlPlaneReady):
		return "ControlPlaneNotReady", fmt.Sprintf(back, "the control plane is ready again")
	case h.busy != "":
		return "PoolBusy", fmt.Sprintf(back, h.busy)
	case h.held != nil:
		return "NoNodeCanBeMade", fmt.Sprintf(back, "another node can be made: "+reconcile.As(h.held).Message)
	}
	if all, ready := been(h.fleet); all > 1 && ready == 0 {
		return "AllNodesNotReady", fmt.Sprintf("none of the %d nodes of the cluster is Ready, so that none is replaced: see whether they reach the control plane, and whether the cloud is well; 'marina nodepool replace' replaces nodes all the same", all)
	}
	if missing, most := h.missing(), maxUnhealthy(h.spec); missing > most {
		return "TooManyUnhealthy", fmt.Sprintf("%d of %d nodes are missing or not Ready, and maxUnhealthy lets %d: raise it, or replace nodes by name with 'marina nodepool replace'", missing, replicas(h.spec), most)
	}
	return "", ""
}

// check has the tenant and the cloud asked for a node whose time is over, and gives it up when
// they have answered.
func (h health) check(m *v1alpha1.Machine, words string) diagnosis {
	after := m.Spec.CheckAfter
	if after == nil || after.After(h.now) {
		return diagnosis{ask: m, reason: "NodeNotReady", message: words + "; it is looked at once more", again: time.Second}
	}
	oldest := h.now
	for _, by := range []struct {
		at  *metav1.Time
		who string
	}{{m.Status.Node.CheckedAt, "the tenant's API server"}, {m.Status.CheckedAt, "the cloud"}} {
		if by.at == nil || by.at.Before(after) {
			return diagnosis{reason: "WaitingForAnswer", message: words + "; it is healed when " + by.who + " has told how it is"}
		}
		if by.at.Time.Before(oldest) {
			oldest = by.at.Time
		}
	}
	if h.now.Sub(oldest) > checkLife {
		return diagnosis{ask: m, reason: "NodeNotReady", message: words + "; it is looked at once more", again: time.Second}
	}
	return diagnosis{heal: m, reason: "Healing", message: words + "; it is being healed"}
}

// unwell are the nodes that have been Ready and are not, of servers that are there.
func unwell(machines []v1alpha1.Machine) (lost []*v1alpha1.Machine) {
	for i := range machines {
		m := &machines[i]
		if m.DeletionTimestamp == nil && m.Status.ReadySince != nil && !isReady(*m) && !serverGone(*m) && m.Status.Node != nil && m.Status.Node.Since != nil {
			lost = append(lost, m)
		}
	}
	return lost
}

// been is how many nodes there are that have been Ready, and how many of them are.
func been(fleet []v1alpha1.Machine) (all, ready int) {
	for _, m := range fleet {
		if m.DeletionTimestamp != nil || m.Status.ReadySince == nil || serverGone(m) {
			continue
		}
		all++
		if isReady(m) {
			ready++
		}
	}
	return all, ready
}

// revived is when the first of the nodes that are Ready became so. A node that was lost before
// that was so with all others, which come back one by one.
func revived(fleet []v1alpha1.Machine) (first time.Time) {
	for _, m := range fleet {
		if m.DeletionTimestamp != nil || m.Status.ReadySince == nil || !isReady(m) {
			continue
		}
		if m.Status.Node.Since == nil {
			return time.Time{}
		}
		if since := m.Status.Node.Since.Time; first.IsZero() || since.Before(first) {
			first = since
		}
	}
	return first
}

// missing is how many nodes the pool lacks.
func (h health) missing() int {
	live, ready := 0, 0
	for _, m := range h.machines {
		if m.DeletionTimestamp != nil {
			continue
		}
		live++
		if isReady(m) {
			ready++
		}
	}
	return max(live, replicas(h.spec)) - ready
}

// notReadyTimeout is how long a node may not be Ready; ten minutes is the default of the API.
func notReadyTimeout(spec v1alpha1.NodePoolSpec) time.Duration {
	if s := spec.AutoHeal.NotReadyTimeoutSeconds; s != nil {
		return time.Duration(*s) * time.Second
	}
	return 10 * time.Minute
}

// maxUnhealthy is how many nodes may be missing or not Ready for one to be healed. 40% is the
// default of the API.
func maxUnhealthy(spec v1alpha1.NodePoolSpec) int {
	most := intstr.FromString("40%")
	if spec.AutoHeal.MaxUnhealthy != nil {
		most = *spec.AutoHeal.MaxUnhealthy
	}
	if most.Type == intstr.Int {
		return most.IntValue()
	}
	percent, err := strconv.Atoi(strings.TrimSuffix(most.StrVal, "%"))
	if err != nil || percent <= 0 {
		return 0
	}
	return max(1, replicas(spec)*percent/100)
}

// controlPlaneSince is when the control plane became ready.
func controlPlaneSince(cluster *v1alpha1.Cluster) (never time.Time) {
	if cluster == nil {
		return never
	}
	c := meta.FindStatusCondition(cluster.Status.Conditions, v1alpha1.ConditionControlPlaneReady)
	if c == nil || c.Status != metav1.ConditionTrue {
		return never
	}
	return c.LastTransitionTime.Time
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
