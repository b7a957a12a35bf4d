package machine

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// While the cloud cannot be asked, nodes are taken to be as they were, and new ones wait. All
// Machines of a project ask together, later and later, or when the cloud says so.
func TestOutage(t *testing.T) {
	for name, test := range map[string]struct {
		fault front.Fault
		words string
		first time.Duration
	}{
		"Throttled":  {front.Fault{Effect: front.Throttle(90 * time.Second)}, "This request was rate-limited.", 90 * time.Second},
		"Broken":     {front.Fault{Effect: front.Fail(500)}, "HTTP 500", 5 * time.Second},
		"BadGateway": {front.Fault{Match: front.Match{Service: "compute"}, Effect: front.Fail(502)}, "compute: ", 5 * time.Second},
		"Reset":      {front.Fault{Effect: front.Reset()}, "it does not answer: connection ", 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			old := w.machine(t)
			w.ready(t)
			w.rounds(t, time.Minute, 10*time.Second)
			patient := func(m *v1alpha1.Machine) { m.Spec.CreationTimeoutSeconds = 86400 }
			others := []*v1alpha1.Machine{w.machine(t, patient), w.machine(t, patient)}
			w.play(t)
			for _, m := range others { // what they join with is there before the outage
				_, err := w.pass(t, m)
				w.must(t, err)
			}
			w.play(t)
			w.clock.Step(2 * time.Minute)
			w.restart()
			w.ResetCalls()
			before := old.ResourceVersion
			fault := w.Inject(test.fault)
			var waits []time.Duration
			for range 4 {
				result, err := w.pass(t, others[0])
				w.must(t, err)
				again, err := w.pass(t, others[1])
				w.must(t, err)
				if again.RequeueAfter > result.RequeueAfter {
					t.Errorf("the second Machine waits for %s, the first for %s: want them to wait together", again.RequeueAfter, result.RequeueAfter)
				}
				_, err = w.pass(t, old)
				w.must(t, err)
				waits = append(waits, result.RequeueAfter)
				w.clock.Step(result.RequeueAfter)
			}
			if fault.Hits() == 0 {
				t.Fatal("no harm was done")
			}
			want := []time.Duration{test.first, max(test.first, 10*time.Second), max(test.first, 20*time.Second), max(test.first, 40*time.Second)}
			if diff := cmp.Diff(want, waits); diff != "" {
				t.Errorf("waits (-want +got):\n%s", diff)
			}
			if n := w.Count(front.Match{}); n > 4*3+4 {
				t.Errorf("%d requests of three Machines in four rounds: want one of all, tried three times at most", n)
			}
			w.is(t, others[0], "ServerReady", "Unknown", "CloudUnreachable", test.words)
			if old.ResourceVersion != before || old.Status.State != v1alpha1.MachineReady {
				t.Errorf("the node is %s, with a write: want it as it was", old.Status.State)
			}
			fault.Remove()
			w.ready(t)
			w.holds(t, map[string]int{"server": 3, "port": 3})
			w.dismissed(t)
		})
	}
}

// Credentials that have expired are said to be so, nodes stay, and those that replace them
// are used.
func TestCredentials(t *testing.T) {
	w := newWorld(t)
	old := w.machine(t)
	w.ready(t)
	w.SetPassword(w.project, "secret of somebody")
	w.restart()
	m := w.machine(t)
	w.rounds(t, 9*time.Minute, 20*time.Second)
	w.is(t, m, "ServerReady", "False", "Unauthorized", "replace the credentials in Secret ")
	w.is(t, old, "Ready", "True", "AsExpected", "")
	if n := w.Count(front.Match{Service: "identity", Status: 401}); n != 1 {
		t.Errorf("they were tried %d times in nine minutes, want once: clouds lock users", n)
	}
	w.give(t, strings.ReplaceAll(w.CloudsYAML(w.project), w.project.Password, "secret of somebody"))
	w.ready(t)
	w.holds(t, map[string]int{"server": 2, "port": 2})
	w.dismissed(t)
}

// However long a Secret has been missing or wrong, it is soon used when it is right again, and
// the cloud is not asked meanwhile.
func TestSecretBack(t *testing.T) {
	for name, test := range map[string]struct {
		file  func(*world) string
		words string
		tries int
	}{
		"Missing": {func(*world) string { return "" }, "SecretNotFound", 0},
		"Refused": {func(w *world) string {
			return strings.ReplaceAll(w.CloudsYAML(w.project), w.project.Password, "another password")
		}, "Unauthorized", 2},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.noJoin = true
			w.give(t, test.file(w))
			m := w.machine(t)
			for range 2 {
				w.round(t, 0)
			}
			begin := w.clock.Now()
			for w.clock.Since(begin) < 15*time.Minute {
				result, err := w.pass(t, m)
				w.must(t, err)
				if result.RequeueAfter <= 0 || result.RequeueAfter > 30*time.Second {
					t.Fatalf("after %s it is looked again in %s, want within 30 s", w.clock.Since(begin), result.RequeueAfter)
				}
				w.clock.Step(result.RequeueAfter)
				w.play(t)
			}
			w.is(t, m, "ServerReady", "False", test.words, "")
			if n := w.Count(front.Match{}); n > test.tries {
				t.Errorf("%d requests in 15 minutes, want at most %d", n, test.tries)
			}
			w.give(t, w.CloudsYAML(w.project))
			w.settle(t, "the server", 0, func() bool { return m.Status.ServerID != "" })
		})
	}
}

// A Secret that is missing is looked for again, also where a list of servers is at hand so
// that it is missed only when a server is to be deleted. Nothing tells when it is back.
func TestSecretGoneWhenDeleting(t *testing.T) {
	w := newWorld(t)
	first, second := w.machine(t), w.machine(t)
	w.ready(t)
	remove := func(m *v1alpha1.Machine) time.Duration {
		t.Helper()
		w.dismiss(t, m)
		w.read(t, m)
		w.tell(t, m, v1alpha1.MachineNode{Drained: true})
		result, err := w.pass(t, m)
		w.must(t, err)
		return result.RequeueAfter
	}
	remove(first) // which has the servers listed
	w.give(t, "")
	again := remove(second)
	w.is(t, second, "Deleting", "False", "SecretNotFound", "does not exist: create it")
	if again <= 0 || again > time.Minute {
		t.Fatalf("it is looked again after %s, want within a minute", again)
	}
	w.give(t, w.CloudsYAML(w.project))
	w.clock.Step(again)
	w.dismissed(t)
}
