package local

import (
	"context"
	"time"

	"github.com/marina-dev/marina/controlplane/host/local/readyz"
)

const (
	// probeTimeout is how long an answer may take; a process that is held gives none.
	probeTimeout = time.Second
	// A replica that is not ready is asked every probeSoon, so that a start is noticed
	// at once, but every probeLate when it is not ready for probePatience. A ready one
	// is asked every probeLate, and again probeSoon after a failure.
	probeSoon     = 100 * time.Millisecond
	probeLate     = time.Second
	probePatience = time.Minute
	// unreadyAfter is how many failures in a row it takes to be not ready. A process
	// that ends is not ready at once; this is for those that hang.
	unreadyAfter = 2
)

// readiness is what is known from asking.
type readiness int

const (
	// unknown is before the first answers. A replica that was adopted may well be
	// serving: it must not be taken for one that is not.
	unknown readiness = iota
	notReady
	ready
)

// probeResult is what a probe has found.
type probeResult struct {
	readiness readiness
	// detail is why it is not ready.
	detail string
}

// verdict turns answers into a probeResult.
type verdict struct {
	probeResult
	failures int
}

// add takes an answer.
func (v *verdict) add(err error) {
	if err == nil {
		*v = verdict{probeResult: probeResult{readiness: ready}}
		return
	}
	v.failures++
	if v.readiness == notReady || v.failures >= unreadyAfter {
		v.probeResult = probeResult{readiness: notReady, detail: err.Error()}
	}
}

// pause is how long to wait before asking again, when the replica is asked for so long.
func (v *verdict) pause(asked time.Duration) time.Duration {
	if v.readiness == ready && v.failures == 0 || v.readiness == notReady && asked > probePatience {
		return probeLate
	}
	return probeSoon
}

// probe asks until ctx is done, and reports each result that differs from the last.
func probe(ctx context.Context, target readyz.Target, report func(probeResult)) {
	asker := readyz.New(target)
	defer asker.Close()
	began := time.Now()
	var v verdict
	var told probeResult
	for {
		err := asker.Ask(ctx)
		if ctx.Err() != nil {
			return
		}
		v.add(err)
		if v.probeResult != told {
			told = v.probeResult
			report(told)
		}
		timer := time.NewTimer(v.pause(time.Since(began)))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}
