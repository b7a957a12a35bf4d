package machine

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// settle makes rounds, of a new controller where one has been stopped, until done says so.
func (w *world) settle(t testing.TB, what string, step time.Duration, done func() bool) {
	t.Helper()
	for range 60 {
		w.round(t, step)
		if w.Dead.Load() {
			w.restart()
			continue
		}
		if done() {
			return
		}
	}
	for _, m := range w.machines {
		t.Logf("%s: %s, %s", m.Name, m.Status.State, m.Status.Message)
	}
	t.Fatalf("%s does not come to its end", what)
}

// ready makes rounds until all Machines are Ready nodes.
func (w *world) ready(t testing.TB) *world {
	t.Helper()
	w.settle(t, "the creation", 5*time.Second, func() bool {
		for _, m := range w.machines {
			if m.Status.State != v1alpha1.MachineReady {
				return false
			}
		}
		return true
	})
	return w
}

// dismissed deletes all Machines, and makes rounds until they are gone.
func (w *world) dismissed(t testing.TB) {
	t.Helper()
	for _, m := range w.machines {
		w.dismiss(t, m)
	}
	w.settle(t, "the deletion", 5*time.Second, func() bool {
		for _, m := range w.machines {
			if !w.gone(t, m) {
				return false
			}
		}
		return true
	})
	w.holds(t, map[string]int{})
	var all v1alpha1.NodeBootstrapList
	w.must(t, management.Client.List(t.Context(), &all, client.InNamespace(w.network.Namespace)))
	if len(all.Items) > 0 {
		t.Errorf("%d NodeBootstraps are left", len(all.Items))
	}
}

// holds checks what there is in the project that was not there before.
func (w *world) holds(t testing.TB, want map[string]int) {
	t.Helper()
	if diff := cmp.Diff(want, w.left()); diff != "" {
		t.Errorf("in the cloud (-want +got):\n%s", diff)
	}
}

// live is a whole life of a Machine, in which it may be stopped at one point, and the calls
// of it.
func live(t *testing.T, prepare func(*world)) (*world, []front.Call) {
	w := newWorld(t)
	w.route(t)
	m := w.machine(t, func(m *v1alpha1.Machine) { m.Spec.Template.DiskGiB, m.Spec.Template.FloatingIP = 30, true })
	prepare(w)
	w.ready(t)
	w.is(t, m, "Ready", "True", "AsExpected", "")
	w.is(t, m, "ServerReady", "True", "AsExpected", "")
	if m.Status.Failures != 0 {
		t.Errorf("%d failures, want none: what was made was given up", m.Status.Failures)
	}
	w.holds(t, map[string]int{"server": 1, "port": 1, "volume": 1, "floating IP": 1})
	for what, done := range map[string]front.Match{
		"server": {Method: "POST", Path: "/servers", Status: 202}, "floating IP": {Method: "POST", Path: "/floatingips", Status: 201},
	} {
		if n := w.Count(done); n != 1 {
			t.Errorf("a %s was made %d times, want once: one whose answer was lost is found", what, n)
		}
	}
	w.dismissed(t)
	return w, w.Calls(front.Match{})
}

// life is live or reborn: what prepare does to its world may stop the controller at one point.
type life func(t *testing.T, prepare func(*world)) (*world, []front.Call)

// stopAtAnyCall lives a life once for each of its calls and each thing that can happen at one.
func stopAtAnyCall(t *testing.T, live life, calls []front.Call) {
	t.Helper()
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

// stopAtAnyWrite is the same for what is written into the management cluster.
func stopAtAnyWrite(t *testing.T, live life, writes int64) {
	t.Helper()
	for n := range writes {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d, after it: %v", n+1, after), func(t *testing.T) {
				t.Parallel()
				if w, _ := live(t, func(w *world) { w.KillAt, w.KillAfter = n+1, after }); !w.Harmed.Load() {
					t.Error("no harm was done")
				}
			})
		}
	}
}

// Whatever happens at any call of the cloud, there is one server in the end, and nothing
// after the deletion. The points come from a recorded life, so that new calls are covered by
// themselves.
func TestRule08StoppedAtAnyCall(t *testing.T) {
	_, calls := live(t, func(*world) {})
	kinds := map[string]int{}
	for _, c := range calls {
		if c.Service != "identity" {
			kinds[c.Method]++
		}
	}
	if diff := cmp.Diff(map[string]bool{"POST": true, "DELETE": true, "GET": true}, map[string]bool{
		"POST": kinds["POST"] == 2, "DELETE": kinds["DELETE"] == 2, "GET": kinds["GET"] > 8,
	}); diff != "" {
		t.Fatalf("the recorded life is not one (%v):\n%s", kinds, diff)
	}
	stopAtAnyCall(t, live, calls)
}

// The same for what it writes into the management cluster.
func TestRule10StoppedAtAnyWrite(t *testing.T) {
	whole, _ := live(t, func(*world) {})
	writes := whole.Writes.Load()
	if writes < 8 {
		t.Fatalf("%d writes in a life, want those of the request, the server, the node, the bootstrap and the end", writes)
	}
	stopAtAnyWrite(t, live, writes)
}
