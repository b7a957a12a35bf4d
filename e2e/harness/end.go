package harness

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"
)

// Prepare makes a Marina in an empty folder, for the test to start. Nothing of it
// outlives the test, also when it does not get as far as to serve.
func Prepare(t testing.TB, dir string) *Marina {
	t.Helper()
	m, err := New(dir)
	Check(t, err)
	t.Cleanup(func() {
		if err := m.End(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// End leaves no process of this Marina, in whatever state it is: it stops "marina up"
// if that runs, and kills what is left then. An error is that there was something to
// kill: what Marina runs lives on without it, unless it is stopped cleanly.
func (m *Marina) End() error {
	var err error
	if m.runs() {
		if err = m.Stop(); m.runs() {
			err = errors.Join(err, m.Kill())
		}
	}
	if left := m.AllProcesses(); len(left) > 0 {
		err = errors.Join(err, fmt.Errorf("processes left at the end, which were killed: %v: marina up has printed: %s", left, m.Output()))
	}
	return errors.Join(err, Await(context.Background(), time.Minute, func(context.Context) error {
		left := m.AllProcesses()
		if len(left) == 0 {
			return nil
		}
		for _, pids := range left {
			for _, pid := range pids {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		return fmt.Errorf("these do not end: %v", left)
	}))
}

// runs is whether "marina up" has been started and not exited since.
func (m *Marina) runs() bool {
	if m.cmd == nil {
		return false
	}
	select {
	case <-m.exited:
		return false
	default:
		return true
	}
}
