package nodepool

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// ended checks what became of an Operation.
func (w *world) ended(kind v1alpha1.OperationType, phase v1alpha1.OperationPhase, words string) {
	w.Helper()
	if s := w.operation(kind).Status; s.Phase != phase || !strings.Contains(s.Message, words) {
		w.Errorf("%s: %s: %s; want %s: ...%s", kind, s.Phase, s.Message, phase, words)
	}
}

// A node that has not been Ready for ten minutes is replaced, after the tenant and the cloud
// have been asked once more, and that is recorded with the reason. Before and after nothing
// is written.
func TestHeal(t *testing.T) {
	w := newWorld(t).active()
	w.lose("shop-web-00002", 0)
	w.settle()
	w.says("Healthy", "False", "NodeNotReady", "node shop-web-00002 has not been Ready since")
	w.is(v1alpha1.PoolDegraded, "2 of 3")
	w.now = w.now.Add(9 * time.Minute)
	w.settle()
	if w.has("00001", "00002", "00003"); w.machines()[1].Spec.CheckAfter != nil {
		t.Error("it is asked for before its time")
	}
	w.now = w.now.Add(time.Minute)
	w.silent["shop-web-00002"] = true
	w.settle()
	w.says("Healthy", "False", "WaitingForAnswer", "")
	w.has("00001", "00002", "00003")
	w.history("Create Succeeded 4/4")

	delete(w.silent, "shop-web-00002")
	w.join()
	w.mustPass()
	w.history("Create Succeeded 4/4", "Heal Running 0/3")
	w.has("00001", "00003", "00004")
	w.settle()
	w.is(v1alpha1.PoolActive, "3 of 3")
	w.says("Healthy", "True", "AsExpected", "")
	w.history("Create Succeeded 4/4", "Heal Succeeded 3/3")
	w.ended(v1alpha1.OperationHeal, v1alpha1.OperationSucceeded, "other nodes are in the place of shop-web-00002: the node has not been Ready since 2026-")
	before := w.Writes.Load()
	for range 3 {
		w.mustPass()
	}
	if w.Writes.Load() != before {
		t.Error("a pool that is as asked writes")
	}
}

// Of two that are lost the second one waits until the first has been replaced.
func TestOneAtATime(t *testing.T) {
	w := newWorld(t)
	w.pool.Spec.Replicas = new(int32(5))
	w.active()
	w.lose("shop-web-00002", 12*time.Minute)
	w.lose("shop-web-00004", 11*time.Minute)
	for range 3 {
		w.mustPass()
		w.join()
	}
	w.has("00001", "00003", "00004", "00005", "00006")
	w.says("Healthy", "False", "PoolBusy", "node shop-web-00004 is healed when operation")
	w.settle()
	w.has("00001", "00003", "00005", "00006", "00007")
	w.history("Create Succeeded 4/4", "Heal Succeeded 3/3", "Heal Succeeded 3/3")
}

// All nodes seem to be dead: that is the network, and none is replaced.
func TestRule23Meltdown(t *testing.T) {
	w := newWorld(t).active()
	for _, name := range w.names() {
		w.lose(name, time.Hour)
	}
	w.settle()
	w.has("00001", "00002", "00003")
	w.says("Healthy", "False", "AllNodesNotReady", "none of the 3 nodes of the cluster is Ready")
	// They come back, the last one late.
	w.lost = map[string]bool{"shop-web-00002": true}
	w.settle()
	w.has("00001", "00002", "00003")
	w.says("Healthy", "False", "NodeNotReady", "node shop-web-00002 has not been Ready since")
	w.lost = map[string]bool{}
	w.settle()
	w.is(v1alpha1.PoolActive, "3 of 3")
	w.history("Create Succeeded 4/4")
}

