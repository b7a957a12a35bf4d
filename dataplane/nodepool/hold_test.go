package nodepool

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// condition has the Cluster show a condition.
func (w *world) condition(conditionType string, status metav1.ConditionStatus, words string) {
	w.Helper()
	meta.SetStatusCondition(&w.cluster.Status.Conditions, metav1.Condition{Type: conditionType, Status: status, Reason: "Test", Message: words})
	w.writeStatus(w.cluster)
}

// Rule 3: a pool is not scaled while the control plane is not well, whatever its phase: no node
// could join, and of one that goes nobody could take the pods away.
func TestRule03APoolIsScaledOnlyWhereTheControlPlaneServes(t *testing.T) {
	for _, conditionType := range []string{"EtcdReady", "ControlPlaneReady"} {
		for name, wanted := range map[string]int32{"more": 5, "fewer": 1} {
			t.Run(conditionType+", "+name, func(t *testing.T) {
				w := newWorld(t).active()
				w.condition(conditionType, "False", "2 of 3 members are away")
				w.change(func(s *v1alpha1.NodePoolSpec) { s.Replicas = new(wanted) })
				w.mustPass()
				w.mustPass()
				w.has("00001", "00002", "00003")
				w.is(v1alpha1.PoolScaling, "the control plane of cluster shop does not serve")
				w.says("SpecAccepted", "Unknown", "ControlPlaneNotReady", "2 of 3 members are away")
				w.condition(conditionType, "True", "")
				w.settle()
				w.is(v1alpha1.PoolActive, "")
				if got := len(w.names()); got != int(wanted) {
					t.Errorf("then there are %d nodes, want %d", got, wanted)
				}
			})
		}
	}
	if err := gate(clusterThat("", version, "Creating", "True", "AsExpected")); err != nil {
		t.Errorf("a control plane that has never served holds nodes up, which wait for it anyway: %v", err)
	}
}

// Rule 4: what is asked of nodes by name waits for nothing, and is refused.
func TestRule04NoNodeIsTouchedByNameWhileTheControlPlaneIsUpgraded(t *testing.T) {
	for _, kind := range []v1alpha1.OperationType{v1alpha1.OperationRebootNode, v1alpha1.OperationEvictNode, v1alpha1.OperationReplaceNode} {
		t.Run("asked meanwhile: "+string(kind), func(t *testing.T) {
			w := newWorld(t).active()
			w.upgrade(version, next, v1alpha1.ClusterUpgrading)
			w.ask(kind, "asked", w.names()[0])
			w.mustPass()
			w.mustPass()
			w.untouched("Failed", "the control plane of cluster shop changes its version", kind)
		})
		t.Run("begun before: "+string(kind), func(t *testing.T) {
			w := newWorld(t).active()
			w.ask(kind, "asked", w.names()...)
			w.mustPass()
			begun := 0
			for _, m := range w.machines() {
				if m.Spec.Reboot != "" {
					begun++
				}
			}
			w.upgrade(version, next, v1alpha1.ClusterUpgrading)
			w.mustPass()
			w.mustPass()
			op := w.operation(kind)
			switch evicted := kind == v1alpha1.OperationEvictNode; {
			case evicted && strings.Contains(op.Status.Message, "left as they were"):
				t.Errorf("the pool is smaller already, and it says %q", op.Status.Message)
			case !evicted && (op.Status.Phase != v1alpha1.OperationCancelled || !strings.HasPrefix(op.Status.Message, "overtaken: the control plane of cluster shop changes its version") || !strings.Contains(op.Status.Message, "; left as they were: ")):
				t.Errorf("it is %s, which is not said to be overtaken: %s", op.Status.Phase, op.Status.Message)
			}
			for _, m := range w.machines() {
				if m.Spec.Reboot != "" {
					begun--
				}
			}
			if begun < 0 {
				t.Errorf("%d reboots have begun since", -begun)
			}
		})
	}
}

