package progress

import (
	"bytes"
	"strings"
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

func TestPlainSteps(t *testing.T) {
	var out bytes.Buffer
	clock := testingclock.NewFakeClock(time.Unix(100, 0))
	p := newPrinter(&out, "demo", nil, clock)
	p.Show("Running", "restart: 1 of 3", []Step{
		{Name: "accept", State: Done},
		{Name: "restart", State: Running, Message: "1 of 3"},
		{Name: "check", State: Pending},
	})
	clock.Step(4 * time.Second)
	p.Steps([]Step{
		{Name: "accept", State: Done, Started: clock.Now()},
		{Name: "restart", State: Running, Message: "2 of 3"},
		{Name: "check", State: Pending},
	})
	p.Update("Running", "restart: 2 of 3")
	p.Show("Failed", "it could not be done", []Step{
		{Name: "accept", State: Done},
		{Name: "restart", State: Failed, Message: "no answer"},
		{Name: "check", State: Cancelled},
	})
	p.Leave()

	want := "demo: Running (0s)\n" + // what a step says is not said twice
		"demo: accept: done (0s)\n" +
		"demo: restart: running: 1 of 3 (0s)\n" +
		"demo: restart: running: 2 of 3 (4s)\n" +
		"demo: restart: failed: no answer (4s)\n" +
		"demo: check: cancelled (4s)\n" +
		"demo: Failed: it could not be done (4s)\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("a line for each change of a step (-want +got):\n%s", diff)
	}
}

func TestNothingShownNothingCleared(t *testing.T) {
	var out bytes.Buffer
	p := newPrinter(&out, "demo", func() (int, int) { return 80, 24 }, testingclock.NewFakeClock(time.Unix(0, 0)))
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
