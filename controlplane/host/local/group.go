package local

import (
	"syscall"
	"time"
)

// group is processes that start in order and stop in reverse: sidecars and their main
// process, or a balancer alone.
type group struct {
	processes []*process
	// on is whether they are to run.
	on bool
	// limit, unless zero, is how long each may take to stop at most, whatever its own
	// grace.
	limit time.Duration
}

// starter starts a process and sees to it that its end is noticed. An error is a
// sentence for people.
type starter func(*process) error

// step does what is due now and returns when to look again; zero is on an event.
func (g *group) step(now time.Time, start starter) time.Time {
	if g.on {
		return g.stepStart(now, start)
	}
	return g.stepStop(now)
}

// stepStart starts what does not run. What comes later in the order waits for that;
// but what runs already goes on, as a sidecar's end is no reason to stop the rest.
func (g *group) stepStart(now time.Time, start starter) time.Time {
	for _, p := range g.processes {
		if p.running() {
			continue
		}
		if p.plan == nil {
			// Left over from an earlier plan: the replica is about to be replaced.
			return time.Time{}
		}
		if now.Before(p.retryAt) {
			return p.retryAt
		}
		if err := start(p); err != nil {
			p.failed(now, err.Error(), "")
			return p.retryAt
		}
		p.started = now
	}
	return time.Time{}
}

// stepStop stops the last that runs.
func (g *group) stepStop(now time.Time) time.Time {
	for i := len(g.processes) - 1; i >= 0; i-- {
		p := g.processes[i]
		if !p.running() {
			continue
		}
		if latest := now.Add(g.limit); g.limit > 0 && p.killAt.After(latest) {
			p.killAt = latest
		}
		switch {
		case p.killAt.IsZero():
			p.killAt = now.Add(p.grace)
			if g.limit > 0 {
				p.killAt = now.Add(min(p.grace, g.limit))
			}
			// Errors do not matter: what cannot be told to stop is killed.
			_ = p.handle.signal(syscall.SIGTERM)
			// A process that is held can only take it once it goes on.
			_ = p.handle.signal(syscall.SIGCONT)
		case !p.killed && !now.Before(p.killAt):
			p.killed = true
			_ = p.handle.signal(syscall.SIGKILL)
		}
		if p.killed {
			return time.Time{}
		}
		return p.killAt
	}
	return time.Time{}
}

// running reports whether all processes run, and stopped whether none does.
func (g *group) running() bool {
	for _, p := range g.processes {
		if !p.running() {
			return false
		}
	}
	return true
}

func (g *group) stopped() bool {
	for _, p := range g.processes {
		if p.running() {
			return false
		}
	}
	return true
}

// main is the process that serves.
func (g *group) main() *process { return g.processes[len(g.processes)-1] }
