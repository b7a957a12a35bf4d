package nodepool

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// ward are five nodes of a pool that were all Ready an hour ago, of a Cluster that is well.
func ward(nodes int) health {
	up := metav1.NewTime(noon.Add(-24 * time.Hour))
	cluster := &v1alpha1.Cluster{Status: v1alpha1.ClusterStatus{Phase: v1alpha1.ClusterActive}}
	for _, t := range []string{"ControlPlaneReady", "EtcdReady", "UpToDate"} {
		cluster.Status.Conditions = append(cluster.Status.Conditions, metav1.Condition{Type: t, Status: "True", LastTransitionTime: up, Message: "about " + t})
	}
	h := health{spec: v1alpha1.NodePoolSpec{Replicas: new(int32(nodes))}, cluster: cluster, now: noon}
	for i := range nodes {
		m := v1alpha1.Machine{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("n%d", i), UID: types.UID(fmt.Sprint(i))}}
		m.Status = v1alpha1.MachineStatus{ReadySince: &up, Node: &v1alpha1.MachineNode{UID: "1", Ready: true, ChangedAt: &up}}
		m.Status.Conditions = []metav1.Condition{{Type: "ServerReady", Status: "True", Reason: "AsExpected"}}
		h.machines = append(h.machines, m)
	}
	h.fleet = h.machines
	return h
}

// fall has a node be not Ready since some time ago, and be looked at just now.
func (h health) fall(i int, ago time.Duration) {
	m := &h.machines[i]
	m.Status.Node = &v1alpha1.MachineNode{UID: "1", ChangedAt: &metav1.Time{Time: h.now.Add(-ago)}, Message: "Kubelet stopped posting node status."}
	h.answer(i, time.Second)
}

func (h health) answer(i int, ago time.Duration) {
	at := metav1.NewTime(h.now.Add(-ago))
	m := &h.machines[i]
	look := &v1alpha1.MachineCheck{After: at, At: at}
	m.Spec.CheckAfter, m.Status.Checked, m.Status.Node.Checked = &at, look, look
}

// looked has the cloud answer a question of some time ago by a clock that is ahead.
func (h health) looked(i int, ago, ahead time.Duration) {
	h.answer(i, ago)
	at := metav1.NewTime(h.now.Add(-ago))
	h.machines[i].Status.Checked = &v1alpha1.MachineCheck{After: at, At: metav1.NewTime(at.Add(ahead))}
}

// rest has the control plane stop half-way to another version, for a reason.
func (h *health) rest(because metav1.Condition) {
	h.cluster.Status.Phase, h.cluster.Status.Version = v1alpha1.ClusterDegraded, version
	h.cluster.Status.Accepted = &v1alpha1.AcceptedSpec{Version: next}
	h.cluster.Status.Conditions[2].Status = "False"
	meta.SetStatusCondition(&h.cluster.Status.Conditions, because)
}

// server has the cloud say something of the server of a node.
func (h health) server(i int, status metav1.ConditionStatus, reason string) {
	h.machines[i].Status.Conditions[0] = metav1.Condition{Type: "ServerReady", Status: status, Reason: reason, Message: "the server is so"}
}

