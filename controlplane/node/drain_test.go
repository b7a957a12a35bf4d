package node

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// newDrain is a world with two nodes, of which shop-a is deleted.
func newDrain(t *testing.T, change ...func(*v1alpha1.Machine)) *world {
	t.Helper()
	w := newWorld(t)
	w.twoNodes(change...)
	return w
}

// twoNodes are Ready, and belong to Machines.
func (w *world) twoNodes(change ...func(*v1alpha1.Machine)) {
	w.Helper()
	w.newMachine("shop-a", change...)
	w.newMachine("shop-b")
	w.newNode("shop-a", "True", "")
	w.newNode("shop-b", "True", "")
	w.mustPass()
	w.beenReady("shop-a", "shop-b")
}

// beenReady has Machines remember that they have been nodes.
func (w *world) beenReady(names ...string) {
	w.Helper()
	for _, name := range names {
		m := w.machine(name)
		m.Status.ReadySince = &transition
		w.check(server.Client.Status().Update(w.Context(), m))
	}
}

// leave deletes a Machine.
func (w *world) leave(name string) {
	w.Helper()
	w.delete(&v1alpha1.Machine{ObjectMeta: w.meta(name)})
}

// wantDrain checks how far the drain of shop-a is, and what it says.
func (w *world) wantDrain(when string, drained bool, says string) {
	w.Helper()
	n := w.machine("shop-a").Status.Node
	if n == nil || n.Drained != drained || !strings.Contains(n.DrainMessage, says) || says == "" && n.DrainMessage != "" {
		w.Errorf("%s: %+v; want drained %v, saying %q", when, n, drained, says)
	}
}

func controlledBy(kind, apiVersion string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		pod.OwnerReferences = []metav1.OwnerReference{{APIVersion: apiVersion, Kind: kind, Name: "owner", UID: "1", Controller: new(true)}}
	}
}

// The pods that can move are evicted, the others stay, and the node is drained when the
// former have ended.
func TestDrain(t *testing.T) {
	w := newDrain(t)
	w.newPod("web", "shop-a", controlledBy("ReplicaSet", "apps/v1"))
	w.newPod("bare", "shop-a")
	w.newPod("agent", "shop-a", controlledBy("DaemonSet", "apps/v1"))
	w.newPod("static", "shop-a", func(pod *corev1.Pod) { pod.Annotations = map[string]string{"kubernetes.io/config.mirror": "1"} })
	w.newPod("done", "shop-a", func(pod *corev1.Pod) { pod.Status.Phase = corev1.PodSucceeded })
	w.newPod("failed", "shop-a", func(pod *corev1.Pod) { pod.Status.Phase = corev1.PodFailed })
	w.newPod("elsewhere", "shop-b")
	w.leave("shop-a")

	if again := w.mustPass(); again != 2*time.Second {
		t.Errorf("it looks again after %s, want 2s", again)
	}
	want := map[string]bool{"web": true, "bare": true, "agent": false, "static": false, "done": false, "failed": false}
	if diff := cmp.Diff(want, w.pods("shop-a")); diff != "" {
		t.Errorf("pods that have been told to end (-want +got):\n%s", diff)
	}
	if w.pods("shop-b")["elsewhere"] || w.node("shop-b").Spec.Unschedulable || !w.node("shop-a").Spec.Unschedulable {
		t.Error("the other node is touched, or this one is not cordoned")
	}
	w.wantDrain("while pods end", false, "waiting for pods to end: "+w.namespace+"/bare, "+w.namespace+"/web")
	if began := w.machine("shop-a").Status.Node.DrainStartedAt; !began.Time.Equal(w.now) {
		t.Errorf("it began at %s, want %s", began, w.now)
	}
	w.mustPass()
	for _, request := range w.requests() {
		if !strings.HasPrefix(request, "GET ") {
			t.Errorf("while it waits for pods that end, it asks for %s", request)
		}
	}

	w.endPods("shop-a")
	if again := w.mustPass(); again != 30*time.Second {
		t.Errorf("drained, it looks again after %s, want 30s: an event tells when the server is gone", again)
	}
	w.wantDrain("when they have ended", true, "")
	if diff := cmp.Diff(w.looks(), w.requests()); diff != "" {
		t.Errorf("requests when it is drained (-want +got):\n%s", diff)
	}
}

