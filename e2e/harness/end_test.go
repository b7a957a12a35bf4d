package harness

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestAStartThatFailsLeavesNoProcess(t *testing.T) {
	var m *Marina
	t.Run("start", func(t *testing.T) {
		m = Prepare(t, t.TempDir())
		ctx, giveUp := context.WithCancel(t.Context())
		defer giveUp()
		begun := make(chan error, 1)
		go func() {
			begun <- awaitProcess(ctx, m)
			giveUp()
		}()
		if err := m.Start(ctx); err == nil {
			t.Fatal("it has started, want a start that fails")
		}
		Check(t, <-begun)
		assertLeft(t, m)
	})
	assertEnded(t, m)
}

func TestEndTellsWhatItKills(t *testing.T) {
	m := Prepare(t, t.TempDir())
	Check(t, m.Begin())
	Check(t, awaitProcess(t.Context(), m))
	Check(t, m.Kill())
	assertLeft(t, m)
	if err := m.End(); err == nil || !strings.Contains(err.Error(), "management/") {
		t.Errorf("%v: want an error that names what was left", err)
	}
	assertEnded(t, m)
	if err := m.End(); err != nil {
		t.Errorf("with nothing left: %v", err)
	}
}

// awaitProcess waits until "marina up" runs something.
func awaitProcess(ctx context.Context, m *Marina) error {
	return Await(ctx, time.Minute, func(context.Context) error {
		if len(m.AllProcesses()) == 0 {
			return errors.New("nothing runs yet")
		}
		return nil
	})
}

// assertLeft fails if there is nothing that could outlive a test.
func assertLeft(t *testing.T, m *Marina) {
	t.Helper()
	if len(m.AllProcesses()) == 0 {
		t.Fatal("no process is left: that proves nothing")
	}
}

func assertEnded(t *testing.T, m *Marina) {
	t.Helper()
	if m.runs() {
		t.Error("marina up still runs")
	}
	if left := m.AllProcesses(); len(left) > 0 {
		t.Errorf("processes left: %v", left)
	}
}