// untouched checks that an Operation has ended without a node touched.
func (w *world) untouched(phase v1alpha1.OperationPhase, words string, kind v1alpha1.OperationType) {
	w.Helper()
	if op := w.operation(kind); op.Status.Phase != phase || !strings.Contains(op.Status.Message, words) {
		w.Errorf("%s is %s: %s", kind, op.Status.Phase, op.Status.Message)
	}
	w.has("00001", "00002", "00003")
	if *w.pool.Spec.Replicas != 3 {
		w.Errorf("the pool is to have %d nodes", *w.pool.Spec.Replicas)
	}
	for _, m := range w.machines() {
		if m.Spec.Reboot != "" {
			w.Errorf("%s is to be rebooted", m.Name)
		}
	}
}

// Rule 23: where all nodes seem to be dead at once, none is replaced by an upgrade either, but
// those that somebody has named; another one may be made, and shows whether it is so.
func TestRule23MeltdownHoldsReplacements(t *testing.T) {
	all := machines(t, many(5, "lost old")...)
	w := wish{template: v1alpha1.MachineTemplate{Flavor: "b3-8"}, melted: true}
	w.spec.Replicas, w.spec.Upgrade = new(int32(5)), v1alpha1.PoolUpgrade{MaxSurge: new(int32(1)), MaxUnavailable: new(int32(1))}
	if todo := plan(w, all); todo.create != 1 || len(todo.delete) != 0 {
		t.Errorf("%d are made, and %d go", todo.create, len(todo.delete))
	}
	w.spec.Upgrade.Strategy = v1alpha1.UpgradeInPlace
	if todo := plan(w, all); todo.rebuild != nil || len(todo.delete) != 0 {
		t.Errorf("in place: %+v", todo)
	}
	w.spec.Upgrade.Strategy, w.outdated = "", []string{"m3"}
	if todo := plan(w, all); len(todo.delete) != 1 || todo.delete[0].Name != "m3" {
		t.Errorf("of which one was named there go %d", len(todo.delete))
	}
	w.melted, w.outdated = false, nil
	if todo := plan(w, all); len(todo.delete) != 1 {
		t.Errorf("where another node of the cluster is Ready there go %d", len(todo.delete))
	}
}

// The pool sees that by all nodes of the Cluster, and says so.
func TestRule23MeltdownInAnUpgrade(t *testing.T) {
	w := newWorld(t).active()
	for _, name := range w.names() {
		w.lose(name, 0)
	}
	w.change(func(s *v1alpha1.NodePoolSpec) { s.Flavor = "b3-16"; s.Upgrade.MaxUnavailable = new(int32(1)) })
	w.mustPass()
	w.mustPass()
	for _, m := range w.machines() {
		if m.DeletionTimestamp != nil {
			t.Errorf("%s goes", m.Name)
		}
	}
	w.says("Healthy", "False", "AllNodesNotReady", "none of the 3 nodes of the cluster is Ready")
}

// Rule 23: an upgrade that only waits keeps no node from being healed; that may be for days.
func TestRule23AnUpgradeThatWaitsHoldsNoHealing(t *testing.T) {
	waiting := clusterThat(version, version, v1alpha1.ClusterUpgrading, "Unknown", "EtcdUnhealthy")
	waiting.Status.Operation = "shop-upgrade"
	for _, t := range settledControlPlane {
		waiting.Status.Conditions = append(waiting.Status.Conditions, metav1.Condition{Type: t, Status: "True"})
	}
	if reason, why := controlPlane(waiting); reason != "" {
		t.Errorf("%s: %s", reason, why)
	}
	begun := waiting.DeepCopy()
	begun.Status.Accepted.Version = next
	meta.SetStatusCondition(&begun.Status.Conditions, metav1.Condition{Type: "SpecAccepted", Status: "True", Reason: "AsExpected"})
	if reason, _ := controlPlane(begun); reason != "ClusterBusy" {
		t.Errorf("when it has begun: %q", reason)
	}
	updating := waiting.DeepCopy()
	updating.Status.Phase = v1alpha1.ClusterUpdating
	if reason, _ := controlPlane(updating); reason != "ClusterBusy" {
		t.Errorf("when it is changed: %q", reason)
	}
	if e := reconcile.As(gate(waiting)); e != nil {
		t.Errorf("a waiting upgrade holds pools: %v", e)
	}
}
