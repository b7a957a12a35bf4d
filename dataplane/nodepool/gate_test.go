package nodepool

import (
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// clusterThat is a Cluster as its controller shows it.
func clusterThat(runs, accepted string, phase v1alpha1.ClusterPhase, taken metav1.ConditionStatus, reason string) *v1alpha1.Cluster {
	c := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: "project", Name: "shop"}}
	c.Status.Version, c.Status.Phase = runs, phase
	if accepted != "" {
		c.Status.Accepted = &v1alpha1.AcceptedSpec{Version: accepted}
	}
	c.Status.Conditions = []metav1.Condition{{Type: "SpecAccepted", Status: taken, Reason: reason}}
	return c
}

// paused has a control plane say that the change of its version has been stopped.
func paused(c *v1alpha1.Cluster) *v1alpha1.Cluster {
	c.Status.Conditions = append(c.Status.Conditions, metav1.Condition{Type: "UpToDate", Status: "False", Reason: "Paused", Message: "it has been stopped"})
	return c
}

// Rule 4: the upgrade of a control plane holds all pools once it has begun, and not before: then
// it waits for them. One that has come to rest half-way holds none, as that may last.
func TestRule04WhenPoolsHold(t *testing.T) {
	for name, tc := range map[string]struct {
		cluster *v1alpha1.Cluster
		holds   bool
	}{
		"never ready":                       {clusterThat("", version, "Creating", "True", "AsExpected"), false},
		"active":                            {clusterThat(version, version, "Active", "True", "AsExpected"), false},
		"made before versions were noted":   {clusterThat(version, "", "Active", "True", "AsExpected"), false},
		"another change":                    {clusterThat(version, version, "Updating", "True", "AsExpected"), false},
		"refused":                           {clusterThat(version, version, "Degraded", "False", "RemovedAPIsInUse"), false},
		"not serving":                       {clusterThat(version, version, "Degraded", "True", "AsExpected"), false},
		"waiting for etcd":                  {clusterThat(version, version, "Upgrading", "Unknown", "EtcdUnhealthy"), false},
		"waiting for a pool":                {clusterThat(version, version, "Upgrading", "Unknown", "NodePoolBusy"), false},
		"waiting for a pool after a cancel": {clusterThat(version, next, "Upgrading", "Unknown", "NodePoolBusy"), false},
		"cancelled before it began":         {clusterThat(version, version, "Degraded", "Unknown", "Cancelled"), false},
		"cancelled half-way":                {paused(clusterThat(version, next, "Degraded", "True", "AsExpected")), false},
		"cancelled, and not at rest yet":    {paused(clusterThat(version, next, "Upgrading", "True", "AsExpected")), true},
		"upgrading":                         {clusterThat(version, next, "Upgrading", "True", "AsExpected"), true},
		"upgrading, with a fault":           {clusterThat(version, next, "Upgrading", "Unknown", "Error"), true},
		"not serving while upgrading":       {clusterThat(version, next, "Degraded", "True", "AsExpected"), true},
		"stuck":                             {clusterThat(version, next, "Degraded", "False", "RolloutStuck"), false},
		"stuck, and tried again":            {clusterThat(version, next, "Upgrading", "True", "AsExpected"), true},
		"going back":                        {clusterThat(version, version, "Upgrading", "True", "AsExpected"), true},
	} {
		t.Run(name, func(t *testing.T) {
			if e := reconcile.As(upgrading(tc.cluster)); (e != nil) != tc.holds || e != nil && e.Reason != "ControlPlaneUpgrading" {
				t.Errorf("upgrading() = %v, want pools to hold: %v", e, tc.holds)
			}
		})
	}
}

// upgrade makes the control plane go from one version to another.
func (w *world) upgrade(runs, accepted string, phase v1alpha1.ClusterPhase) {
	w.Helper()
	w.cluster.Status.Version, w.cluster.Status.Phase = runs, phase
	w.cluster.Status.Accepted = &v1alpha1.AcceptedSpec{Version: accepted, Generation: 1}
	meta.SetStatusCondition(&w.cluster.Status.Conditions, metav1.Condition{Type: "SpecAccepted", Status: "True", Reason: "AsExpected"})
	w.writeStatus(w.cluster)
}

