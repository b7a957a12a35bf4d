package machine

import (
	"testing"
	"time"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
)

// Ten nodes at once take at most four requests each, until all are Ready, and one list of
// servers a minute after that.
func TestRequests(t *testing.T) {
	w := newWorld(t)
	w.SetQuota(w.project.ID, "compute", "cores", 40)
	w.SetQuota(w.project.ID, "compute", "ram", -1)
	for range 10 {
		w.machine(t)
	}
	begin := w.clock.Now()
	w.settle(t, "the creation of ten", time.Second, func() bool {
		for _, m := range w.machines {
			if m.Status.State != "Ready" {
				return false
			}
		}
		return true
	})
	took := w.clock.Since(begin)
	if took < 30*time.Second || took > 45*time.Second {
		t.Errorf("it took %s, and the servers are built for 30 s", took)
	}
	perNode := float64(w.Work()) / 10
	t.Logf("%.1f requests for each node", perNode)
	if perNode > 4 {
		t.Errorf("%.1f requests for each node, want at most 4: %v", perNode, w.Calls(front.Match{}))
	}
	if lists := w.Count(front.Match{Path: "/servers/detail"}); lists < 7 {
		t.Errorf("%d lists in %s: the test does not look while servers are built", lists, took)
	}
	if posts := w.Count(front.Match{Method: "POST", Path: "/servers"}); posts != 10 {
		t.Errorf("%d servers were asked for, want 10", posts)
	}

	w.ResetCalls()
	writes := w.Writes.Load()
	w.wait(t, 10*time.Minute)
	if calls := w.Calls(front.Match{}); len(calls) < 9 || len(calls) > 10 {
		t.Errorf("%d requests in ten quiet minutes, want one a minute: %v", len(calls), calls)
	}
	if n := w.Writes.Load() - writes; n != 0 {
		t.Errorf("%d writes in ten quiet minutes, want none", n)
	}
}

// wait makes a pass over each Machine whenever it has asked for one, and no other, for a
// time.
func (w *world) wait(t testing.TB, long time.Duration) {
	t.Helper()
	end := w.clock.Now().Add(long)
	due := make([]time.Time, len(w.machines))
	for w.clock.Now().Before(end) {
		next := end
		for i, m := range w.machines {
			if !w.clock.Now().Before(due[i]) {
				result, err := w.pass(t, m)
				w.must(t, err)
				if result.RequeueAfter <= 0 {
					t.Fatalf("%s does not ask to be looked at again: %+v", m.Name, m.Status)
				}
				due[i] = w.clock.Now().Add(result.RequeueAfter)
			}
			if due[i].Before(next) {
				next = due[i]
			}
		}
		w.clock.Step(next.Sub(w.clock.Now()))
	}
}
