package progress

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	testingclock "k8s.io/utils/clock/testing"
)

// screen is a terminal as far as it is used here. It tells what stands on it after
// each write.
type screen struct {
	lines    []string
	row, col int
	drawn    chan string
}

func newScreen() *screen { return &screen{lines: []string{""}, drawn: make(chan string, 1)} }

func (s *screen) Write(p []byte) (int, error) {
	for in := strings.NewReader(string(p)); in.Len() > 0; {
		r, _, _ := in.ReadRune()
		switch r {
		case '\r':
			s.col = 0
		case '\n':
			s.row, s.col = s.row+1, 0
			if s.row == len(s.lines) {
				s.lines = append(s.lines, "")
			}
		case '\x1b':
			s.control(in)
		default:
			line := []rune(s.lines[s.row])
			s.lines[s.row] = string(append(line[:s.col:s.col], r))
			s.col++
		}
	}
	s.drawn <- strings.Join(s.lines, "\n")
	return len(p), nil
}

// control knows two sequences: some lines up, and clear all below.
func (s *screen) control(in io.RuneReader) {
	var sequence string
	for !strings.HasSuffix(sequence, "A") && !strings.HasSuffix(sequence, "J") {
		r, _, err := in.ReadRune()
		if err != nil {
			panic("a control sequence without an end: " + sequence)
		}
		sequence += string(r)
	}
	if sequence == "[J" {
		s.lines = append(s.lines[:s.row:s.row], string([]rune(s.lines[s.row])[:s.col]))
		return
	}
	var up int
	if _, err := fmt.Sscanf(sequence, "[%dA", &up); err != nil || up > s.row {
		panic("a control sequence that no terminal follows: " + sequence)
	}
	s.row -= up
}

func (s *screen) expect(t testing.TB, why string, want ...string) {
	t.Helper()
	select {
	case got := <-s.drawn:
		if diff := cmp.Diff(strings.Join(want, "\n"), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", why, diff)
		}
	case <-t.Context().Done():
		t.Fatalf("%s: nothing was drawn", why)
	}
}

func terminal(width, height int) func() (int, int) {
	return func() (int, int) { return width, height }
}

func TestTerminal(t *testing.T) {
	out := newScreen()
	clock := testingclock.NewFakeClock(time.Unix(0, 0))
	p := newPrinter(out, "demo", terminal(39, 24), clock)
	p.Update("Creating", "etcd: waiting")
	out.expect(t, "a change", "demo  Creating  0s  etcd: waiting")

	p.Update("Creating", "kube-apiserver:\n2 of 3 are ready")
	out.expect(t, "a line that would wrap could not be replaced", "demo  Creating  0s  kube-apiserver: 2…")

	clock.Step(2 * time.Second)
	out.expect(t, "time moves on without a change", "demo  Creating  2s  kube-apiserver: 2…")

	p.Close()
	out.expect(t, "the line is taken off at the end", "")
	if p.Elapsed() != 2*time.Second {
		t.Errorf("elapsed %v, want 2s", p.Elapsed())
	}
}

func TestTerminalWithSteps(t *testing.T) {
	out := newScreen()
	now := time.Unix(1000, 0)
	clock := testingclock.NewFakeClock(now)
	p := newPrinter(out, "demo", terminal(60, 24), clock)
	steps := []Step{
		{Name: "Accept", State: Done, Started: now.Add(-5 * time.Second), Finished: now.Add(-4 * time.Second)},
		{Name: "Restart the API server", State: Running, Message: "1 of 3 restarted", Started: now.Add(-4 * time.Second)},
		{Name: "Restart the scheduler", State: Pending},
	}
	p.Show("Running", "Restart the API server: 1 of 3 restarted", steps)
	out.expect(t, "a line for each step; what one says is not said twice; all of it lasts as long as its first step",
		"demo  Running  5s",
		"  ✓ Accept                    1s",
		"  ▸ Restart the API server    4s  1 of 3 restarted",
		"  · Restart the scheduler")

	clock.Step(time.Second)
	out.expect(t, "time moves on",
		"demo  Running  6s",
		"  ✓ Accept                    1s",
		"  ▸ Restart the API server    5s  1 of 3 restarted",
		"  · Restart the scheduler")

	p.Update("Unknown", "the management cluster does not answer")
	out.expect(t, "a message of its own is shown",
		"demo  Unknown  6s  the management cluster does not answer",
		"  ✓ Accept                    1s",
		"  ▸ Restart the API server    5s  1 of 3 restarted",
		"  · Restart the scheduler")

	failed := append([]Step(nil), steps...)
	failed[1].State, failed[1].Message, failed[1].Finished = Failed, "the second replica does not come up again, as its port is taken", now
	failed[2].State = Cancelled
	p.Show("Failed", "", failed)
	out.expect(t, "what would wrap is cut",
		"demo  Failed  6s",
		"  ✓ Accept                    1s",
		"  ✗ Restart the API server    4s  the second replica does …",
		"  - Restart the scheduler")

	p.Steps(nil)
	out.expect(t, "no steps, no lines", "demo  Failed  1s")

	p.Close()
	out.expect(t, "all is taken off at the end", "")
}

func TestLeaveKeepsTheSteps(t *testing.T) {
	out := newScreen()
	p := newPrinter(out, "demo", terminal(60, 24), testingclock.NewFakeClock(time.Unix(0, 0)))
	p.Show("Succeeded", "", []Step{{Name: "Accept", State: Done}})
	out.expect(t, "drawn", "demo  Succeeded  0s", "  ✓ Accept")
	p.Close()
	out.expect(t, "Close takes all off", "")

	p = newPrinter(out, "demo", terminal(60, 24), testingclock.NewFakeClock(time.Unix(0, 0)))
	p.Show("Succeeded", "", []Step{{Name: "Accept", State: Done}})
	out.expect(t, "drawn", "demo  Succeeded  0s", "  ✓ Accept")
	done := make(chan struct{})
	go func() { defer close(done); p.Leave() }()
	out.expect(t, "first the block is taken off", "")
	out.expect(t, "then its steps are written for good", "  ✓ Accept", "")
	<-done
}

func TestStepsThatDoNotFitAreLeftOut(t *testing.T) {
	out := newScreen()
	p := newPrinter(out, "demo", terminal(60, 2), testingclock.NewFakeClock(time.Unix(0, 0)))
	two := []Step{{Name: "a", State: Running, Message: "waits"}, {Name: "b", State: Pending}}
	p.Show("Running", "a: waits", two)
	out.expect(t, "what scrolled away could not be replaced", "demo  Running  0s  a: waits")
	p.Steps(two[:1])
	out.expect(t, "two fit", "demo  Running  0s", "  ▸ a        waits")
	p.Close()
	out.expect(t, "taken off", "")
}

func TestStepOfAClockThatIsAhead(t *testing.T) {
	now := time.Unix(1000, 0)
	if got := (Step{Started: now.Add(time.Minute)}).took(now); got != "0s" {
		t.Errorf("it took %s, want 0s", got)
	}
}