// Rule 4: meanwhile no node is made, replaced or removed, and what was asked for comes
// afterwards.
func TestRule04APoolHoldsWhileTheControlPlaneIsUpgraded(t *testing.T) {
	for name, tc := range map[string]struct {
		during func(*world)
		phase  v1alpha1.PoolPhase
		nodes  int // afterwards
	}{
		"more":   {func(w *world) { w.change(func(s *v1alpha1.NodePoolSpec) { s.Replicas = new(int32(5)) }) }, v1alpha1.PoolScaling, 5},
		"fewer":  {func(w *world) { w.change(func(s *v1alpha1.NodePoolSpec) { s.Replicas = new(int32(1)) }) }, v1alpha1.PoolScaling, 1},
		"others": {func(w *world) { w.change(func(s *v1alpha1.NodePoolSpec) { s.Flavor = "b3-16" }) }, v1alpha1.PoolUpdating, 3},
		"a server lost": {func(w *world) {
			w.report(w.machines()[1], func(s *v1alpha1.MachineStatus) {
				s.Node = &v1alpha1.MachineNode{}
				s.Conditions = []metav1.Condition{{Type: "ServerReady", Status: "False", Reason: "ServerGone", LastTransitionTime: metav1.Now()}}
			})
		}, v1alpha1.PoolDegraded, 3},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t).active()
			w.upgrade(version, next, v1alpha1.ClusterUpgrading)
			w.mustPass()
			w.is(v1alpha1.PoolActive, "3 of 3 nodes are ready")
			w.says("SpecAccepted", "True", "AsExpected", "")
			tc.during(w)
			w.mustPass()
			w.mustPass()
			w.has("00001", "00002", "00003")
			w.is(tc.phase, "the control plane of cluster shop changes its version")
			w.says("SpecAccepted", "Unknown", "ControlPlaneUpgrading", "no node is made, replaced or removed")
			w.upgrade(next, next, v1alpha1.ClusterActive)
			w.settle()
			w.is(v1alpha1.PoolActive, "")
			if got := len(w.names()); got != tc.nodes {
				t.Errorf("then there are %d nodes, want %d", got, tc.nodes)
			}
			for _, m := range w.machines() {
				if m.Spec.Template.Release != next {
					t.Errorf("node %s runs %s, want that of the control plane", m.Name, m.Spec.Template.Release)
				}
			}
		})
	}
	t.Run("a new pool", func(t *testing.T) {
		w := newWorld(t)
		w.upgrade(version, next, v1alpha1.ClusterUpgrading)
		w.create(w.pool)
		w.mustPass()
		w.mustPass()
		w.has()
		w.is(v1alpha1.PoolCreating, "0 of 3 nodes are ready; the control plane of cluster shop changes its version")
		w.upgrade(next, next, v1alpha1.ClusterActive)
		w.settle()
		w.is(v1alpha1.PoolActive, "3 of 3")
	})
	t.Run("deletion", func(t *testing.T) {
		w := newWorld(t).active()
		w.upgrade(version, next, v1alpha1.ClusterUpgrading)
		w.must(management.Client.Delete(t.Context(), w.pool))
		w.mustPass()
		w.vanish()
		w.mustPass()
		if !w.gone() {
			t.Error("it is still there")
		}
	})
}

// Rule 4: an upgrade that is stuck, or was cancelled half-way, holds nothing up for as long as it
// is: nodes are made of the version that runs, and held again when it goes on.
func TestRule04AnUpgradeAtRestHoldsNoPool(t *testing.T) {
	for name, rest := range map[string]metav1.Condition{
		"stuck":              {Type: "SpecAccepted", Status: "False", Reason: "RolloutStuck", Message: "the next one has not become ready"},
		"cancelled half-way": {Type: "UpToDate", Status: "False", Reason: "Paused", Message: "it has been stopped"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t).active()
			w.upgrade(version, next, v1alpha1.ClusterUpgrading)
			w.report(w.machines()[1], func(s *v1alpha1.MachineStatus) {
				s.Node = &v1alpha1.MachineNode{}
				s.Conditions = []metav1.Condition{{Type: "ServerReady", Status: "False", Reason: "ServerGone", LastTransitionTime: metav1.Now()}}
			})
			w.mustPass()
			w.has("00001", "00002", "00003")

			w.cluster.Status.Phase = v1alpha1.ClusterDegraded
			meta.SetStatusCondition(&w.cluster.Status.Conditions, rest)
			w.writeStatus(w.cluster)
			w.settle()
			w.has("00001", "00003", "00004")
			w.is(v1alpha1.PoolActive, "3 of 3")
			for _, m := range w.machines() {
				if m.Spec.Template.Release != version {
					t.Errorf("node %s runs %s, want %s until the control plane has another one", m.Name, m.Spec.Template.Release, version)
				}
			}

			w.upgrade(version, next, v1alpha1.ClusterUpgrading)
			w.change(func(s *v1alpha1.NodePoolSpec) { s.Replicas = new(int32(4)) })
			w.mustPass()
			w.has("00001", "00003", "00004")
			w.says("SpecAccepted", "Unknown", "ControlPlaneUpgrading", "no node is made, replaced or removed")
		})
	}
}