// A PodDisruptionBudget is respected for ten minutes, of which a restart takes nothing away.
func TestRule22DrainRespectsPodDisruptionBudgets(t *testing.T) {
	for name, tc := range map[string]struct {
		seconds *int32
		timeout time.Duration
		seen    bool
		says    string
	}{
		"ten minutes by default":   {nil, 10 * time.Minute, true, "The disruption budget web needs 1 healthy pods and has 1 currently"},
		"less":                     {new(int32(90)), 90 * time.Second, true, "The disruption budget web needs 1 healthy pods and has 1 currently"},
		"one that nobody has seen": {nil, 10 * time.Minute, false, "The disruption budget web is still being processed by the server."},
	} {
		t.Run(name, func(t *testing.T) {
			w := newDrain(t, func(m *v1alpha1.Machine) { m.Spec.DrainTimeoutSeconds = tc.seconds })
			w.guardPod("web", tc.seen)
			w.newPod("web", "shop-a")
			w.newPod("bare", "shop-a")
			w.leave("shop-a")
			began := w.now
			until := func(after time.Duration) { w.now = began.Add(after) }
			for _, after := range []time.Duration{0, time.Minute, tc.timeout - time.Second} {
				until(after)
				if again := w.mustPass(); again != 2*time.Second {
					t.Errorf("after %s it looks again after %s, want 2s", after, again)
				}
				w.endPods("shop-a")
				if diff := cmp.Diff(map[string]bool{"web": false}, w.pods("shop-a")); diff != "" {
					t.Errorf("pods after %s (-want +got):\n%s", after, diff)
				}
				w.wantDrain(fmt.Sprintf("after %s", after), false, w.namespace+"/web ("+tc.says+")")
			}
			until(tc.timeout)
			w.mustPass()
			if diff := cmp.Diff(map[string]bool{"web": true}, w.pods("shop-a")); diff != "" {
				t.Errorf("pods when the time-out is over (-want +got):\n%s", diff)
			}
			w.wantDrain("when the time-out is over", false, "the drain time-out is over, waiting for pods that were deleted: "+w.namespace+"/web")
			until(tc.timeout + 29*time.Second)
			w.mustPass()
			w.wantDrain("while it ends", false, "the drain time-out is over")
			until(tc.timeout + 30*time.Second)
			w.mustPass()
			w.wantDrain("when it has not ended", true, "the drain time-out is over, and these pods have not ended: "+w.namespace+"/web")
			if got := w.machine("shop-a").Status.Node.DrainStartedAt; !got.Time.Equal(began) {
				t.Errorf("it says that it began at %s, want %s", got, began)
			}
		})
	}
}

// After a manager was away for long, pods are told to end nevertheless.
func TestRule22DrainAfterALongPause(t *testing.T) {
	w := newDrain(t)
	w.guardPod("web", true)
	w.newPod("web", "shop-a")
	w.leave("shop-a")
	w.mustPass()
	w.now = w.now.Add(time.Hour)
	w.mustPass()
	w.wantDrain("after an hour", true, "have not ended")
	if diff := cmp.Diff(map[string]bool{"web": true}, w.pods("shop-a")); diff != "" {
		t.Errorf("pods (-want +got):\n%s", diff)
	}
}

// Several nodes are drained at once, and what blocks one is no matter for another.
func TestDrainsGoOnInParallel(t *testing.T) {
	w := newDrain(t)
	w.newMachine("shop-c")
	w.newNode("shop-c", "True", "")
	w.guardPod("web", true)
	w.newPod("web", "shop-a")
	w.newPod("free", "shop-c")
	w.leave("shop-a")
	w.leave("shop-c")
	w.mustPass()
	w.endPods("shop-c")
	w.mustPass()
	w.wantDrain("with a budget", false, w.namespace+"/web (")
	if n := w.machine("shop-c").Status.Node; !n.Drained {
		t.Errorf("the other one waits: %s", n.DrainMessage)
	}
}

// A pass evicts so many pods of each node and no more, so that it does not take long.
func TestAPassIsLimited(t *testing.T) {
	w := newDrain(t)
	for i := range 5 {
		w.newPod(fmt.Sprintf("pod-%d", i), "shop-a")
	}
	for i := range 39 {
		name := fmt.Sprintf("shop-never-%d", i)
		w.newMachine(name)
		w.leave(name)
	}
	w.leave("shop-a")
	evictions := func() (n int) {
		for _, request := range w.requests() {
			if strings.HasSuffix(request, "/eviction") {
				n++
			}
		}
		return n
	}
	if n := evictions(); n != 2 {
		t.Errorf("with 40 nodes that leave it evicts %d pods of this one, want 2", n)
	}
	w.wantDrain("with many pods", false, "pod-2, 2 more")
	if n := evictions(); n != 3 {
		t.Errorf("when the others are drained it evicts %d pods, want the 3 that are left", n)
	}
}

func TestShare(t *testing.T) {
	leaving := v1alpha1.Machine{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &transition}}
	for leave, want := range map[int]int{0: 100, 1: 100, 3: 33, 300: 1} {
		if got := shareOf(append(slices.Repeat([]v1alpha1.Machine{leaving}, leave), v1alpha1.Machine{})); got != want {
			t.Errorf("each of %d nodes has a share of %d, want %d", leave, got, want)
		}
	}
}

func TestTimeout(t *testing.T) {
	for want, seconds := range map[time.Duration]*int32{10 * time.Minute: nil, 0: new(int32(0)), 5 * time.Second: new(int32(5))} {
		if got := timeoutOf(&v1alpha1.Machine{Spec: v1alpha1.MachineSpec{DrainTimeoutSeconds: seconds}}); got != want {
			t.Errorf("a drain may take %s, want %s", got, want)
		}
	}
}
