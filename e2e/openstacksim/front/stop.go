package front

import "sync/atomic"

// A Stop is what happens to a client at one call.
type Stop struct {
	Name string
	// before and after are what becomes of the call.
	before, after Verdict
	// dies is whether the client ends with it; else it goes on with an error.
	dies bool
}

// Stops are all that can happen.
var Stops = []Stop{
	{Name: "before", before: Cut, dies: true},
	{Name: "after", dies: true},
	{Name: "answer lost", after: Cut},
	{Name: "answer lost and stopped", after: Cut, dies: true},
}

// Interrupt has a client stopped at the call with a number, once. harmed is set then, and
// dead if the client has ended: as long as that is set, all calls are cut. It takes the place
// of what was set with BeforeCalls and AfterCalls.
func (f *Front) Interrupt(number int, s Stop, dead, harmed *atomic.Bool) {
	f.BeforeCalls(func(c Call) Verdict {
		if dead.Load() {
			return Cut
		}
		if c.N == number && s.before == Cut {
			harmed.Store(true)
			dead.Store(s.dies)
			return Cut
		}
		return Proceed
	})
	f.AfterCalls(func(c Call) Verdict {
		if c.N != number || s.before == Cut {
			return Proceed
		}
		harmed.Store(true)
		if s.dies {
			dead.Store(true)
		}
		return s.after
	})
}
