package local

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// errGone says that a process does not run any more.
var errGone = errors.New("the process is gone")

// pollInterval is how often we look after a process where the kernel has no pidfd.
const pollInterval = 250 * time.Millisecond

// handle is a running process. It makes no difference whether it is our child or
// that of a Host before us: the exit of both is seen by a pidfd, which the runtime
// waits for together with all sockets, so that a thousand processes take no thread.
type handle struct {
	identity
	// pidfd is nil on a kernel without.
	pidfd *os.File
	// logFrom is where its log begins in the file; zero if that is not known.
	logFrom int64

	closeOnce sync.Once
	closed    chan struct{}
}

// newHandle owns fd, a pidfd of the process or -1.
func newHandle(id identity, fd int) *handle {
	h := &handle{identity: id, closed: make(chan struct{})}
	if fd >= 0 {
		// Non-blocking is what lets the runtime wait for it.
		if err := unix.SetNonblock(fd, true); err == nil {
			h.pidfd = os.NewFile(uintptr(fd), "pidfd")
		} else {
			unix.Close(fd)
		}
	}
	return h
}

// open returns a handle on the process, or errGone if it has ended, even when its
// number is another one's by now.
func open(id identity) (*handle, error) {
	fd, err := unix.PidfdOpen(id.pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil, errGone
	}
	if err != nil {
		fd = -1
	}
	// Once the pidfd is open the number cannot pass to another process unnoticed: what
	// has the number now is what the pidfd is for, or has ended.
	h := newHandle(id, fd)
	if !id.alive() {
		h.close()
		return nil, errGone
	}
	return h, nil
}

// wait returns how the process ended, once it has. ok is false when the handle was
// closed before: the process lives on.
func (h *handle) wait() (how string, ok bool) {
	if h.pidfd == nil || !h.waitPidfd() {
		h.waitPolling()
	}
	if h.isClosed() {
		return "", false
	}
	return h.reap(), true
}

func (h *handle) isClosed() bool {
	select {
	case <-h.closed:
		return true
	default:
		return false
	}
}

// waitPidfd returns true when the process has ended or the handle was closed, and
// false when it cannot tell.
func (h *handle) waitPidfd() bool {
	raw, err := h.pidfd.SyscallConn()
	if err != nil {
		return h.isClosed()
	}
	var pollErr error
	err = raw.Read(func(fd uintptr) bool {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		for {
			n, err := unix.Poll(fds, 0)
			if !errors.Is(err, unix.EINTR) {
				pollErr = err
				return err != nil || n > 0
			}
		}
	})
	return err == nil && pollErr == nil || h.isClosed()
}

// waitPolling looks from time to time.
func (h *handle) waitPolling() {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for h.alive() {
		select {
		case <-h.closed:
			return
		case <-ticker.C:
		}
	}
}

// killedBy begins how a process ended that got a signal.
const killedBy = "was killed by "

// reap lets the kernel forget the ended process if it was our child, and tells how it
// ended if that is known.
func (h *handle) reap() string {
	// A child keeps its number until this. The ended child of another has given it
	// back, perhaps to a new child of ours, which must not be reaped here.
	if stat, ok := readStat(h.pid); !ok || stat.start != h.start {
		return "exited"
	}
	var status unix.WaitStatus
	for {
		pid, err := unix.Wait4(h.pid, &status, unix.WNOHANG, nil)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil || pid != h.pid:
			return "exited"
		case status.Signaled():
			return killedBy + unix.SignalName(status.Signal())
		default:
			return fmt.Sprintf("exited with status %d", status.ExitStatus())
		}
	}
}

// signal sends a signal; a process that is gone is no error.
func (h *handle) signal(sig syscall.Signal) error {
	err := h.send(sig)
	if errors.Is(err, unix.ESRCH) || h.isClosed() {
		return nil
	}
	return err
}

func (h *handle) send(sig syscall.Signal) error {
	if h.pidfd == nil {
		if !h.alive() {
			return unix.ESRCH
		}
		return unix.Kill(h.pid, sig)
	}
	raw, err := h.pidfd.SyscallConn()
	if err != nil {
		return err
	}
	var sendErr error
	err = raw.Control(func(fd uintptr) { sendErr = unix.PidfdSendSignal(int(fd), sig, nil, 0) })
	return errors.Join(err, sendErr)
}

// close ends wait and gives up the process, which lives on.
func (h *handle) close() {
	h.closeOnce.Do(func() {
		close(h.closed)
		if h.pidfd != nil {
			h.pidfd.Close()
		}
	})
}
