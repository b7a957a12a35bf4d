package local

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/utils/clock"

	"github.com/marina-dev/marina/controlplane/component"
)

// Somebody sets the machine's clock, or it was wrong at boot.
func TestAClockThatJumpsDisturbsNothing(t *testing.T) {
	for name, jump := range map[string]time.Duration{
		"a day forward": 24 * time.Hour, "a day back": -24 * time.Hour, "ten years back": -10 * 365 * 24 * time.Hour,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			fake := newFakeClock()
			f.clock = fake
			h := f.host(t)
			c := f.component(2)
			c.Balanced = []component.Balanced{{Port: "https"}}
			applied(t, h, c)
			before, events := f.pids(t), f.events(t)

			fake.SetTime(fake.Now().Add(jump))
			for range 3 {
				// What comes next: a look at everything, at the new time.
				advance(h, c)
				if s := statusOf(t, h, c); !s.Done() || s.Message != "" {
					t.Errorf("after the jump: %+v, want all replicas ready and nothing to say", s)
				}
			}
			// Its end shows that the Host still sees to them, in the new time.
			victim := testNamespace + "/kube-apiserver/1/kube-apiserver"
			kill(t, before[victim], syscall.SIGKILL)
			waitStatus(t, h, c, "the end of replica 1 is told", func(s component.Status) bool {
				return strings.Contains(s.Message, "was killed by SIGKILL, restarting in 200ms")
			})
			fake.SetTime(fake.Now().Add(200 * time.Millisecond))
			waitDone(t, h, c)
			after := f.pids(t)
			if after[victim] == before[victim] {
				t.Error("replica 1 was not started again")
			}
			delete(before, victim)
			delete(after, victim)
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("the other processes have changed:\n%s", diff)
			}
			if diff := cmp.Diff(append(events, "start kube-apiserver-1", "ready kube-apiserver-1"), f.events(t)); diff != "" {
				t.Errorf("events:\n%s", diff)
			}
		})
	}
}

func TestProcessesAreAdoptedWhateverTheTimeIs(t *testing.T) {
	for name, jump := range map[string]time.Duration{"a day later": 24 * time.Hour, "a day earlier": -24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			fake := newFakeClock()
			f.clock = fake
			c := f.component(2)
			h := f.host(t)
			applied(t, h, c)
			before := f.pids(t)
			abandon(t, h)

			fake.SetTime(fake.Now().Add(jump))
			applied(t, f.host(t), c)
			if diff := cmp.Diff(before, f.pids(t)); diff != "" {
				t.Errorf("processes have changed:\n%s", diff)
			}
		})
	}
}

// The delays of a Host are measured in time that nobody can set: Go keeps it in every
// time.Time that is never rounded, encoded or moved to another zone.
func TestTheRealClockMeasuresTimeThatNobodySets(t *testing.T) {
	o := Options{Dir: t.TempDir(), BinDir: t.TempDir(), Files: StaticFiles{}}
	check(t, o.complete())
	if _, ok := o.Clock.(clock.RealClock); !ok {
		t.Fatalf("without a clock the Host has %T, want the real one", o.Clock)
	}
	now := o.Clock.Now()
	p := &process{}
	p.failed(now, "exited", "")
	for name, at := range map[string]time.Time{"now": now, "when a process is started again": p.retryAt} {
		if !strings.Contains(at.String(), " m=") {
			t.Errorf("%s is %s, without the monotonic time", name, at)
		}
	}
}

// advance makes a Component's unit look at everything once.
func advance(h *Host, c component.Component) {
	h.mu.Lock()
	u := h.units[key{c.Namespace, c.Name}]
	h.mu.Unlock()
	u.advance()
}
