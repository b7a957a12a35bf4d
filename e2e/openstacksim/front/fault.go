package front

import (
	"net/http"
	"slices"
	"strconv"
	"time"
)

// Effect is what a fault does to a call. The zero value does nothing.
type Effect struct {
	status int
	after  time.Duration // Retry-After
	delay  time.Duration
	hang   bool
	reset  bool
	lost   bool
}

// Fail answers with a status and does nothing else.
func Fail(status int) Effect { return Effect{status: status} }

// Throttle answers 429 with a Retry-After of whole seconds.
func Throttle(retryAfter time.Duration) Effect {
	return Effect{status: http.StatusTooManyRequests, after: retryAfter}
}

// Hang does nothing and never answers, until the client goes.
func Hang() Effect { return Effect{hang: true} }

// Reset does nothing and resets the connection.
func Reset() Effect { return Effect{reset: true} }

// LoseResponse does what was asked for and resets the connection instead of answering.
func LoseResponse() Effect { return Effect{lost: true} }

// Slow lets a time of the cloud's clock pass before the call is done.
func Slow(delay time.Duration) Effect { return Effect{delay: delay} }

// Fault is a rule of the fault plan.
type Fault struct {
	Match
	Effect Effect
	// Skip is how many matching calls are left alone first.
	Skip int
	// Times is how many calls are hit after these; 0 is all.
	Times int

	seen, hits int
	removed    bool
	hit        chan struct{}
	front      *Front
}

// Inject adds a fault to the plan. Of several that match, the first added that is not
// used up applies.
func (f *Front) Inject(fault Fault) *Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	fault.front, fault.hit = f, make(chan struct{})
	f.faults = append(f.faults, &fault)
	return &fault
}

// Hits is how many calls the fault has hit: a test proves by it that it did harm.
func (x *Fault) Hits() int {
	x.front.mu.Lock()
	defer x.front.mu.Unlock()
	return x.hits
}

// Hit is closed when the fault hits its first call.
func (x *Fault) Hit() <-chan struct{} { return x.hit }

// Remove takes the fault out of the plan.
func (x *Fault) Remove() {
	x.front.mu.Lock()
	defer x.front.mu.Unlock()
	x.removed = true
	x.front.faults = slices.DeleteFunc(x.front.faults, func(have *Fault) bool { return have == x })
}

// fault is the effect on a call.
func (f *Front) fault(c Call) Effect {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, x := range f.faults {
		if !x.Matches(c) || (x.Times > 0 && x.hits >= x.Times) {
			continue
		}
		if x.seen++; x.seen > x.Skip {
			if x.hits++; x.hits == 1 {
				close(x.hit)
			}
			return x.Effect
		}
	}
	return Effect{}
}

// wait lets a slow or hanging call wait; it is false if nothing more happens to it.
func (f *Front) wait(r *Request, e Effect) bool {
	if e.reset {
		return false
	}
	if e.hang {
		select {
		case <-r.Context().Done():
		case <-f.done:
		}
		return false
	}
	if e.delay > 0 {
		timer := f.state.Clock().NewTimer(e.delay)
		defer timer.Stop()
		select {
		case <-timer.C():
		case <-r.Context().Done():
			return false
		case <-f.done:
			return false
		}
	}
	return true
}

func (e Effect) failure() *Error {
	failure := &Error{Status: e.status, Type: "HTTPFault", Message: http.StatusText(e.status)}
	switch e.status {
	case http.StatusTooManyRequests:
		failure.Message = "This request was rate-limited."
		failure.Header = map[string]string{"Retry-After": strconv.Itoa(int(e.after.Seconds()))}
	case http.StatusInternalServerError:
		failure.Message = "The server has either erred or is incapable of performing the requested operation."
	}
	return failure
}
