package local

import (
	"fmt"
	"time"
)

const (
	// A process that ends is started again after firstRestart, the next time after
	// twice as long, and so on up to lastRestart. One that has run for stableAfter
	// begins anew.
	firstRestart = 200 * time.Millisecond
	lastRestart  = 30 * time.Second
	stableAfter  = time.Minute
)

// restartDelay is how long to wait after that many failures in a row before it.
func restartDelay(failures int) time.Duration {
	delay := firstRestart
	for range failures {
		if delay *= 2; delay >= lastRestart {
			return lastRestart
		}
	}
	return delay
}

// process is one process of a group, whether it runs at the moment or not.
type process struct {
	// plan is nil for what runs from an earlier Host and is not wanted any more: it
	// can be stopped, not started.
	plan *processPlan
	// order is its place in the group, and grace how long it may take to stop.
	order int
	grace time.Duration
	// handle is nil unless it runs.
	handle  *handle
	started time.Time

	// failures in a row, and when to start it after the last.
	failures int
	retryAt  time.Time
	// ended tells how it ended last, wait when it is started again, and lastLine what
	// it logged before.
	ended, lastLine string
	wait            time.Duration

	// killAt is when it is killed; zero until it is asked to stop.
	killAt time.Time
	killed bool
}

func newProcess(p *processPlan) *process {
	return &process{plan: p, order: p.order, grace: p.grace}
}

func (p *process) running() bool { return p.handle != nil }

// failed notes that the process ended, or could not be started, and why.
func (p *process) failed(now time.Time, how, lastLine string) {
	if !p.started.IsZero() && now.Sub(p.started) >= stableAfter {
		p.failures = 0
	}
	p.wait = restartDelay(p.failures)
	p.failures++
	p.retryAt = now.Add(p.wait)
	p.ended, p.lastLine = how, lastLine
}

// message tells why the process does not run, or that it was started again; empty if
// there is nothing to tell.
func (p *process) message() string {
	if p.plan == nil || p.ended == "" {
		return ""
	}
	text := fmt.Sprintf("%s: %s", p.plan.label, p.ended)
	if p.running() {
		text += ", started again"
	} else {
		text += fmt.Sprintf(", restarting in %s", p.wait)
	}
	if p.lastLine != "" {
		text += "; last log line: " + p.lastLine
	}
	return text
}
