package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Kill sends SIGKILL to a process that is not our child, and waits until it is dead.
func Kill(t testing.TB, pid int) {
	t.Helper()
	signal(t, pid, syscall.SIGKILL, 0, 'Z', 'X')
}

// Hold sends SIGSTOP and waits until the process stands still. The test's end lets
// it go on.
func Hold(t testing.TB, pid int) {
	t.Helper()
	t.Cleanup(func() { Resume(t, pid) })
	signal(t, pid, syscall.SIGSTOP, 'T')
}

// Resume sends SIGCONT; a process that has gone meanwhile needs none.
func Resume(t testing.TB, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil && !errors.Is(err, syscall.ESRCH) {
		t.Error(err)
	}
}

// signal waits until the process is in one of the states; 0 is that it is gone.
func signal(t testing.TB, pid int, s syscall.Signal, states ...byte) {
	t.Helper()
	Check(t, syscall.Kill(pid, s))
	Check(t, Await(t.Context(), 10*time.Second, func(context.Context) error {
		now := state(pid)
		for _, want := range states {
			if now == want {
				return nil
			}
		}
		return fmt.Errorf("process %d is in state %q after signal %q", pid, now, s)
	}))
}

// state is that of /proc/PID/stat, 0 without such a process.
func state(pid int) byte {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	// The program's name before it may hold spaces and brackets.
	rest := strings.TrimSpace(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	return rest[0]
}
