package machine

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// rebooted has a Ready node rebooted by a controller that may be killed meanwhile.
func rebooted(t *testing.T, kill func(*world)) *world {
	t.Helper()
	w := newWorld(t)
	m := w.machine(t)
	w.ready(t)
	w.Writes.Store(0)
	kill(w)
	m.Spec.Reboot = "asked"
	w.must(t, management.Client.Update(t.Context(), m))
	w.settle(t, "the reboot", 5*time.Second, func() bool { return m.Status.Reboot != nil && m.Status.Reboot.DoneAt != nil })
	if n := w.Count(front.Match{Method: "POST", Path: "/servers/{id}/action"}); n != 1 {
		t.Errorf("the server was rebooted %d times, want once", n)
	}
	w.settle(t, "what is after it", 5*time.Second, func() bool { return m.Status.State == v1alpha1.MachineReady })
	if s := m.Status; s.Reboot.Request != "asked" || s.Reboot.AskedAt == nil || s.Failures != 0 {
		t.Errorf("%+v", s)
	}
	return w
}

// TestRule24RebootOnce is about a reboot that is written down: whoever is killed at whichever
// write of it, the server is rebooted once, and not again for the same request.
func TestRule24RebootOnce(t *testing.T) {
	w := rebooted(t, func(*world) {})
	writes := w.Writes.Load()
	if writes < 3 {
		t.Fatalf("%d writes: the request, that the cloud was asked, and that it was done", writes)
	}
	w.restart()
	w.round(t, 5*time.Minute)
	w.round(t, 5*time.Minute)
	if n := w.Count(front.Match{Method: "POST", Path: "/servers/{id}/action"}); n != 1 {
		t.Errorf("a new controller rebooted it again: %d times", n)
	}
	for n := range writes {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d, after it: %v", n+1, after), func(t *testing.T) {
				rebooted(t, func(w *world) { w.KillAt, w.KillAfter = n+1, after })
			})
		}
	}
}

// A look that somebody asks for is at the cloud as it is now, and is not noted before, whatever
// the clock of who asks.
func TestCheck(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"one clock": 0, "ahead": time.Hour, "behind": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			m := w.machine(t)
			w.ready(t)
			w.round(t, 10*time.Second)
			w.ResetCalls()
			outage := w.Inject(front.Fault{Match: front.Match{Service: "compute"}, Effect: front.Fail(503)})
			now := w.clock.Now()
			asked := metav1.NewTime(now.Add(ahead).Truncate(time.Second))
			m.Spec.CheckAfter = &asked
			w.must(t, management.Client.Update(t.Context(), m))
			w.round(t, 10*time.Second)
			if m.Status.Checked != nil {
				t.Errorf("it was looked at at %s in a cloud that does not answer", m.Status.Checked.At)
			}
			outage.Remove()
			w.settle(t, "the look", 10*time.Second, func() bool { return m.Status.Checked.Answers(&asked) })
			if m.Status.Checked.At.Time.Before(now) {
				t.Errorf("looked at at %s, want not before %s", m.Status.Checked.At, now)
			}
			w.Writes.Store(0)
			w.round(t, 10*time.Second)
			if n := w.Writes.Load(); n != 0 {
				t.Errorf("%d writes after it", n)
			}
		})
	}
}
