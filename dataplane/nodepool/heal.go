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
	checkLife = 30 * time.Second
	// guardInterval is how often it is looked again what keeps nodes from being healed, where
	// nobody tells of it.
	guardInterval = time.Minute
	// healsInVain is how many nodes in a row are replaced without one that stays Ready.
	healsInVain = 3
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
	// settled is when it is over for long enough what the pool has done last.
	settled time.Time
	// held is why no node can be made.
	held error
	// vain is how many Heals in a row have not brought a node that stays Ready.
	vain int
	now  time.Time
}

// diagnosis is what becomes of nodes that have been Ready and are not.
type diagnosis struct {
	// heal is the one that is given up now, and ask the one that the tenant and the cloud are
	// asked for before that.
	heal, ask *v1alpha1.Machine
	// waits is whether they have been asked, and have not answered yet.
	waits bool
	// reason and message are those of the condition Healthy; without a reason it is True.
	reason, message string
	// paused is whether something keeps nodes from being healed.
	paused bool
	// again is when another diagnosis is needed; zero is with the next event.
	again time.Duration
}

// ofAPerson reports whether nothing is healed before somebody sees to it.
func (d diagnosis) ofAPerson() bool {
	return slices.Contains([]string{"AutoHealDisabled", "AllNodesNotReady", "HealingStopped", "TooManyUnhealthy"}, d.reason)
}

// diagnose finds the node to be healed, at most one. That is the one which has not been Ready
// for longest, from when its last transition was seen, or from when the control plane came back,
// without which no node can tell how it is, or the first of all nodes did. Nothing is healed
//
//  1. that is not wanted to be, or while the pool changes its nodes and soon after, or can make none
//  2. while the control plane is away or changes
//  3. while all nodes of the Cluster seem to be dead: that is more likely the way between them
//     and the control plane. Of an only one the cloud may know better
//  4. while too many of the pool are, or others came to nothing
//  5. while the server is in a state that says nothing
//  6. before the tenant and the cloud have been asked once more: they may have been out of
//     reach, and the Machine be of how it was then
func diagnose(h health) diagnosis {
	lost := unwell(h.machines)
	if len(lost) == 0 {
		return beingRebuilt(h.machines)
	}
	timeout := notReadyTimeout(h.spec)
	back := later(since(h.cluster, v1alpha1.ConditionControlPlaneReady, v1alpha1.ConditionEtcdReady), revived(h.fleet))
	quiet := later(h.settled, since(h.cluster, v1alpha1.ConditionUpToDate).Add(settling))
	due := func(m *v1alpha1.Machine) time.Time { return later(later(changedAt(m), back).Add(timeout), quiet) }
	first := slices.MinFunc(lost, func(a, b *v1alpha1.Machine) int {
		return cmp.Or(due(a).Compare(due(b)), cmp.Compare(a.Name, b.Name))
	})
	words := fmt.Sprintf("node %s has not been Ready since %s", first.Name, stamp(changedAt(first)))
	if len(lost) > 1 {
		words += fmt.Sprintf(", and %d more are not", len(lost)-1)
	}
	if reason, why := h.guard(); reason != "" {
		return diagnosis{reason: reason, message: words + "; " + why, paused: reason != "AutoHealDisabled", again: guardInterval}
	}
	if wait := due(first).Sub(h.now); wait > 0 {
		return diagnosis{reason: "NodeNotReady", message: words + "; it is healed at " + stamp(due(first)), again: wait}
	}
	if _, ready := been(h.fleet); ready == 0 && !condemned(first) {
		return diagnosis{reason: "AllNodesNotReady", paused: true, again: guardInterval,
			message: words + "; no other node of the cluster is Ready, and the cloud says nothing against its server: see whether it reaches the control plane; 'marina nodepool replace' replaces it all the same"}
	}
	if text := unclear(first); text != "" {
		return diagnosis{reason: "ServerNotClear", paused: true, again: guardInterval,
			message: words + "; it is healed when its server is in a state that lasts: " + text}
	}
	return h.check(first, words)
}

