package nodepool

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// sick is a pool that has its servers made anew, of which one node is lost for long.
func sick(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.pool.Spec.AutoHeal.Action = v1alpha1.HealRebuild
	w.active()
	w.lose("shop-web-00002", time.Hour)
	return w
}

// A lost node is the same one afterwards, with its server, and that is recorded once.
func TestRule23ALostNodeIsMadeAnew(t *testing.T) {
	w := sick(t)
	server, template := w.machines()[1].Status.ServerID, w.machines()[1].Spec.Template
	w.settle()
	w.has("00001", "00002", "00003")
	w.is(v1alpha1.PoolActive, "3 of 3")
	w.says("Healthy", "True", "AsExpected", "")
	w.history("Create Succeeded 4/4", "Heal Succeeded 2/2")
	w.ended(v1alpha1.OperationHeal, v1alpha1.OperationSucceeded, "the server of shop-web-00002 has been made anew: the node has not been Ready since 2026-")
	m := w.machines()[1]
	if m.Status.ServerID != server || m.Spec.Rebuild == nil || m.Status.Rebuilt != m.Spec.Rebuild.ID || !equal(m.Spec.Template, template) {
		t.Errorf("it has the server %s, want %s, and %+v", m.Status.ServerID, server, m.Spec)
	}
	before := w.Writes.Load()
	for range 3 {
		w.mustPass()
	}
	if w.Writes.Load() != before {
		t.Error("a pool that is as asked writes")
	}
}

// One that does not come back from that is replaced.
func TestRule23ANodeThatIsMadeAnewInVainIsReplaced(t *testing.T) {
	w := sick(t)
	for range 10 {
		w.mustPass()
		if m := w.machines()[1]; m.Rebuilding() {
			w.report(m, func(s *v1alpha1.MachineStatus) {
				meta.SetStatusCondition(&s.Conditions, metav1.Condition{Type: "ServerReady", Status: "False", Reason: "RebuildTimeout", Message: "it has not become a Ready node", ObservedGeneration: m.Generation})
			})
			break
		}
		w.join()
	}
	w.mustPass()
	w.ended(v1alpha1.OperationHeal, v1alpha1.OperationFailed, "the node has not come back, and is replaced next: ")
	w.now = w.now.Add(3 * time.Minute)
	for range 10 {
		w.mustPass()
		if m := w.machines()[1]; m.Name == "shop-web-00002" {
			w.answer(m)
		}
	}
	w.settle()
	w.has("00001", "00003", "00004")
	w.is(v1alpha1.PoolActive, "3 of 3")
	w.history("Create Succeeded 4/4", "Heal Failed 0/2", "Heal Succeeded 3/3")
}

// What was wrong with the server before is not what has become of it: that a server was in ERROR
// does not end the Heal that makes it anew.
func TestRule23AServerInErrorIsMadeAnew(t *testing.T) {
	w := sick(t)
	w.report(w.machines()[1], func(s *v1alpha1.MachineStatus) {
		meta.SetStatusCondition(&s.Conditions, metav1.Condition{Type: "ServerReady", Status: "False", Reason: reasonServerError, Message: "no disk"})
	})
	for range 10 {
		if m := w.machines()[1]; m.Rebuilding() {
			break
		}
		w.mustPass()
		w.answer(w.machines()[1])
	}
	w.mustPass()
	w.mustPass()
	w.has("00001", "00002", "00003")
	w.history("Create Succeeded 4/4", "Heal Running 0/2")
	w.says("Healthy", "False", "Rebuilding", "the server of node shop-web-00002 is being made anew")
	w.is(v1alpha1.PoolDegraded, "")
	w.settle()
	w.history("Create Succeeded 4/4", "Heal Succeeded 2/2")
	w.is(v1alpha1.PoolActive, "3 of 3")
}

// Heals that went well are not in vain, however often they are.
func TestRule23HealsThatGoWellAreNotCounted(t *testing.T) {
	w := sick(t)
	w.settle()
	for range 4 {
		w.now = w.now.Add(48 * time.Hour)
		w.lose("shop-web-00002", time.Hour)
		w.settle()
		w.says("Healthy", "True", "AsExpected", "")
		w.has("00001", "00002", "00003")
		w.is(v1alpha1.PoolActive, "3 of 3")
	}
}

// Where Nova cannot make a server anew it is replaced at once.
func TestRenewable(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*v1alpha1.Machine)
		want   bool
	}{
		"Runs": {func(*v1alpha1.Machine) {}, true},
		"InError": {func(m *v1alpha1.Machine) {
			m.Status.Conditions[0].Status, m.Status.Conditions[0].Reason = "False", reasonServerError
		}, true},
		"Off": {func(m *v1alpha1.Machine) {
			m.Status.Conditions[0].Status, m.Status.Conditions[0].Reason = "False", reasonServerStopped
		}, false},
		"Paused": {func(m *v1alpha1.Machine) {
			m.Status.Conditions[0].Status, m.Status.Conditions[0].Reason = "False", reasonServerNotActive
		}, false},
		"Gone": {func(m *v1alpha1.Machine) {
			m.Status.Conditions[0].Status, m.Status.Conditions[0].Reason = "False", reasonServerGone
		}, false},
		"NothingIsKnown":  {func(m *v1alpha1.Machine) { m.Status.Conditions = nil }, false},
		"BootsFromVolume": {func(m *v1alpha1.Machine) { m.Spec.Template.DiskGiB = 40 }, false},
		"BeingMadeAnew":   {func(m *v1alpha1.Machine) { m.Spec.Rebuild = &v1alpha1.Rebuild{ID: "one"} }, false},
		"WasMadeAnew":     {func(m *v1alpha1.Machine) { m.Spec.Rebuild, m.Status.Rebuilt = &v1alpha1.Rebuild{ID: "one"}, "one" }, true},
	} {
		m := &v1alpha1.Machine{Status: v1alpha1.MachineStatus{Conditions: []metav1.Condition{{Type: "ServerReady", Status: "True", Reason: "AsExpected"}}}}
		if tc.change(m); renewable(m) != tc.want {
			t.Errorf("%s: %v, want %v", name, renewable(m), tc.want)
		}
	}
}
