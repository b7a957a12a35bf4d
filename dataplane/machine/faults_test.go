package machine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/e2e/openstacksim/nova"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// rounds makes rounds for a time, one in each step.
func (w *world) rounds(t testing.TB, long, step time.Duration) {
	t.Helper()
	for end := w.clock.Now().Add(long); w.clock.Now().Before(end); {
		w.round(t, step)
	}
}

var post = front.Match{Method: "POST", Path: "/servers"}

// What is missing before a server is made is said in words that help. Nothing is made, and
// no failure counted, until it is there.
func TestProblems(t *testing.T) {
	floating := func(m *v1alpha1.Machine) { m.Spec.Template.FloatingIP = true }
	for name, test := range map[string]struct {
		change        func(*v1alpha1.Machine)
		prepare, mend func(testing.TB, *world)
		reason, words string
		untouched     bool // nothing may be asked for in the cloud
	}{
		"CoresQuota": {
			prepare: func(_ testing.TB, w *world) { w.SetQuota(w.project.ID, "compute", "cores", 3) },
			mend:    func(_ testing.TB, w *world) { w.SetQuota(w.project.ID, "compute", "cores", 4) },
			reason:  "QuotaExceeded", words: "is exhausted: cores: 0 of 3 used, this node takes 4: have it raised",
		},
		"MemoryQuota": {
			prepare: func(_ testing.TB, w *world) { w.SetQuota(w.project.ID, "compute", "ram", 8000) },
			mend:    func(_ testing.TB, w *world) { w.SetQuota(w.project.ID, "compute", "ram", -1) },
			reason:  "QuotaExceeded", words: "memory: 0 of 8000 MiB used, this node takes 8192",
		},
		"ImageGone": {
			prepare: func(_ testing.TB, w *world) { w.RemoveImage(w.image) },
			mend: func(t testing.TB, w *world) {
				w.infra.Status.Images[0].ID = w.AddImage("node", nil)
				w.must(t, management.Client.Status().Update(t.Context(), w.infra))
			},
			reason: "BadRequest", words: "Can not find requested image",
		},
		"FlavorGone": {
			prepare: func(_ testing.TB, w *world) { w.RemoveFlavor(w.flavor) },
			mend: func(t testing.TB, w *world) {
				w.infra.Status.Flavors[0].ID = w.AddFlavor(flavorName, 4, 8192, 50)
				w.must(t, management.Client.Status().Update(t.Context(), w.infra))
			},
			reason: "BadRequest", words: "Flavor",
		},
		"UnknownFlavor": {
			prepare: func(t testing.TB, w *world) {
				w.infra.Status.Flavors[0].Name = "other"
				w.must(t, management.Client.Status().Update(t.Context(), w.infra))
			},
			mend: func(t testing.TB, w *world) {
				w.infra.Status.Flavors[0].Name = flavorName
				w.must(t, management.Client.Status().Update(t.Context(), w.infra))
			},
			reason: "FlavorNotFound", words: "has no flavor b3-8", untouched: true,
		},
		"UnknownRelease": {
			prepare: func(t testing.TB, w *world) {
				w.infra.Status.Images[0].Release = "1.36.4-1"
				w.must(t, management.Client.Status().Update(t.Context(), w.infra))
			},
			mend: func(t testing.TB, w *world) {
				w.infra.Status.Images[0].Release = "1.37.1-1"
				w.must(t, management.Client.Status().Update(t.Context(), w.infra))
			},
			reason: "ImageNotFound", words: "no image of release 1.37.1-1", untouched: true,
		},
		"FloatingIPWithoutRouter": {
			change: floating, prepare: func(testing.TB, *world) {}, mend: func(t testing.TB, w *world) { w.route(t) },
			reason: "NoRouter", words: "there is no router", untouched: true,
		},
		"FloatingIPQuota": {
			change: floating,
			prepare: func(t testing.TB, w *world) {
				w.route(t)
				w.SetQuota(w.project.ID, "network", "floatingip", 0)
			},
			mend:   func(_ testing.TB, w *world) { w.SetQuota(w.project.ID, "network", "floatingip", 1) },
			reason: "QuotaExceeded", words: "giving the server a floating IP",
		},
		"NoSecret": {
			prepare: func(t testing.TB, w *world) { w.give(t, "") },
			mend:    func(t testing.TB, w *world) { w.give(t, w.CloudsYAML(w.project)) },
			reason:  "SecretNotFound", words: "/mine does not exist: create it", untouched: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.noJoin = true
			test.prepare(t, w)
			w.ResetCalls()
			m := w.machine(t, func(m *v1alpha1.Machine) {
				if test.change != nil {
					test.change(m)
				}
			})
			w.rounds(t, 3*time.Minute, 15*time.Second)
			w.is(t, m, "ServerReady", "False", test.reason, test.words)
			w.is(t, m, "Ready", "False", test.reason, test.words)
			if !strings.Contains(m.Status.Message, test.words) || m.Status.Failures != 0 {
				t.Errorf("the status says %q, with %d failures; want %q, and none", m.Status.Message, m.Status.Failures, test.words)
			}
			if n := w.Count(front.Match{}); test.untouched && n > 0 {
				t.Errorf("%d requests to the cloud, want none: %v", n, w.Calls(front.Match{}))
			}
			if n := w.Count(post); n > 3 {
				t.Errorf("a server was asked for %d times in three minutes, want once a minute", n)
			}
			w.noJoin = false
			test.mend(t, w)
			w.ready(t)
			w.dismissed(t)
		})
	}
}

