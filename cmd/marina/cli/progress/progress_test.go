package progress

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	testingclock "k8s.io/utils/clock/testing"
)

func TestPlain(t *testing.T) {
	var out bytes.Buffer
	clock := testingclock.NewFakeClock(time.Unix(0, 0))
	p := newPrinter(&out, "demo", nil, clock)
	p.Update("Creating", "")
	clock.Step(1500 * time.Millisecond)
	p.Update("Creating", "etcd: waiting")
	clock.Step(time.Minute)
	p.Update("Creating", "etcd: waiting")
	p.Update("Active", "it serves")
	p.Close()

	want := "demo: Creating (0s)\n" +
		"demo: Creating: etcd: waiting (1s)\n" +
		"demo: Active: it serves (1m1s)\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("a line for each change, and nothing else (-want +got):\n%s", diff)
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Error("control characters do not belong into a log")
	}
}

// screen is a terminal of one line, which tells when something is drawn.
type screen struct {
	mu    sync.Mutex
	line  string
	drawn chan string
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, s.line, _ = strings.Cut(string(p), clearLine)
	s.drawn <- s.line
	return len(p), nil
}

func TestTerminal(t *testing.T) {
	out := &screen{drawn: make(chan string, 1)}
	clock := testingclock.NewFakeClock(time.Unix(0, 0))
	p := newPrinter(out, "demo", func() int { return 39 }, clock)
	expect := func(want, why string) {
		t.Helper()
		select {
		case got := <-out.drawn:
			if got != want {
				t.Errorf("%s: the line is %q, want %q", why, got, want)
			}
		case <-t.Context().Done():
			t.Fatalf("%s: nothing was drawn", why)
		}
	}
	p.Update("Creating", "etcd: waiting")
	expect("demo  Creating  0s  etcd: waiting", "a change")

	p.Update("Creating", "kube-apiserver: 2 of 3 are ready")
	expect("demo  Creating  0s  kube-apiserver: 2…", "a line that would wrap could not be replaced")

	clock.Step(2 * time.Second)
	expect("demo  Creating  2s  kube-apiserver: 2…", "time moves on without a change")

	p.Close()
	expect("", "the line is taken off at the end")
	if p.Elapsed() != 2*time.Second {
		t.Errorf("elapsed %v, want 2s", p.Elapsed())
	}
}

func TestNothingShownNothingCleared(t *testing.T) {
	var out bytes.Buffer
	p := newPrinter(&out, "demo", func() int { return 80 }, testingclock.NewFakeClock(time.Unix(0, 0)))
	p.Close()
	if out.Len() > 0 {
		t.Errorf("wrote %q", out.String())
	}
}

func TestABufferIsNoTerminal(t *testing.T) {
	if OnTerminal(&bytes.Buffer{}) {
		t.Error("a buffer was taken for a terminal")
	}
}
