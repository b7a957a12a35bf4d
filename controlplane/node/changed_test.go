package node

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

var sameTime = cmp.Comparer(func(a, b metav1.Time) bool { return a.Equal(&b) })

// Who asks for a look at a node gets it when the tenant has answered, once, whatever the clock
// of who asks.
func TestCheck(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"one clock": 0, "ahead": time.Hour, "behind": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			asked := metav1.NewTime(w.now.Add(ahead).Truncate(time.Second))
			w.newMachine("asked", func(m *v1alpha1.Machine) { m.Spec.CheckAfter = &asked })
			w.newNode("asked", corev1.ConditionFalse, "dead")
			w.silent = true
			w.mustPass()
			if n := w.machine("asked").Status.Node; n != nil && n.Checked != nil {
				t.Errorf("looked at at %s in a tenant that does not answer", n.Checked.At)
			}
			w.silent, w.now = false, w.now.Add(time.Minute)
			w.mustPass()
			first := w.machine("asked").Status.Node.Checked
			if !first.Answers(&asked) || !first.At.Time.Equal(w.now.Truncate(time.Second)) {
				t.Fatalf("%+v, want a look at %s", first, w.now)
			}
			w.now = w.now.Add(time.Minute)
			w.mustPass()
			if again := w.machine("asked").Status.Node.Checked; !again.At.Equal(&first.At) {
				t.Errorf("looked at at %s again, which nobody has asked for", again.At)
			}
		})
	}
}

// TestRule23OurClock is about when a node has changed: that is when it was seen here, whatever
// the clock of the node says, or whoever writes its status.
func TestRule23OurClock(t *testing.T) {
	w := newWorld(t)
	w.newMachine("shop-a")
	node := w.newNode("shop-a", "True", "")
	changed := func(what string, want time.Time) {
		t.Helper()
		w.mustPass()
		if got := w.machine("shop-a").Status.Node.ChangedAt; !got.Equal(&metav1.Time{Time: want.Truncate(time.Second)}) {
			t.Errorf("%s: changed at %s, want %s", what, got, want)
		}
	}
	set := func(status corev1.ConditionStatus, at time.Time) {
		t.Helper()
		w.now = w.now.Add(time.Minute)
		node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: status, LastTransitionTime: metav1.NewTime(at)}}
		w.check(server.Client.Status().Update(t.Context(), node))
	}
	changed("Ready", w.now)
	set("False", w.now.Add(-24*time.Hour))
	lost := w.now
	changed("NotReady since yesterday, it says", lost)
	w.now = w.now.Add(5 * time.Minute)
	changed("still", lost)
	set("Unknown", w.now.Add(24*time.Hour))
	changed("Unknown since tomorrow, it says", w.now)
	w.now = w.now.Add(-time.Hour)
	changed("the clock was set back", w.now)

	m := w.machine("shop-a")
	m.Status.Node.ChangedAt = nil
	w.check(server.Client.Status().Update(t.Context(), m))
	w.now = w.now.Add(time.Minute)
	changed("of an earlier Marina", w.now)
	m = w.machine("shop-a")
	m.Status.Node = &v1alpha1.MachineNode{Since: &transition}
	w.check(server.Client.Status().Update(t.Context(), m))
	w.delete(node)
	w.now = w.now.Add(time.Minute)
	changed("gone, of an earlier Marina", w.now)
}

// TestRule23Missed is about nodes whose time is over: that one is not Ready is said as long as the
// tenant says it, and nothing is said of a tenant that does not answer.
func TestRule23Missed(t *testing.T) {
	w := newWorld(t)
	requested := metav1.NewTime(w.now.Truncate(time.Second))
	w.newMachine("shop-a", func(m *v1alpha1.Machine) { m.Spec.CreationTimeoutSeconds = 1800 })
	m := w.machine("shop-a")
	m.Status.RequestedAt = &requested
	w.check(server.Client.Status().Update(t.Context(), m))
	missed := func(when string, after time.Duration, want time.Duration) {
		t.Helper()
		w.now = requested.Add(after)
		w.mustPass()
		var got *metav1.Time
		if n := w.machine("shop-a").Status.Node; n != nil {
			got = n.Missed
		}
		if want == 0 && got != nil || want > 0 && (got == nil || !got.Time.Equal(requested.Add(want))) {
			t.Errorf("%s: missed at %s, want %s after %s (0s: not at all)", when, got, want, requested)
		}
	}
	missed("before its time is over", 30*time.Minute-time.Second, 0)
	w.silent = true
	missed("in a tenant that does not answer", 31*time.Minute, 0)
	w.silent = false
	missed("when it answers", 32*time.Minute, 32*time.Minute)
	missed("again within a minute", 32*time.Minute+50*time.Second, 32*time.Minute)
	missed("a minute later", 33*time.Minute, 33*time.Minute)
	if n := w.machine("shop-a").Status.Node; n.Message != "" || n.Since != nil {
		t.Errorf("of a node that never was it says %+v", n)
	}
	w.silent = true
	missed("when it does not answer any more", time.Hour, 33*time.Minute)
	w.silent = false
	node := w.newNode("shop-a", corev1.ConditionFalse, "no network yet")
	missed("with a node that is not Ready", time.Hour, time.Hour)
	w.setReady(node, corev1.ConditionTrue, "")
	missed("with one that is", time.Hour+time.Second, 0)
}