// A server in ERROR is deleted, and another one is made later and later. Why is told
// meanwhile, by another controller too.
func TestErrorBuild(t *testing.T) {
	w := newWorld(t)
	m := w.machine(t)
	w.FailBuilds(nova.BuildFault{Times: 2, Message: "the disk of the host is on fire"})
	for i, wait := range []time.Duration{30 * time.Second, time.Minute} {
		w.settle(t, "the failure", time.Second, func() bool { return int(m.Status.Failures) == i+1 })
		now := w.clock.Now()
		if left := m.Status.RetryAt.Sub(now); left > wait || left < wait-2*time.Second {
			t.Errorf("after failure %d the next one is made in %s, want %s", i+1, left, wait)
		}
		w.is(t, m, "ServerReady", "False", "ServerError", "the disk of the host is on fire: it is deleted, and another one is made at ")
		w.restart()
		w.rounds(t, wait/2, 5*time.Second)
		w.is(t, m, "ServerReady", "False", "ServerError", "the disk of the host is on fire")
		if m.Status.State != v1alpha1.MachinePending || w.Count(post) != i+1 {
			t.Errorf("it is %s, and %d servers were asked for: want Pending, and to wait", m.Status.State, w.Count(post))
		}
	}
	w.ready(t)
	w.holds(t, map[string]int{"server": 1, "port": 1})
	w.dismissed(t)
}

func TestBackOff(t *testing.T) {
	var got []time.Duration
	for failures := range int32(7) {
		got = append(got, backOff(failures+1))
	}
	want := []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 10 * time.Minute, 10 * time.Minute}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("waits (-want +got):\n%s", diff)
	}
}

// A full cloud is no failure of a server: it is tried again every two minutes.
func TestNoCapacity(t *testing.T) {
	w := newWorld(t)
	m := w.machine(t)
	w.FailBuilds(nova.BuildFault{})
	w.rounds(t, 10*time.Minute, 5*time.Second)
	w.is(t, m, "ServerReady", "False", "NoCapacity", "No valid host was found")
	if n := w.Count(post); m.Status.Failures != 0 || n < 3 || n > 5 {
		t.Errorf("%d failures, and %d servers in ten minutes; want none, and one in about two and a half minutes", m.Status.Failures, n)
	}
	w.HealBuilds()
	w.ready(t)
	w.dismissed(t)
}

// A server that does not become a node in time is replaced, with what it joins with, and who has
// slow ones is told what gives them more time.
func TestRule23CreationTimeout(t *testing.T) {
	w := newWorld(t)
	w.noJoin = true
	m := w.machine(t)
	bootstrap := func() string {
		b := &v1alpha1.NodeBootstrap{}
		w.must(t, client.IgnoreNotFound(management.Client.Get(t.Context(), client.ObjectKeyFromObject(m), b)))
		return string(b.UID)
	}
	w.rounds(t, 29*time.Minute, 30*time.Second)
	first, token := m.Status.ServerID, bootstrap()
	if m.Status.State != v1alpha1.MachineInstalling || m.Status.Failures != 0 {
		t.Fatalf("after 29 minutes it is %s, with %d failures: want Installing", m.Status.State, m.Status.Failures)
	}
	w.settle(t, "the time-out", 10*time.Second, func() bool { return m.Status.Failures == 1 })
	w.is(t, m, "ServerReady", "False", "CreationTimeout", "has not become a Ready node within 30m0s (spec.creationTimeoutSeconds of the pool: raise it for flavors")
	w.noJoin = false
	w.settle(t, "another server", 10*time.Second, func() bool { return m.Status.ServerID != "" })
	if m.Status.ServerID == first || bootstrap() == token {
		t.Errorf("server %s, bootstrap %s: want others", m.Status.ServerID, token)
	}
	w.ready(t)
	w.holds(t, map[string]int{"server": 1, "port": 1})
}

// The server of a node is left to the pool when it is gone or broken; one that has never been
// a node is made again.
func TestLost(t *testing.T) {
	for name, test := range map[string]struct {
		lose          func(*world, string)
		reason, words string
	}{
		"Gone":   {func(w *world, id string) { w.RemoveServer(id) }, "ServerGone", "and Marina has not deleted it"},
		"Broken": {func(w *world, id string) { w.BreakServer(id, "the host is lost") }, "ServerError", "the host is lost"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			m := w.machine(t)
			w.ready(t)
			id := m.Status.ServerID
			test.lose(w, id)
			w.noJoin = true
			w.rounds(t, 10*time.Minute, 30*time.Second)
			w.is(t, m, "ServerReady", "False", test.reason, test.words)
			w.is(t, m, "Ready", "False", test.reason, test.words)
			if m.Status.State != v1alpha1.MachineNotReady || m.Status.ServerID != id || w.Count(post) != 1 {
				t.Errorf("it is %s with the server %s, after %d requests for one: want NotReady, and that nothing is done", m.Status.State, m.Status.ServerID, w.Count(post))
			}
			w.dismissed(t)
		})
		t.Run(name+"BeforeItWasANode", func(t *testing.T) {
			w := newWorld(t)
			w.noJoin = true
			m := w.machine(t)
			w.rounds(t, 2*time.Minute, 5*time.Second)
			test.lose(w, m.Status.ServerID)
			w.settle(t, "the loss", 10*time.Second, func() bool { return m.Status.Failures == 1 })
			w.is(t, m, "ServerReady", "False", test.reason, fmt.Sprintf("%s: it is deleted, and another one", test.words))
			w.noJoin = false
			w.ready(t)
			w.holds(t, map[string]int{"server": 1, "port": 1})
			w.dismissed(t)
		})
	}
}
