package nodepool

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// operations are those that there are.
func (w *world) operations() []v1alpha1.Operation {
	w.Helper()
	list := &v1alpha1.OperationList{}
	w.must(management.Client.List(w.Context(), list, client.InNamespace(w.pool.Namespace)))
	return list.Items
}

// history checks what is recorded: "Scale Succeeded 3/3".
func (w *world) history(want ...string) {
	w.Helper()
	var got []string
	for _, o := range w.operations() {
		words := fmt.Sprintf("%s %s %s", o.Spec.Type, o.Status.Phase, o.Status.Progress)
		if o.Spec.RetryOf != "" {
			words += " retried"
		}
		got = append(got, words)
		if s := o.Status; s.Phase.Finished() && (s.FinishedAt == nil || s.StartedAt == nil && s.Phase == v1alpha1.OperationSucceeded || s.StartedAt != nil && s.FinishedAt.Before(s.StartedAt) || s.Message == "") {
			w.Errorf("operation %s ended as %+v", o.Name, s)
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		w.Errorf("history (-want +got):\n%s", diff)
	}
}

// ask asks for an action, as a user does.
func (w *world) ask(kind v1alpha1.OperationType, name string, nodes ...string) *v1alpha1.Operation {
	w.Helper()
	o := &v1alpha1.Operation{ObjectMeta: metav1.ObjectMeta{Namespace: w.pool.Namespace, Name: name}}
	o.Spec = v1alpha1.OperationSpec{TargetRef: v1alpha1.OperationTarget{Kind: "NodePool", Name: w.pool.Name}, Type: kind, Nodes: nodes}
	w.create(o)
	return o
}

func (w *world) operation(kind v1alpha1.OperationType) v1alpha1.Operation {
	w.Helper()
	all := w.operations()
	i := slices.IndexFunc(all, func(o v1alpha1.Operation) bool { return o.Spec.Type == kind })
	if i < 0 {
		w.Fatalf("there is no %s among %+v", kind, all)
	}
	return all[i]
}

// An autoscaler changes the number again before it is reached: that is one Scale, which tells
// step by step how far it is, with few writes.
func TestScalesAreMerged(t *testing.T) {
	w := newWorld(t).active()
	w.change(func(s *v1alpha1.NodePoolSpec) { s.Replicas = new(int32(5)) })
	w.mustPass()
	for _, n := range []int32{7, 6} {
		w.change(func(s *v1alpha1.NodePoolSpec) { s.Replicas = &n })
		w.mustPass()
	}
	o := w.operation(v1alpha1.OperationScale)
	if o.Status.Merged != 2 || o.Status.Generation != w.pool.Generation || w.pool.Status.Operation != o.Name || o.Status.Steps[0].Phase != v1alpha1.OperationRunning {
		t.Errorf("%q runs: %+v", w.pool.Status.Operation, o.Status)
	}
	w.settle()
	w.history("Create Succeeded 4/4", "Scale Succeeded 3/3")
	if o := w.operation(v1alpha1.OperationScale); o.Status.Message != "the pool has its 6 nodes, after the spec had changed 2 times more" {
		t.Error(o.Status.Message)
	}
	if w.pool.Status.Operation != "" {
		t.Errorf("%q runs still", w.pool.Status.Operation)
	}
}

// Each step is told once, and not each node.
func TestFewWritesOfAnOperation(t *testing.T) {
	w := newWorld(t).active()
	w.change(func(s *v1alpha1.NodePoolSpec) { s.Replicas = new(int32(8)) })
	w.mustPass()
	first := w.operation(v1alpha1.OperationScale)
	for _, m := range w.machines() {
		if m.Status.ServerID == "" {
			w.report(m, func(s *v1alpha1.MachineStatus) { s.ServerID = "server-of-" + m.Name })
			w.mustPass()
		}
	}
	made := w.operation(v1alpha1.OperationScale)
	w.settle()
	last := w.operation(v1alpha1.OperationScale)
	if first.Generation != made.Generation || made.Status.Progress != "1/3" || last.Status.Phase != v1alpha1.OperationSucceeded {
		t.Errorf("%+v, then %+v, then %+v", first.Status, made.Status, last.Status)
	}
	before := w.Writes.Load()
	for range 3 {
		w.mustPass()
	}
	if w.Writes.Load() != before {
		t.Error("a pool that is as asked writes")
	}
}

// A Resync runs beside what does not come to its end, and ends when all servers have been
// looked at.
func TestResync(t *testing.T) {
	w := newWorld(t)
	w.create(w.pool)
	w.mustPass()
	asked := w.ask(v1alpha1.OperationResync, "asked")
	w.mustPass()
	for _, m := range w.machines() {
		if m.Spec.Resync != string(asked.UID) {
			t.Errorf("%s is to be looked at for %q", m.Name, m.Spec.Resync)
		}
	}
	w.history("Create Running 2/4", "Resync Running 0/1")
	w.settle()
	w.history("Create Succeeded 4/4", "Resync Succeeded 1/1")

	w.ask(v1alpha1.OperationResync, "unanswered")
	w.mustPass()
	w.now = w.now.Add(11 * time.Minute)
	w.mustPass()
	w.history("Create Succeeded 4/4", "Resync Failed 0/1", "Resync Succeeded 1/1")

	// One of the Cluster is passed on by the network.
	w.network.Spec.Resync = "of-the-cluster"
	w.must(management.Client.Update(t.Context(), w.network))
	w.mustPass()
	if w.pool.Status.Resynced != "" {
		t.Error("it is done before anything was looked at")
	}
	for _, m := range w.machines() {
		w.report(m, func(s *v1alpha1.MachineStatus) { s.Resynced = m.Spec.Resync + "/of-the-cluster" })
	}
	w.mustPass()
	if w.pool.Status.Resynced != "of-the-cluster" {
		t.Errorf("it has been looked at for %q", w.pool.Status.Resynced)
	}
}

// The history stays when the pool is gone; and what is about a cluster of its name is no
// matter to it.
func TestRule09HistoryStays(t *testing.T) {
	w := newWorld(t)
	other := &v1alpha1.Operation{ObjectMeta: metav1.ObjectMeta{Namespace: w.pool.Namespace, Name: "other"}}
	other.Spec = v1alpha1.OperationSpec{TargetRef: v1alpha1.OperationTarget{Kind: "Cluster", Name: w.pool.Name}, Type: v1alpha1.OperationRestart}
	w.create(other)
	w.active()
	w.ask(v1alpha1.OperationResync, "late")
	w.must(management.Client.Delete(t.Context(), w.pool))
	w.settle()
	if w.history("Create Succeeded 4/4", "Delete Succeeded 2/2", "Restart  ", "Resync Failed "); !w.gone() {
		t.Error("the pool is still there")
	}
}

// What stands for a spec that an earlier Marina has taken up is what it was, also with what an
// update brings to all pools: else each of them would be recorded as changed.
func TestAnUpdateOfMarinaIsNoChangeOfPools(t *testing.T) {
	spec := v1alpha1.NodePoolSpec{ClusterRef: v1alpha1.LocalReference{Name: "shop"}, Replicas: new(int32(3)), Flavor: "b3-8", Labels: map[string]string{"tier": "web"}}
	before := "6c194ad1602b33fc" // of a Marina without autoHeal
	if got := restOf(spec); got != before {
		t.Errorf("as it was: %s, want %s", got, before)
	}
	spec.CreationTimeoutSeconds, spec.AutoHeal.Enabled, spec.AutoHeal.NotReadyTimeoutSeconds = new(int32(1800)), new(true), new(int32(600))
	if got := restOf(spec); got != before {
		t.Errorf("with defaults: %s, want %s", got, before)
	}
	spec.Flavor = "b3-16"
	if got := restOf(spec); got == before {
		t.Error("another flavor is no change")
	}
}
