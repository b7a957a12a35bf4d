package local

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/marina-dev/marina/controlplane/component"
)

func TestRestartDelay(t *testing.T) {
	want := []time.Duration{
		200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond, 1600 * time.Millisecond,
		3200 * time.Millisecond, 6400 * time.Millisecond, 12800 * time.Millisecond, 25600 * time.Millisecond,
		30 * time.Second, 30 * time.Second,
	}
	var got []time.Duration
	for failures := range want {
		got = append(got, restartDelay(failures))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("delays (-want +got):\n%s", diff)
	}
	if got := restartDelay(1 << 20); got != 30*time.Second {
		t.Errorf("after very many failures the delay is %s, want 30s", got)
	}
}

func TestAProcessThatRanForAMinuteBeginsAnew(t *testing.T) {
	now := time.Now()
	p := &process{}
	for range 5 {
		p.started = now
		p.failed(now.Add(59*time.Second), "exited", "")
	}
	if p.wait != 3200*time.Millisecond {
		t.Errorf("after five short lives it waits %s, want 3.2s", p.wait)
	}
	p.started = now
	p.failed(now.Add(60*time.Second), "exited", "")
	if p.wait != 200*time.Millisecond {
		t.Errorf("after a minute it waits %s, want 200ms", p.wait)
	}
}

func TestACrashLoopBacksOffAndIsTold(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	fake := newFakeClock()
	f.clock = fake
	h := f.host(t)
	c := f.component(1)
	c.Main.Args = append(c.Main.Args, "--exit=3", "--say=no such flag")
	apply(t, h, c)
	for i, delay := range []time.Duration{200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond} {
		want := fmt.Sprintf("kube-apiserver-0: exited with status 3, restarting in %s; last log line: no such flag", delay)
		waitStatus(t, h, c, want, func(s component.Status) bool { return s.Message == want && fake.Waiters() == 1 })
		if got := f.count(t, "start kube-apiserver-0"); got != i+1 {
			t.Errorf("it was started %d times, want %d before the delay is over", got, i+1)
		}
		fake.Step(delay)
	}
	waitFor(t, is("it is started a fourth time"), func() bool { return f.count(t, "start kube-apiserver-0") == 4 })
}

func TestAPortThatIsTakenIsTold(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	h := f.host(t)
	c := f.component(1)
	taken := reserve(t, h, c).Replicas[0]["https"]
	stranger, err := net.Listen("tcp", taken.String())
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	apply(t, h, c)
	want := fmt.Sprintf("kube-apiserver-0: port %d (https) is in use by another program", taken.Port)
	waitStatus(t, h, c, want, func(s component.Status) bool {
		return len(s.Message) > len(want) && s.Message[:len(want)] == want
	})
	if got := f.events(t); len(got) > 0 {
		t.Errorf("events %q: want no start in vain", got)
	}
	stranger.Close()
	waitDone(t, h, c)
}

func TestGroupStartsInOrder(t *testing.T) {
	now := time.Now()
	group, named := fakeGroup("one", "two", "main")
	var started []string
	var broken string
	start := func(p *process) error {
		if p.plan.label == broken {
			return errors.New("broken")
		}
		started = append(started, p.plan.label)
		p.handle = &handle{}
		return nil
	}

	broken = "two"
	if next := group.step(now, start); !next.Equal(now.Add(200 * time.Millisecond)) {
		t.Errorf("next step in %s, want in 200ms when the one that failed is due", next.Sub(now))
	}
	if want := []string{"one"}; !slices.Equal(started, want) {
		t.Errorf("started %q, want %q: main must not run without its sidecars", started, want)
	}
	broken = ""
	group.step(now.Add(199*time.Millisecond), start)
	if want := []string{"one"}; !slices.Equal(started, want) {
		t.Errorf("started %q before the delay was over, want %q", started, want)
	}
	group.step(now.Add(200*time.Millisecond), start)
	if want := []string{"one", "two", "main"}; !slices.Equal(started, want) {
		t.Errorf("started %q, want %q", started, want)
	}

	started = nil
	named["one"].handle = nil
	group.step(now.Add(time.Second), start)
	if want := []string{"one"}; !slices.Equal(started, want) {
		t.Errorf("started %q, want %q: the end of a sidecar is no reason to restart the others", started, want)
	}
}

// fakeGroup is a group that is on, of processes with those labels.
func fakeGroup(labels ...string) (*group, map[string]*process) {
	g, named := &group{on: true}, map[string]*process{}
	for i, label := range labels {
		p := newProcess(&processPlan{label: label, order: i})
		named[label] = p
		g.processes = append(g.processes, p)
	}
	return g, named
}