// A Heal that a restart finds before its node is given up goes by how the node is now.
func TestHealPutOff(t *testing.T) {
	for name, tc := range map[string]struct {
		given func(*world)
		want  string
	}{
		"Ready again":   {func(w *world) { w.lost = map[string]bool{}; w.join() }, "not needed any more: all nodes are Ready again"},
		"Upgrade begun": {func(w *world) { w.upgrade(version, next, v1alpha1.ClusterUpgrading) }, "put off: node shop-web-00001"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t).active()
			w.lose("shop-web-00001", time.Hour)
			w.mustPass()
			w.join()
			o := w.ask(v1alpha1.OperationHeal, "begun", "shop-web-00001")
			o.Status = v1alpha1.OperationStatus{Phase: v1alpha1.OperationRunning, StartedAt: &metav1.Time{Time: w.now}, Generation: w.pool.Generation}
			w.writeStatus(o)
			tc.given(w)
			w.mustPass()
			w.has("00001", "00002", "00003")
			w.ended(v1alpha1.OperationHeal, v1alpha1.OperationCancelled, tc.want)
		})
	}
}

// TestRule25CountIsKept is about nodes that go by name: an evicted one is not made again, in
// whatever state the pool is, and a replaced one is.
func TestRule25CountIsKept(t *testing.T) {
	t.Run("Evict", func(t *testing.T) {
		w := newWorld(t).active()
		w.lose("shop-web-00003", 0) // which would go first otherwise
		w.ask(v1alpha1.OperationEvictNode, "asked", "shop-web-00001")
		w.settle()
		w.has("00002", "00003")
		if n := *w.pool.Spec.Replicas; n != 2 {
			t.Errorf("the pool is to have %d nodes, want 2", n)
		}
		w.history("Create Succeeded 4/4", "EvictNode Succeeded 2/2")
		w.ended(v1alpha1.OperationEvictNode, v1alpha1.OperationSucceeded, "the pool is smaller by shop-web-00001")
		w.change(func(s *v1alpha1.NodePoolSpec) { s.Replicas = new(int32(3)) })
		delete(w.lost, "shop-web-00003")
		w.settle()
		w.history("Create Succeeded 4/4", "EvictNode Succeeded 2/2", "Scale Succeeded 3/3")
	})
	t.Run("Replace", func(t *testing.T) {
		w := newWorld(t).active()
		w.ask(v1alpha1.OperationReplaceNode, "asked", "shop-web-00001", "shop-web-00002")
		w.mustPass()
		w.has("00001", "00002", "00003", "00004") // a new one first
		w.is(v1alpha1.PoolUpdating, "")
		w.settleBelow(5)
		w.has("00003", "00004", "00005")
		w.history("Create Succeeded 4/4", "ReplaceNode Succeeded 3/3")
	})
	t.Run("Deleted Node", func(t *testing.T) {
		w := newWorld(t).active()
		w.lose("shop-web-00001", 0)
		w.report(w.machines()[0], func(s *v1alpha1.MachineStatus) { s.Node.UID = "" })
		w.now = w.now.Add(10 * time.Minute)
		w.settle()
		w.has("00002", "00003", "00004")
	})
}

// A cancelled ReplaceNode leaves those that it has not come to.
func TestCancelReplace(t *testing.T) {
	w := newWorld(t).active()
	o := w.ask(v1alpha1.OperationReplaceNode, "asked", w.names()...)
	w.mustPass()
	w.join()
	w.mustPass() // the first one goes: the youngest, to the second of the API server's clock
	left := w.names()
	if len(left) != 3 || left[2] != "shop-web-00004" {
		t.Fatalf("%v are there, want two of the first ones and the new one", left)
	}
	w.must(management.Client.Get(t.Context(), client.ObjectKeyFromObject(o), o))
	o.Spec.Cancel = true
	w.must(management.Client.Update(t.Context(), o))
	w.settle()
	w.ended(v1alpha1.OperationReplaceNode, v1alpha1.OperationCancelled, "cancelled; left as they were: "+left[0]+", "+left[1])
	w.has(strings.TrimPrefix(left[0], "shop-web-"), strings.TrimPrefix(left[1], "shop-web-"), "00004")
	w.is(v1alpha1.PoolActive, "3 of 3")
}