// beingRebuilt tells of a node whose server is being made anew; nothing if there is none.
func beingRebuilt(machines []v1alpha1.Machine) diagnosis {
	for i := range machines {
		if m := &machines[i]; m.Rebuilding() && m.DeletionTimestamp == nil {
			return diagnosis{reason: "Rebuilding", message: fmt.Sprintf("the server of node %s is being made anew", m.Name)}
		}
	}
	return diagnosis{}
}

// guard is what keeps nodes from being healed, and why; empty for nothing.
func (h health) guard() (reason, why string) {
	if e := h.spec.AutoHeal.Enabled; e != nil && !*e {
		return "AutoHealDisabled", "autoHeal is not enabled: 'marina nodepool replace' replaces nodes by name"
	}
	if reason, why := controlPlane(h.cluster); reason != "" {
		return reason, why
	}
	if all, dead := melted(h.fleet); dead {
		return "AllNodesNotReady", fmt.Sprintf("none of the %d nodes of the cluster is Ready, so that none is replaced: see whether they reach the control plane, and whether the cloud is well; 'marina nodepool replace' replaces nodes all the same", all)
	}
	const back = "it is healed when %s"
	switch {
	case h.busy != "":
		return "PoolBusy", fmt.Sprintf(back, h.busy)
	case h.held != nil:
		return "NoNodeCanBeMade", fmt.Sprintf(back, "another node can be made: "+reconcile.As(h.held).Message)
	case h.vain >= healsInVain:
		return "HealingStopped", fmt.Sprintf("%d nodes in a row have been replaced, and no new one has stayed Ready: see what is wrong with them, correct it, and have it begin anew by 'marina nodepool resync' or a change of the pool", h.vain)
	}
	if missing, most := h.missing(), maxUnhealthy(h.spec); missing > most {
		return "TooManyUnhealthy", fmt.Sprintf("%d of %d nodes are missing or not Ready, and maxUnhealthy lets %d: raise it, or replace nodes by name with 'marina nodepool replace'", missing, replicas(h.spec), most)
	}
	return "", ""
}

// settledControlPlane are what the control plane has to be for a node to be given up. They are
// asked instead of the phase, in which Degraded hides that something is changed.
var settledControlPlane = []string{v1alpha1.ConditionControlPlaneReady, v1alpha1.ConditionEtcdReady, v1alpha1.ConditionUpToDate}

// controlPlane is why nodes cannot tell how they are, or will be restarted; empty if they can.
func controlPlane(cluster *v1alpha1.Cluster) (reason, why string) {
	if cluster == nil || cluster.DeletionTimestamp != nil {
		return "ClusterDeleting", "nothing is healed in a cluster that is gone"
	}
	status := cluster.Status
	switch {
	case upgrading(cluster) != nil, status.Phase == v1alpha1.ClusterUpdating:
		return "ClusterBusy", "it is healed when the control plane is as it is to be: the cluster is " + string(status.Phase)
	case status.Operation != "" && status.Phase != v1alpha1.ClusterUpgrading:
		return "ClusterBusy", fmt.Sprintf("it is healed when operation %s of the cluster has ended", status.Operation)
	}
	for _, t := range settledControlPlane {
		if reconcile.IsTrue(status.Conditions, t) || t == v1alpha1.ConditionUpToDate && rests(cluster) {
			continue
		}
		why = "it is healed when the condition " + t + " of the cluster is True"
		if c := meta.FindStatusCondition(status.Conditions, t); c != nil {
			why += ": " + c.Message
		}
		if t == v1alpha1.ConditionUpToDate {
			return "ClusterBusy", why
		}
		return "ControlPlaneNotReady", why
	}
	return "", ""
}

// since is when the last of some conditions of a cluster became True.
func since(cluster *v1alpha1.Cluster, conditions ...string) (last time.Time) {
	if cluster == nil {
		return last
	}
	for _, t := range conditions {
		if c := meta.FindStatusCondition(cluster.Status.Conditions, t); c != nil && c.Status == metav1.ConditionTrue {
			last = later(last, c.LastTransitionTime.Time)
		}
	}
	return last
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

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
