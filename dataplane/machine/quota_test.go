package machine

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// bootstraps are the NodeBootstraps that there are, by UID.
func (w *world) bootstraps(t testing.TB) map[string]bool {
	t.Helper()
	var all v1alpha1.NodeBootstrapList
	w.must(t, management.Client.List(t.Context(), &all, client.InNamespace(w.network.Namespace)))
	found := map[string]bool{}
	for _, b := range all.Items {
		found[string(b.UID)] = true
	}
	return found
}

// Machines that wait for a quota read its numbers together, once a minute, and make nothing
// anew meanwhile. They go on within a minute when it is raised.
func TestQuotaIsAwaited(t *testing.T) {
	w := newWorld(t)
	w.SetQuota(w.project.ID, "compute", "cores", 3)
	w.SetQuota(w.project.ID, "compute", "ram", -1)
	for range 3 {
		w.machine(t)
	}
	w.rounds(t, time.Minute, 5*time.Second)
	posts, tokens := w.Count(post), w.bootstraps(t)
	if posts > 3 {
		t.Errorf("%d servers were asked for, want one for each at most", posts)
	}
	w.ResetCalls()
	w.rounds(t, 10*time.Minute, 5*time.Second)
	if n := w.Count(post); n > 0 {
		t.Errorf("a server was asked for %d times in ten minutes, want never: the numbers tell that there is no room", n)
	}
	if n := w.Count(front.Match{Path: "/limits"}); n < 9 || n > 10 {
		t.Errorf("the numbers were read %d times in ten minutes, want once a minute for all", n)
	}
	if n := len(w.Calls(front.Match{})); n > 20 {
		t.Errorf("%d requests in ten minutes, want a list and the numbers in each", n)
	}
	if diff := cmp.Diff(tokens, w.bootstraps(t)); diff != "" {
		t.Errorf("what they join with was made anew (-before +after):\n%s", diff)
	}
	for _, m := range w.machines {
		w.is(t, m, "ServerReady", "False", "QuotaExceeded", "cores: 0 of 3 used, this node takes 4")
	}
	w.restart()
	w.SetQuota(w.project.ID, "compute", "cores", 12)
	begin := w.clock.Now()
	w.settle(t, "the servers", 5*time.Second, func() bool {
		for _, m := range w.machines {
			if m.Status.ServerID == "" {
				return false
			}
		}
		return true
	})
	if took := w.clock.Since(begin); took > 65*time.Second {
		t.Errorf("it took %s until the quota was used, want a minute", took)
	}
	w.ready(t)
	w.dismissed(t)
}

// A quota whose numbers nobody reads is found out by asking for a server, later and later.
func TestOtherQuota(t *testing.T) {
	w := newWorld(t)
	w.SetQuota(w.project.ID, "network", "port", 0)
	m := w.machine(t)
	w.rounds(t, 30*time.Minute, 15*time.Second)
	w.is(t, m, "ServerReady", "False", "QuotaExceeded", "have the quota raised")
	if n := w.Count(post); n < 6 || n > 9 {
		t.Errorf("a server was asked for %d times in half an hour, want it after 1, 2, 4 and then each 5 minutes", n)
	}
	w.SetQuota(w.project.ID, "network", "port", -1)
	w.ready(t)
	w.dismissed(t)
}
