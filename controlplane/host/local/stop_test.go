package local

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
)

// logged is a log that may be read while it is written.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) has(parts ...string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.text.String()) {
		all := true
		for _, part := range parts {
			all = all && strings.Contains(line, part)
		}
		if all {
			return true
		}
	}
	return false
}

// logs makes a Host that runs nothing yet log to what is returned.
func logs(h *Host) *logged {
	l := &logged{}
	h.log = logr.FromSlogHandler(slog.NewTextHandler(l, nil))
	return l
}

func TestAStopTellsWhatIsLeft(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	fake := newFakeClock()
	f.clock = fake
	h := f.open(t)
	log := logs(h)
	c := f.component(2)
	c.Main.Args = append(c.Main.Args, "--ignore-term")
	applied(t, h, c)
	stopped := make(chan error, 1)
	go func() { stopped <- h.Stop(t.Context(), true) }()
	// One timer is that of the grace, the other that of what is told.
	waitFor(t, is("both are asked to stop, and waited for"), func() bool {
		return f.count(t, "term kube-apiserver-0") == 1 && f.count(t, "term kube-apiserver-1") == 1 && fake.Waiters() == 2
	})
	fake.Step(3 * time.Second)
	waitFor(t, is("the log tells that 2 are left"), func() bool { return log.has("INFO", "Waiting for processes to stop", "left=2") })
	fake.Step(c.Grace)
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	if log.has("A process ended") {
		t.Error("the end of what was stopped was told as if nobody had asked for it")
	}
}

func TestAnEndThatNobodyAskedForIsAWarning(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	h := f.host(t)
	log := logs(h)
	c := f.component(1)
	applied(t, h, c)
	for _, signal := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		how := map[syscall.Signal]string{syscall.SIGKILL: "was killed by SIGKILL", syscall.SIGTERM: "exited"}[signal]
		kill(t, f.pids(t)[testNamespace+"/kube-apiserver/0/kube-apiserver"], signal)
		waitFor(t, is("the log warns that it "+how), func() bool { return log.has("WARN", "A process ended", how) })
		waitDone(t, h, c)
	}
}
