package local

import (
	"context"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"

	"github.com/marina-dev/marina/controlplane/component"
)

// goal is what a unit is for. It only ever grows.
type goal int

const (
	// run what was applied.
	run goal = iota
	// halt stops the processes and keeps everything else.
	halt
	// remove leaves nothing.
	remove
)

// unit runs one Component. Its goroutine steps whenever something has happened; others
// change what it sees under its mutex and wake it.
type unit struct {
	key
	host *Host
	wake chan struct{}
	// done is closed when there is nothing more to do: it is gone, or halted.
	done chan struct{}

	// leaving is true once the goal is not run; it can be asked without waiting for a
	// step to end.
	leaving atomic.Bool

	mu   sync.Mutex
	goal goal
	// desired is what was applied last; nil if nothing was since the Host began.
	desired *plan
	// found is what ran when the Host began, until the first step adopts it.
	found    []found
	replicas map[int]*replica
	balancer *group
	// problem tells why the rest of it cannot be removed.
	problem string
	// told is the status that subscribers were told last.
	told component.Status
}

func newUnit(h *Host, k key, running []found) *unit {
	return &unit{
		key: k, host: h, found: running,
		wake:     make(chan struct{}, 1),
		done:     make(chan struct{}),
		replicas: map[int]*replica{},
	}
}

// change runs f under the mutex and makes the unit look again.
func (u *unit) change(f func()) {
	u.mu.Lock()
	f()
	u.mu.Unlock()
	select {
	case u.wake <- struct{}{}:
	default:
	}
}

// leave makes the unit stop its Component for good.
func (u *unit) leave(g goal) {
	u.leaving.Store(true)
	u.change(func() { u.goal = max(u.goal, g) })
}

// loop steps until there is nothing more to do, or ctx is done; then it lets go of the
// processes, which live on.
func (u *unit) loop(ctx context.Context) {
	defer u.release()
	for {
		next, done := u.advance()
		if done {
			close(u.done)
			return
		}
		if !u.sleep(ctx, next) {
			return
		}
	}
}

// sleep waits for an event or the time; it returns false when ctx is done.
func (u *unit) sleep(ctx context.Context, until time.Time) bool {
	var due <-chan time.Time
	if !until.IsZero() {
		wait := until.Sub(u.host.clock.Now())
		if wait <= 0 {
			return ctx.Err() == nil
		}
		timer := u.host.clock.NewTimer(wait)
		defer timer.Stop()
		due = timer.C()
	}
	select {
	case <-ctx.Done():
		return false
	case <-u.wake:
	case <-due:
	}
	return true
}

// advance is one step, after which subscribers are told what changed.
func (u *unit) advance() (next time.Time, done bool) {
	u.mu.Lock()
	next, done = u.step(u.host.clock.Now())
	now := u.statusLocked()
	changed := !reflect.DeepEqual(now, u.told)
	u.told = now
	u.mu.Unlock()
	if done {
		// First, so that who is told finds it so.
		u.host.forget(u)
	}
	if changed || done {
		u.host.notify(u.key)
	}
	return next, done
}

// release gives up all processes and probes.
func (u *unit) release() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, g := range u.groups() {
		for _, p := range g.processes {
			if p.running() {
				p.handle.close()
			}
		}
	}
	for _, r := range u.replicas {
		r.endProbe()
	}
}

// groups are all groups of processes that there are.
func (u *unit) groups() []*group {
	var all []*group
	for _, r := range u.replicas {
		all = append(all, &r.group)
	}
	if u.balancer != nil {
		all = append(all, u.balancer)
	}
	return all
}

// watch notices the end of a process of the group.
func (u *unit) watch(g *group, p *process) {
	h := p.handle
	u.host.wg.Go(func() {
		how, ended := h.wait()
		h.close()
		if !ended {
			return
		}
		u.change(func() {
			p.handle = nil
			if !g.on || p.plan == nil {
				return
			}
			// Who is killed does not say why in its log.
			said := ""
			if !strings.HasPrefix(how, killedBy) {
				said = lastWords(p.plan.log, h.logFrom)
			}
			p.failed(u.host.clock.Now(), how, said)
			// Nobody has asked for it.
			slog.New(logr.ToSlogHandler(u.host.log)).Warn("A process ended", "process", p.plan.id.String(), "pid", h.pid, "how", how, "restartIn", p.wait)
		})
	})
}
