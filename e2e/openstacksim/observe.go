package openstacksim

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/e2e/openstacksim/state"
)

// Inject adds a fault to the plan.
func (s *Simulator) Inject(f front.Fault) *front.Fault { return s.front.Inject(f) }

// BeforeCalls sets what is asked before each call: front.Cut there breaks the connection,
// and nothing happens.
func (s *Simulator) BeforeCalls(h front.Hook) { s.front.BeforeCalls(h) }

// AfterCalls sets what is asked when a call is done and its answer not sent: front.Cut
// there loses the answer.
func (s *Simulator) AfterCalls(h front.Hook) { s.front.AfterCalls(h) }

// Interrupt has a client stopped at the call with a number, once. harmed is set then, and dead
// if the client has ended: as long as that is set, all calls are cut.
func (s *Simulator) Interrupt(number int, stop front.Stop, dead, harmed *atomic.Bool) {
	s.front.Interrupt(number, stop, dead, harmed)
}

// Calls are the recorded calls that match.
func (s *Simulator) Calls(m front.Match) []front.Call { return s.front.Calls(m) }

// Count is how many recorded calls match.
func (s *Simulator) Count(m front.Match) int { return s.front.Count(m) }

// Work is how many recorded calls do something: all but tokens and the discovery of
// versions.
func (s *Simulator) Work() int {
	return len(slices.DeleteFunc(s.Calls(front.Match{}), func(c front.Call) bool { return c.Service == "identity" || c.Path == "/" }))
}

// ResetCalls forgets the recorded calls.
func (s *Simulator) ResetCalls() { s.front.ResetCalls() }

// AwaitDriver waits until the driver has done all that it was asked for, and servers show
// it. Nobody may ask for more meanwhile.
func (s *Simulator) AwaitDriver() { s.nova.AwaitDriver() }

// Leak is an object that was left behind.
type Leak struct{ Kind, ID, Name string }

func (l Leak) String() string {
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", l.Kind, l.ID, l.Name))
}

// Leaks are all objects of a project that were not there when SetUp was last called, nor
// set up by the methods of the simulator. They are sorted by kind, then by age.
func (s *Simulator) Leaks(project string) []Leak {
	var objects map[string][]state.Base
	s.state.Look(func() { objects = s.state.Objects(project) })
	var leaks []Leak
	for kind, all := range objects {
		for _, o := range all {
			leaks = append(leaks, Leak{Kind: kind, ID: o.ID, Name: o.Name})
		}
	}
	slices.SortStableFunc(leaks, func(a, b Leak) int { return strings.Compare(a.Kind, b.Kind) })
	return leaks
}

// LeftKinds is how many Leaks there are of each kind.
func (s *Simulator) LeftKinds(project string) map[string]int {
	kinds := map[string]int{}
	for _, l := range s.Leaks(project) {
		kinds[l.Kind]++
	}
	return kinds
}

// SetUp takes all that is there for set up by the test.
func (s *Simulator) SetUp() { s.state.Do(s.state.SetUp) }