// TestRule23HealTimer is about when a node is healed, and when not whatever the time.
func TestRule23HealTimer(t *testing.T) {
	const ten = 10 * time.Minute
	percent := func(p string) *intstr.IntOrString { v := intstr.FromString(p); return &v }
	number := func(n int32) *intstr.IntOrString { v := intstr.FromInt32(n); return &v }
	cases := map[string]struct {
		nodes int
		given func(*health)
		// heal and ask are the nodes that are healed and asked for, and reason and words are
		// those of the condition.
		heal, ask     string
		reason, words string
		again         time.Duration
	}{
		"All are Ready":              {5, func(*health) {}, "", "", "", "", 0},
		"Ten minutes":                {5, func(h *health) { h.fall(2, ten) }, "n2", "", "Healing", "node n2 has not been Ready since 2026-", 0},
		"A second less":              {5, func(h *health) { h.fall(2, ten-time.Second) }, "", "", "NodeNotReady", "it is healed at ", time.Second},
		"Ready again":                {5, func(h *health) { h.fall(2, 2*ten); h.machines[2].Status.Node.Ready = true }, "", "", "", "", 0},
		"Ready again, and not again": {5, func(h *health) { h.fall(2, time.Minute) }, "", "", "NodeNotReady", "", 9 * time.Minute},
		"Another time-out":           {5, func(h *health) { h.spec.AutoHeal.NotReadyTimeoutSeconds = new(int32(60)); h.fall(2, time.Minute) }, "n2", "", "Healing", "", 0},
		"Never Ready":                {5, func(h *health) { h.fall(2, 2*ten); h.machines[2].Status.ReadySince = nil }, "", "", "", "", 0},
		"Its Node is deleted":        {5, func(h *health) { h.fall(2, ten); h.machines[2].Status.Node.UID = "" }, "n2", "", "Healing", "", 0},
		"Being made anew":            {5, func(h *health) { h.fall(2, ten); h.machines[2].Spec.Rebuild = &v1alpha1.Rebuild{ID: "one"} }, "", "", "Rebuilding", "the server of node n2 is being made anew", 0},
		"Being drained":              {5, func(h *health) { h.fall(2, ten); h.machines[2].DeletionTimestamp = &metav1.Time{Time: noon} }, "", "", "", "", 0},
		"Not wanted":                 {5, func(h *health) { h.spec.AutoHeal.Enabled = new(false); h.fall(2, ten) }, "", "", "AutoHealDisabled", "nodepool replace", time.Minute},
		"The one for longest":        {5, func(h *health) { h.fall(1, ten); h.fall(3, 2*ten) }, "n3", "", "Healing", "node n3 has not been Ready since 2026-03-01T11:40:00Z, and 1 more are not", 0},

		"The control plane upgrades": {5, func(h *health) {
			h.fall(2, ten)
			*h.cluster = *clusterThat(version, next, v1alpha1.ClusterUpgrading, "True", "AsExpected")
		}, "", "", "ClusterBusy", "the cluster is Upgrading", time.Minute},
		"The control plane is Degraded": {5, func(h *health) { h.fall(2, ten); h.cluster.Status.Phase = v1alpha1.ClusterDegraded }, "n2", "", "Healing", "", 0},
		"Degraded by an upgrade": {5, func(h *health) {
			h.fall(2, ten)
			h.cluster.Status.Phase = v1alpha1.ClusterDegraded
			h.cluster.Status.Conditions[2].Status = "False"
		}, "", "", "ClusterBusy", "the condition UpToDate of the cluster is True: about UpToDate", time.Minute},
		"An upgrade is stuck": {5, func(h *health) {
			h.fall(2, ten)
			h.rest(metav1.Condition{Type: "SpecAccepted", Status: "False", Reason: "RolloutStuck"})
		}, "n2", "", "Healing", "", 0},
		"An upgrade was stopped half-way": {5, func(h *health) {
			h.fall(2, ten)
			h.rest(metav1.Condition{Type: "UpToDate", Status: "False", Reason: "Paused"})
		}, "n2", "", "Healing", "", 0},
		"An upgrade is stuck, and nothing serves": {5, func(h *health) {
			h.fall(2, ten)
			h.rest(metav1.Condition{Type: "SpecAccepted", Status: "False", Reason: "RolloutStuck"})
			h.cluster.Status.Conditions[0].Status = "False"
		}, "", "", "ControlPlaneNotReady", "about ControlPlaneReady", time.Minute},
		"Nobody knows what it runs":   {5, func(h *health) { h.fall(2, ten); h.cluster.Status.Conditions[2].Status = "Unknown" }, "", "", "ClusterBusy", "UpToDate", time.Minute},
		"An Operation of the cluster": {5, func(h *health) { h.fall(2, ten); h.cluster.Status.Operation = "shop-restart" }, "", "", "ClusterBusy", "operation shop-restart", time.Minute},
		"etcd is ill":                 {5, func(h *health) { h.fall(2, ten); h.cluster.Status.Conditions[1].Status = "False" }, "", "", "ControlPlaneNotReady", "about EtcdReady", time.Minute},
		"etcd has come back": {5, func(h *health) {
			h.fall(2, 2*ten)
			h.cluster.Status.Conditions[1].LastTransitionTime.Time = noon.Add(-time.Minute)
		}, "", "", "NodeNotReady", "", 9 * time.Minute},
		"An upgrade has just ended": {5, func(h *health) {
			h.fall(2, 2*ten)
			h.cluster.Status.Conditions[2].LastTransitionTime.Time = noon.Add(-time.Minute)
		}, "", "", "NodeNotReady", "", time.Minute},
		"Nothing is known of it":    {5, func(h *health) { h.fall(2, ten); h.cluster.Status.Conditions = h.cluster.Status.Conditions[:1] }, "", "", "ControlPlaneNotReady", "EtcdReady", time.Minute},
		"A change has just ended":   {5, func(h *health) { h.fall(2, ten); h.settled = noon.Add(time.Minute) }, "", "", "NodeNotReady", "it is healed at 2026-03-01T12:01:00Z", time.Minute},
		"Two came to nothing":       {5, func(h *health) { h.fall(2, ten); h.vain = 2 }, "n2", "", "Healing", "", 0},
		"Three came to nothing":     {5, func(h *health) { h.fall(2, ten); h.vain = 3 }, "", "", "HealingStopped", "marina nodepool resync", time.Minute},
		"Not seen since when":       {5, func(h *health) { h.fall(2, ten); h.machines[2].Status.Node.ChangedAt = nil }, "", "", "", "", 0},
		"Since long, says the node": {5, func(h *health) { h.fall(2, time.Minute); h.machines[2].Status.Node.Since = &metav1.Time{} }, "", "", "NodeNotReady", "", 9 * time.Minute},
		"Since tomorrow, says the node": {5, func(h *health) {
			h.fall(2, ten)
			h.machines[2].Status.Node.Since = &metav1.Time{Time: noon.Add(24 * time.Hour)}
		}, "n2", "", "Healing", "", 0},
		"Its server migrates":        {5, func(h *health) { h.fall(2, ten); h.server(2, "Unknown", "ServerChanging") }, "", "", "ServerNotClear", "the server is so", time.Minute},
		"Its server is paused":       {5, func(h *health) { h.fall(2, ten); h.server(2, "False", "ServerNotActive") }, "", "", "ServerNotClear", "the server is so", time.Minute},
		"Its server is in ERROR":     {5, func(h *health) { h.fall(2, ten); h.server(2, "False", "ServerError") }, "n2", "", "Healing", "", 0},
		"Its server is off":          {5, func(h *health) { h.fall(2, ten); h.server(2, "False", "ServerStopped") }, "n2", "", "Healing", "", 0},
		"Nobody has seen its server": {5, func(h *health) { h.fall(2, ten); h.machines[2].Status.Conditions = nil }, "", "", "ServerNotClear", "nothing is known of it", time.Minute},
		"The control plane is away":  {5, func(h *health) { h.fall(2, ten); h.cluster.Status.Conditions[0].Status = "False" }, "", "", "ControlPlaneNotReady", "", time.Minute},
		"The control plane has come back": {5, func(h *health) {
			h.fall(2, 2*ten)
			h.cluster.Status.Conditions[0].LastTransitionTime.Time = noon.Add(-time.Minute)
		}, "", "", "NodeNotReady", "", 9 * time.Minute},
		"The pool changes its nodes": {5, func(h *health) { h.fall(2, ten); h.busy = "the nodes are replaced" }, "", "", "PoolBusy", "the nodes are replaced", time.Minute},
		"No node can be made":        {5, func(h *health) { h.fall(2, ten); h.held = reconcile.UserError("FlavorNotOffered", "no flavor") }, "", "", "NoNodeCanBeMade", "no flavor", time.Minute},
		"The cluster is deleted":     {5, func(h *health) { h.fall(2, ten); h.cluster.DeletionTimestamp = &metav1.Time{Time: noon} }, "", "", "ClusterDeleting", "", time.Minute},
		"Nobody has been asked":      {5, func(h *health) { h.fall(2, ten); h.machines[2].Spec.CheckAfter = nil }, "", "n2", "NodeNotReady", "once more", time.Second},
		"The tenant does not answer": {5, func(h *health) { h.fall(2, ten); h.machines[2].Status.Node.Checked = nil }, "", "", "WaitingForAnswer", "the tenant's API server", 0},
		"The cloud does not answer":  {5, func(h *health) { h.fall(2, ten); h.machines[2].Status.Checked = nil }, "", "", "WaitingForAnswer", "the cloud", 0},
		"The cloud answered before": {5, func(h *health) {
			h.fall(2, ten)
			h.machines[2].Status.Checked = &v1alpha1.MachineCheck{After: metav1.NewTime(noon.Add(-ten)), At: metav1.NewTime(noon)}
		}, "", "", "WaitingForAnswer", "the cloud", 0},
		"The answers are half a minute old":             {5, func(h *health) { h.fall(2, ten); h.answer(2, 30*time.Second) }, "n2", "", "Healing", "", 0},
		"The answers are older":                         {5, func(h *health) { h.fall(2, ten); h.answer(2, 31*time.Second) }, "", "n2", "NodeNotReady", "", time.Second},
		"The clock was set back meanwhile":              {5, func(h *health) { h.fall(2, ten); h.answer(2, -time.Hour) }, "", "n2", "NodeNotReady", "", time.Second},
		"Who looks has a clock that is ahead":           {5, func(h *health) { h.fall(2, ten); h.looked(2, time.Second, time.Hour) }, "n2", "", "Healing", "", 0},
		"Who looks has a clock that is behind":          {5, func(h *health) { h.fall(2, ten); h.looked(2, time.Second, -time.Hour) }, "n2", "", "Healing", "", 0},
		"Who looked long ago has a clock that is ahead": {5, func(h *health) { h.fall(2, ten); h.looked(2, time.Minute, time.Hour) }, "", "n2", "NodeNotReady", "", time.Second},

		"Two of five":   {5, func(h *health) { h.fall(2, ten); h.fall(3, 0) }, "n2", "", "Healing", "", 0},
		"Three of five": {5, func(h *health) { h.fall(2, ten); h.fall(3, 0); h.fall(4, 0) }, "", "", "TooManyUnhealthy", "3 of 5 nodes are missing or not Ready, and maxUnhealthy lets 2", time.Minute},
		"Three of five are let": {5, func(h *health) {
			h.fall(2, ten)
			h.fall(3, 0)
			h.fall(4, 0)
			h.spec.AutoHeal.MaxUnhealthy = percent("60%")
		}, "n2", "", "Healing", "", 0},
		"Two of five, one is let":       {5, func(h *health) { h.fall(2, ten); h.fall(3, 0); h.spec.AutoHeal.MaxUnhealthy = number(1) }, "", "", "TooManyUnhealthy", "lets 1", time.Minute},
		"One of two":                    {2, func(h *health) { h.fall(1, ten) }, "n1", "", "Healing", "", 0},
		"One of two, by number":         {2, func(h *health) { h.fall(1, ten); h.spec.AutoHeal.MaxUnhealthy = number(0) }, "", "", "TooManyUnhealthy", "lets 0", time.Minute},
		"One of two, no part":           {2, func(h *health) { h.fall(1, ten); h.spec.AutoHeal.MaxUnhealthy = percent("0%") }, "", "", "TooManyUnhealthy", "lets 0", time.Minute},
		"The only one":                  {1, func(h *health) { h.fall(0, ten) }, "", "", "AllNodesNotReady", "no other node of the cluster is Ready, and the cloud says nothing against its server", time.Minute},
		"The only one, before its time": {1, func(h *health) { h.fall(0, time.Minute) }, "", "", "NodeNotReady", "", 9 * time.Minute},
		"The only one, in ERROR":        {1, func(h *health) { h.fall(0, ten); h.server(0, "False", "ServerError") }, "n0", "", "Healing", "", 0},
		"The only one, off":             {1, func(h *health) { h.fall(0, ten); h.server(0, "False", "ServerStopped") }, "n0", "", "Healing", "", 0},
		"The only one, paused":          {1, func(h *health) { h.fall(0, ten); h.server(0, "False", "ServerNotActive") }, "", "", "AllNodesNotReady", "", time.Minute},
		"The only one, without a Node":  {1, func(h *health) { h.fall(0, ten); h.machines[0].Status.Node.UID = "" }, "n0", "", "Healing", "", 0},
		"The only one of a large fleet": {1, func(h *health) { h.fleet = append(ward(3).machines, h.machines...); h.fall(0, ten) }, "n0", "", "Healing", "", 0},
		"One, and others are missing":   {5, func(h *health) { h.fall(2, ten); h.machines = h.machines[:3] }, "", "", "TooManyUnhealthy", "3 of 5", time.Minute},

		"All of the cluster": {2, func(h *health) { h.fall(0, ten); h.fall(1, ten); h.spec.AutoHeal.MaxUnhealthy = percent("100%") }, "", "", "AllNodesNotReady", "none of the 2 nodes of the cluster is Ready, so that none is replaced", time.Minute},
		"All of the cluster, in two pools": {1, func(h *health) {
			h.fall(0, ten)
			o := ward(1)
			o.fall(0, ten)
			h.fleet = append(o.machines, h.machines...)
		}, "", "", "AllNodesNotReady", "none of the 2", time.Minute},
		"All have come back, but one": {3, func(h *health) {
			h.fall(2, time.Hour)
			for i, ago := range []time.Duration{30 * time.Second, time.Minute} {
				h.machines[i].Status.Node.ChangedAt = &metav1.Time{Time: noon.Add(-ago)}
			}
		}, "", "", "NodeNotReady", "node n2", 9 * time.Minute},
		"Another one has come back": {3, func(h *health) {
			h.fall(2, ten)
			h.machines[1].Status.Node.ChangedAt = &metav1.Time{Time: noon.Add(-time.Minute)}
		}, "n2", "", "Healing", "", 0},
		"The others are being made": {3, func(h *health) {
			h.fall(0, ten)
			for i := 1; i < 3; i++ {
				h.machines[i].Status.ReadySince, h.machines[i].Status.Node = nil, nil
			}
			h.spec.AutoHeal.MaxUnhealthy = percent("100%")
		}, "", "", "AllNodesNotReady", "no other node of the cluster is Ready", time.Minute},
		"The others go away": {1, func(h *health) {
			o := ward(2)
			for i := range o.machines {
				o.machines[i].DeletionTimestamp = &metav1.Time{Time: noon}
			}
			h.fall(0, ten)
			h.server(0, "False", "ServerError")
			h.fleet = append(o.machines, h.machines...)
		}, "", "", "AllNodesNotReady", "none of the 3 nodes of the cluster is Ready", time.Minute},
	}
	name := func(m *v1alpha1.Machine) string {
		if m == nil {
			return ""
		}
		return m.Name
	}
	for what, tc := range cases {
		t.Run(what, func(t *testing.T) {
			h := ward(tc.nodes)
			tc.given(&h)
			d := diagnose(h)
			if name(d.heal) != tc.heal || name(d.ask) != tc.ask || d.reason != tc.reason || !strings.Contains(d.message, tc.words) || d.again != tc.again {
				t.Errorf("healed %q, asked for %q, %s: %s, again after %s; want %q, %q, %s: ...%s, %s",
					name(d.heal), name(d.ask), d.reason, d.message, d.again, tc.heal, tc.ask, tc.reason, tc.words, tc.again)
			}
		})
	}
}

// A part of a pool is rounded down, to one node at least.
func TestMaxUnhealthy(t *testing.T) {
	for replicas, want := range map[int32]int{0: 1, 1: 1, 2: 1, 3: 1, 4: 1, 5: 2, 7: 2, 8: 3, 20: 8} {
		if got := maxUnhealthy(v1alpha1.NodePoolSpec{Replicas: &replicas}); got != want {
			t.Errorf("of %d nodes %d, want %d", replicas, got, want)
		}
	}
}