// Nodes are rebooted one after the other. One is Ready again when it is so a minute after its
// reboot: until then it may be taken for what it was before.
func TestReboot(t *testing.T) {
	w := newWorld(t).active()
	w.ask(v1alpha1.OperationRebootNode, "asked", "shop-web-00003", "shop-web-00001")
	begun := func() (names []string) {
		for _, m := range w.machines() {
			if m.Spec.Reboot != "" {
				names = append(names, m.Name)
			}
		}
		return names
	}
	w.settle()
	w.history("Create Succeeded 4/4", "RebootNode Running 0/2")
	if got := begun(); len(got) != 1 || got[0] != "shop-web-00003" {
		t.Errorf("%v are rebooted, want the first one", got)
	}
	w.now = w.now.Add(time.Minute)
	w.settle()
	w.history("Create Succeeded 4/4", "RebootNode Running 1/2")
	if got := begun(); len(got) != 2 {
		t.Errorf("%v are rebooted, want both", got)
	}
	w.now = w.now.Add(time.Minute)
	w.settle()
	w.history("Create Succeeded 4/4", "RebootNode Succeeded 2/2")
	w.has("00001", "00002", "00003")
}

// A reboot that nobody carries out is given up and withdrawn: it does not come hours later, and
// the node is healed.
func TestRebootIsGivenUp(t *testing.T) {
	for name, tc := range map[string]struct {
		after  time.Duration
		cancel bool
		want   v1alpha1.OperationPhase
		words  string
	}{
		"Its turn is over": {15 * time.Minute, false, v1alpha1.OperationFailed, "node shop-web-00001 is not Ready 15m after its turn"},
		"Cancelled":        {0, true, v1alpha1.OperationCancelled, "cancelled"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t).active()
			w.lose("shop-web-00001", 0)
			o := w.ask(v1alpha1.OperationRebootNode, "asked", "shop-web-00001", "shop-web-00002")
			w.settle()
			if m := w.machines()[0]; m.Spec.Reboot != string(o.UID) {
				t.Fatalf("the reboot %q is asked for, want that of %s", m.Spec.Reboot, o.UID)
			}
			if w.must(management.Client.Get(t.Context(), client.ObjectKeyFromObject(o), o)); tc.cancel {
				o.Spec.Cancel = true
				w.must(management.Client.Update(t.Context(), o))
			}
			w.now = w.now.Add(tc.after)
			w.settle()
			w.ended(v1alpha1.OperationRebootNode, tc.want, tc.words)
			for _, m := range w.machines() {
				if m.Spec.Reboot != "" {
					t.Errorf("the reboot of %s outlives its Operation", m.Name)
				}
			}
			w.now = w.now.Add(12 * time.Minute)
			w.settle()
			w.has("00002", "00003", "00004")
		})
	}
}

// What cannot be done is refused, by name of what is in the way.
func TestRepairsRefused(t *testing.T) {
	scaled := func(w *world) {
		w.change(func(s *v1alpha1.NodePoolSpec) { s.Replicas = new(int32(4)) })
		w.mustPass()
	}
	for name, tc := range map[string]struct {
		given func(*world)
		kind  v1alpha1.OperationType
		nodes []string
		want  string
	}{
		"Unknown":          {func(*world) {}, v1alpha1.OperationReplaceNode, []string{"shop-web-00001", "other"}, "refused: the pool has no node other: its nodes are shop-web-00001, shop-web-00002, shop-web-00003"},
		"A change runs":    {scaled, v1alpha1.OperationEvictNode, []string{"shop-web-00001"}, "(Scale) runs: wait until it has ended"},
		"Another one runs": {func(w *world) { w.ask(v1alpha1.OperationReplaceNode, "first", "shop-web-00002"); w.mustPass() }, v1alpha1.OperationEvictNode, []string{"shop-web-00001"}, "refused: operation first (ReplaceNode) runs"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t).active()
			tc.given(w)
			w.ask(tc.kind, "asked", tc.nodes...)
			w.mustPass()
			w.ended(tc.kind, v1alpha1.OperationFailed, tc.want)
		})
	}
}
