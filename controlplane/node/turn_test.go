package node

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// states are how far the nodes of Machines are emptied, after a pass.
func (w *world) states(names ...string) map[string]string {
	w.Helper()
	w.mustPass()
	states := map[string]string{}
	for _, name := range names {
		switch n := w.machine(name).Status.Node; {
		case n.Drained:
			states[name] = strings.TrimSpace("empty " + n.DrainMessage)
		case n.DrainStartedAt != nil:
			states[name] = "begun"
		case n.WaitsSince != nil:
			what, _, _ := strings.Cut(n.DrainMessage, ", until")
			states[name] = what
		default:
			states[name] = ""
		}
	}
	return states
}

func (w *world) want(when string, want map[string]string) {
	w.Helper()
	var names []string
	for name := range want {
		names = append(names, name)
	}
	if diff := cmp.Diff(want, w.states(names...)); diff != "" {
		w.Errorf("%s (-want +got):\n%s", when, diff)
	}
}

// inPlace has the server of a Machine made anew, and its node come back.
func (w *world) inPlace(name, boot string) {
	w.Helper()
	w.progressOf(name, true)
	w.bootsOf(name, boot, "v1.38.0", w.now)
	w.mustPass()
	m := w.machine(name)
	if m.Status.Node.Rebuilt != "one" {
		w.Fatalf("%s has not come back: %+v", name, m.Status.Node)
	}
	m.Status.Rebuilt, m.Status.Rebuild = "one", nil
	w.check(server.Client.Status().Update(w.Context(), m))
}

const (
	anew    = "waiting while shop-a is emptied and made anew"
	removed = "waiting while shop-a is emptied and removed"
	another = "waiting while shop-a is replaced"
)

// Two pools of one node each that are remade at the same time are so one after the other, and
// what PodDisruptionBudgets guard is never told to end: it moves.
func TestRule22PoolsOfOneNodeTakeTurns(t *testing.T) {
	w := newDrain(t)
	w.newPod("web", "shop-a")
	w.guardPod("web", true)
	w.askForRebuildOf("shop-b")
	w.askForRebuildOf("shop-a")
	w.want("both are to be remade", map[string]string{"shop-a": "begun", "shop-b": anew})
	w.now = w.now.Add(9 * time.Minute)
	w.want("a budget is in the way", map[string]string{"shop-a": "begun", "shop-b": anew})
	if w.pods("shop-a")["web"] || w.node("shop-b").Spec.Unschedulable {
		t.Error("the pod is told to end, or has nowhere to go")
	}
	w.delete(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "web"}})
	w.endPods("shop-a")
	w.newPod("moved", "shop-b")
	w.want("it is empty", map[string]string{"shop-a": "empty", "shop-b": anew})
	w.progress(false)
	w.setReady(w.node("shop-a"), "Unknown", "")
	w.want("it is being remade", map[string]string{"shop-a": "empty", "shop-b": anew})
	w.inPlace("shop-a", "2")
	w.want("it has come back", map[string]string{"shop-a": "", "shop-b": "begun"})
	w.endPods("shop-b")
	w.want("the other is empty", map[string]string{"shop-b": "empty"})
	w.inPlace("shop-b", "2")
	w.want("both have come back", map[string]string{"shop-a": "", "shop-b": ""})
}

// One that is to be remade in the middle of another's turn takes nothing away from that, also
// where its name comes first.
func TestRule22ATurnIsNotCutShort(t *testing.T) {
	w := newDrain(t)
	w.newPod("web", "shop-b")
	w.guardPod("web", true)
	w.askForRebuildOf("shop-b")
	w.want("alone", map[string]string{"shop-b": "begun"})
	w.now = w.now.Add(3 * time.Minute)
	w.askForRebuildOf("shop-a")
	w.want("with the other", map[string]string{"shop-a": strings.Replace(anew, "shop-a", "shop-b", 1), "shop-b": "begun"})
	if w.pods("shop-b")["web"] {
		t.Error("the pod is told to end")
	}
}

// Nobody waits for ever for a node that does not come back, and then has his time, too.
func TestRule22ATurnEnds(t *testing.T) {
	w := newDrain(t)
	w.newPod("web", "shop-b")
	w.guardPod("web", true)
	w.askForRebuildOf("shop-a")
	w.askForRebuildOf("shop-b")
	began := w.now
	w.mustPass()
	w.want("the first is empty", map[string]string{"shop-a": "empty", "shop-b": anew})
	w.progress(false)
	w.setReady(w.node("shop-a"), "Unknown", "")
	end := began.Add(20*time.Minute + 30*time.Second)
	if says := w.machine("shop-b").Status.Node.DrainMessage; says != anew+", until "+end.Format(time.RFC3339)+" at the latest: no other node takes pods" {
		t.Errorf("it says %q", says)
	}
	w.now = end.Add(-time.Second)
	w.want("it has not come back", map[string]string{"shop-a": "empty", "shop-b": anew})
	w.now = end
	w.want("it has had its time", map[string]string{"shop-b": "begun"})
	w.now = end.Add(10*time.Minute - time.Second)
	if w.mustPass(); w.pods("shop-b")["web"] {
		t.Error("the pod is told to end within ten minutes")
	}
	w.now = end.Add(10 * time.Minute)
	if w.mustPass(); !w.pods("shop-b")["web"] {
		t.Error("the pod is not told to end after ten minutes")
	}
}

