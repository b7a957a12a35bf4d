package machine

import (
	"testing"
	"time"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// Whoever asks for it has all servers of a pool, or of a cluster, looked at now: by one list, and
// once.
func TestResync(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		w.machine(t)
	}
	w.settle(t, "the creation", time.Second, func() bool {
		for _, m := range w.machines {
			if m.Status.State != "Ready" {
				return false
			}
		}
		return true
	})
	w.wait(t, 2*time.Minute) // all is calm
	look := func(want string) {
		t.Helper()
		w.ResetCalls()
		for range 2 {
			for _, m := range w.machines {
				_, err := w.pass(t, m)
				w.must(t, err)
				if m.Status.Resynced != want {
					t.Errorf("%s has been looked at for %q, want %q", m.Name, m.Status.Resynced, want)
				}
			}
		}
		if n := w.Count(front.Match{Path: "/servers/detail"}); n != 1 {
			t.Errorf("%d lists, want 1 for all", n)
		}
		writes := w.Writes.Load()
		w.wait(t, 5*time.Minute)
		if n := w.Writes.Load() - writes; n != 0 {
			t.Errorf("%d writes afterwards, want none", n)
		}
	}
	for _, m := range w.machines {
		m.Spec.Resync = "of-the-pool"
		w.must(t, management.Client.Update(t.Context(), m))
	}
	look("of-the-pool/")
	w.network.Spec.Resync = "of-the-cluster"
	w.must(t, management.Client.Update(t.Context(), w.network))
	look("of-the-pool/of-the-cluster")

	// A Marina that has just started, and a cloud that does not answer: it has not been done.
	w.Inject(front.Fault{Match: front.Match{Service: "compute"}, Effect: front.Fail(503)})
	w.machines[0].Spec.Resync = "again"
	w.must(t, management.Client.Update(t.Context(), w.machines[0]))
	_, _ = w.pass(t, w.machines[0])
	if got := w.machines[0].Status.Resynced; got != "of-the-pool/of-the-cluster" {
		t.Errorf("it has been looked at for %q in a cloud that does not answer", got)
	}
}

// Credentials that are refused look at nothing, and a Resync goes on until others do.
func TestResyncWithRefusedCredentials(t *testing.T) {
	w := newWorld(t)
	m := w.machine(t)
	w.settle(t, "a server", time.Second, func() bool { return m.Status.ServerID != "" })
	w.SetPassword(w.project, "another")
	w.RevokeTokens(w.project.ID)
	m.Spec.Resync = "r"
	w.must(t, management.Client.Update(t.Context(), m))
	_, _ = w.pass(t, m)
	if m.Status.Resynced != "" {
		t.Errorf("it has been looked at for %q with a password that is refused: %+v", m.Status.Resynced, m.Status.Conditions)
	}
}

// What waits until it is tried again is tried at once.
func TestResyncTriesAgain(t *testing.T) {
	w := newWorld(t)
	w.SetQuota(w.project.ID, "compute", "cores", 0)
	m := w.machine(t)
	w.settle(t, "the refusal", time.Second, func() bool {
		return m.Status.Message != "" && m.Status.State == v1alpha1.MachinePending && quotaSaid(m)
	})
	w.SetQuota(w.project.ID, "compute", "cores", 40)
	_, _ = w.pass(t, m)
	if m.Status.ServerID != "" {
		t.Fatal("it does not wait: the test looks at nothing")
	}
	m.Spec.Resync = "r"
	w.must(t, management.Client.Update(t.Context(), m))
	_, _ = w.pass(t, m)
	if m.Status.ServerID == "" {
		t.Errorf("no server was asked for: %+v", m.Status)
	}
}

func quotaSaid(m *v1alpha1.Machine) bool {
	for _, c := range m.Status.Conditions {
		if c.Reason == "QuotaExceeded" {
			return true
		}
	}
	return false
}
