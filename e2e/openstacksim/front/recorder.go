package front

import (
	"path"
	"time"
)

// Call is one request that reached the cloud.
type Call struct {
	// N counts the calls from 0.
	N int
	// Service is the service's type in the catalog, such as "compute".
	Service string
	Method  string
	// Path is the template, relative to the service's endpoint, such as "/servers/{id}".
	Path string
	// URL is the path and query as they were sent.
	URL     string
	Project string
	// Status is that of the answer, also if it was never sent; 0 while there is none.
	Status int
	Time   time.Time
}

// maxCalls is how many calls are kept at most: a cloud may run for days.
const maxCalls = 100_000

// String is the call without ids, such as "compute POST /servers".
func (c Call) String() string { return c.Service + " " + c.Method + " " + c.Path }

// Match says which calls are meant. What is empty matches everything.
type Match struct {
	Service, Method string
	// Path is a template, or a pattern of path.Match over templates.
	Path    string
	Project string
	// Status is of use for recorded calls; faults and hooks before calls see none.
	Status int
}

// Matches reports whether a call is meant.
func (m Match) Matches(c Call) bool {
	if m.Path != "" && m.Path != c.Path {
		if ok, err := path.Match(m.Path, c.Path); err != nil || !ok {
			return false
		}
	}
	return (m.Service == "" || m.Service == c.Service) && (m.Method == "" || m.Method == c.Method) &&
		(m.Project == "" || m.Project == c.Project) && (m.Status == 0 || m.Status == c.Status)
}

// Verdict is what a hook decides.
type Verdict int

const (
	// Proceed lets the call go on.
	Proceed Verdict = iota
	// Cut breaks the connection.
	Cut
)

// Hook looks at a call, outside of the cloud's lock: it may use the cloud. Several calls
// may be in it at once.
type Hook func(Call) Verdict

// BeforeCalls sets what is asked before each call; Cut there means that nothing happens.
func (f *Front) BeforeCalls(h Hook) { f.setHook(&f.before, h) }

// AfterCalls sets what is asked when a call is done and before its answer is sent; Cut
// there means that the answer is lost.
func (f *Front) AfterCalls(h Hook) { f.setHook(&f.after, h) }

func (f *Front) setHook(at *Hook, h Hook) {
	f.mu.Lock()
	defer f.mu.Unlock()
	*at = h
}

func (f *Front) hook(at *Hook, c Call) Verdict {
	f.mu.Lock()
	h := *at
	f.mu.Unlock()
	if h == nil {
		return Proceed
	}
	return h(c)
}

func (f *Front) record(c Call) *Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	c.N = f.next
	f.next++
	if len(f.calls) == maxCalls {
		f.calls = append([]*Call(nil), f.calls[maxCalls/2:]...)
	}
	f.calls = append(f.calls, &c)
	return &c
}

func (f *Front) finish(c *Call, status int) Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	c.Status = status
	return *c
}

// Calls are the recorded calls that match, in their order.
func (f *Front) Calls(m Match) []Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	var found []Call
	for _, c := range f.calls {
		if m.Matches(*c) {
			found = append(found, *c)
		}
	}
	return found
}

// Count is how many recorded calls match.
func (f *Front) Count(m Match) int { return len(f.Calls(m)) }

// ResetCalls forgets the recorded calls; N begins at 0 again.
func (f *Front) ResetCalls() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls, f.next = nil, 0
}
