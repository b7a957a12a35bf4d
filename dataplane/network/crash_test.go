package network

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
)

// settle makes passes, of a new controller where one has been stopped, until done says so.
func (w *world) settle(t testing.TB, what string, done func() bool) {
	t.Helper()
	for range 6 {
		_, _ = w.later(t, 10*time.Minute)
		if w.Dead.Load() {
			w.restart()
			continue
		}
		if done() {
			return
		}
	}
	t.Fatalf("%s does not come to its end: %+v", what, w.network.Status)
}

// live is a whole life of a network, in which it may be stopped at one point, and the calls
// of it.
func live(t *testing.T, prepare func(*world)) (w *world, calls []front.Call) {
	w = newWorld(t).create(t)
	c := w.neutron(t)
	w.ResetCalls()
	prepare(w)
	w.settle(t, "the creation", func() bool {
		return w.network.Status.ObservedGeneration == w.network.Generation && w.network.Status.NodeSecurityGroupID != ""
	})
	w.is(t, "Ready", "True", "AsExpected", "")
	w.holds(t, whole)
	made := len(w.Calls(front.Match{}))
	if group := groupOf(t, w, c); len(group.Rules) != 7 {
		t.Errorf("%d rules, want 7", len(group.Rules))
	}
	w.dismiss(t)
	w.settle(t, "the deletion", func() bool { return w.gone(t) })
	w.holds(t, map[string]int{})
	calls = w.Calls(front.Match{})
	return w, slices.Delete(calls, made, made+1) // that of this test
}

// Whatever happens at any call of the cloud, there is one of each in the end, and nothing
// after the deletion. The points come from a recorded life, so that new calls are covered by
// themselves.
func TestStoppedAtAnyCall(t *testing.T) {
	_, calls := live(t, func(*world) {})
	kinds := map[string]int{}
	for _, c := range calls {
		kinds[c.Method]++
	}
	if diff := cmp.Diff(map[string]bool{"POST": true, "PUT": true, "DELETE": true, "GET": true}, map[string]bool{
		"POST": kinds["POST"] >= 6, "PUT": kinds["PUT"] == 2, "DELETE": kinds["DELETE"] == 4, "GET": kinds["GET"] > 10,
	}); diff != "" {
		t.Fatalf("the recorded life is not one (%v):\n%s", kinds, diff)
	}
	for _, c := range calls {
		for _, s := range front.Stops {
			t.Run(fmt.Sprintf("%d %s, %s", c.N, c, s.Name), func(t *testing.T) {
				t.Parallel()
				if w, _ := live(t, func(w *world) { w.Interrupt(c.N, s, &w.Dead, &w.Harmed) }); !w.Harmed.Load() {
					t.Error("no harm was done")
				}
			})
		}
	}
}

// The same for what it writes into the management cluster.
func TestStoppedAtAnyWrite(t *testing.T) {
	whole, _ := live(t, func(*world) {})
	writes := whole.Writes.Load()
	if writes != 3 {
		t.Fatalf("%d writes in a life, want 3: the project, the status, the finalizer", writes)
	}
	for n := range writes {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d, after it: %v", n+1, after), func(t *testing.T) {
				live(t, func(w *world) { w.KillAt, w.KillAfter = n+1, after })
			})
		}
	}
}