// Who waits for whom, where no other node takes pods.
func TestRule22Turns(t *testing.T) {
	const skipped = "empty not drained: there is no other node for its pods"
	ofPool := func(w *world, n *int32) *v1alpha1.NodePool {
		pool := &v1alpha1.NodePool{ObjectMeta: metav1.ObjectMeta{Namespace: w.cluster.Namespace, Name: "pool" + w.namespace[len("marina-"):]}}
		pool.Labels = map[string]string{v1alpha1.LabelShard: v1alpha1.DefaultShard}
		pool.Spec = v1alpha1.NodePoolSpec{ClusterRef: v1alpha1.LocalReference{Name: w.cluster.Name}, Flavor: "b3-8", Replicas: n}
		w.create(pool)
		w.Cleanup(func() { w.check(server.Client.Delete(t.Context(), pool)) })
		w.ofPool = v1alpha1.PoolReference{Name: pool.Name, UID: pool.UID}
		return pool
	}
	replicas := func(w *world, n int32) { ofPool(w, &n) }
	// leftOut is a pool of n nodes that keeps that number, and does not say so yet.
	leftOut := func(w *world, n int32) {
		pool := ofPool(w, nil)
		pool.Status.Accepted = &v1alpha1.AcceptedPool{Replicas: n}
		w.check(server.Client.Status().Update(t.Context(), pool))
	}
	for name, tc := range map[string]struct {
		before, change func(w *world)
		a, b           string
	}{
		"both are deleted, and nothing comes": {change: func(w *world) { w.leave("shop-a"); w.leave("shop-b") }, a: skipped, b: skipped},
		"both are replaced, without one more": {func(w *world) { replicas(w, 2) }, func(w *world) { w.leave("shop-a"); w.leave("shop-b") }, "begun", another},
		"both go of a pool that has none":     {func(w *world) { replicas(w, 0) }, func(w *world) { w.leave("shop-a"); w.leave("shop-b") }, skipped, skipped},
		"both are replaced, of a kept number": {func(w *world) { leftOut(w, 2) }, func(w *world) { w.leave("shop-a"); w.leave("shop-b") }, "begun", another},
		"both go, of a kept number":           {func(w *world) { leftOut(w, 0) }, func(w *world) { w.leave("shop-a"); w.leave("shop-b") }, skipped, skipped},
		"one goes, the other is remade":       {change: func(w *world) { w.leave("shop-a"); w.askForRebuildOf("shop-b") }, a: "begun", b: removed},
		"one is remade, the other goes":       {change: func(w *world) { w.askForRebuild(); w.leave("shop-b") }, a: "begun", b: anew},
		"the other is being made": {change: func(w *world) {
			w.leave("shop-b")
			w.mustPass()
			w.delete(w.node("shop-b"))
			w.serverIsGone("shop-b")
			w.newMachine("shop-0")
			w.askForRebuild()
		}, a: "waiting while shop-0 becomes a node"},
		"the other cannot be made": {change: func(w *world) {
			w.delete(w.node("shop-b"))
			m := w.machine("shop-b")
			m.Status.ReadySince = nil
			m.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: "False", Reason: "QuotaExceeded", LastTransitionTime: transition}}
			w.check(server.Client.Status().Update(t.Context(), m))
			w.askForRebuild()
		}, a: skipped},
		"one is lost, which waits for nobody": {change: func(w *world) {
			w.setReady(w.node("shop-b"), "Unknown", "")
			w.askForRebuild()
			w.askForRebuildOf("shop-b")
		}, a: "waiting while shop-b is emptied and made anew", b: "begun"},
		"the only one": {change: func(w *world) {
			w.delete(w.node("shop-b"))
			w.askForRebuild()
		}, a: skipped},
		"a node of others is there": {change: func(w *world) {
			w.newNode("mine", "True", "")
			w.askForRebuild()
			w.askForRebuildOf("shop-b")
		}, a: "begun", b: "begun"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if tc.before != nil {
				tc.before(w)
			}
			w.twoNodes()
			w.newPod("web-a", "shop-a")
			w.newPod("web-b", "shop-b")
			tc.change(w)
			want := map[string]string{"shop-a": tc.a}
			if tc.b != "" {
				want["shop-b"] = tc.b
			}
			w.want("after a pass", want)
			w.want("after another", want)
		})
	}
}
