package pools

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/marina-dev/marina/e2e/openstacksim"
	"github.com/marina-dev/marina/e2e/openstacksim/front"
)

// TestKilledAtCalls kills all of "marina up" at calls of the cloud: whatever happens there is
// one server for each node in the end, and none after the deletion of the pool. All calls are
// covered in dataplane/machine, with joins that are played; these join.
func TestKilledAtCalls(t *testing.T) {
	s := newScene(t, openstacksim.Options{})
	s.settled(t, s.add(t, "empty", 0), 0)
	list := front.Match{Service: "compute", Method: "GET", Path: "/servers/detail"}
	create := front.Match{Service: "compute", Method: "POST", Path: "/servers"}
	remove := front.Match{Service: "compute", Method: "DELETE", Path: "/servers/{id}"}
	for name, p := range map[string]point{
		"the first list":                          {call: list, nth: 1},
		"the first list, answer lost":             {call: list, nth: 1, lost: true},
		"a list of the deletion":                  {call: list, nth: 1, deleting: true},
		"the first server":                        {call: create, nth: 1},
		"the first server, answer lost":           {call: create, nth: 1, lost: true},
		"the second server":                       {call: create, nth: 2},
		"the second server, answer lost":          {call: create, nth: 2, lost: true},
		"the deletion of the first":               {call: remove, nth: 1, deleting: true},
		"the deletion of the first, answer lost":  {call: remove, nth: 1, deleting: true, lost: true},
		"the deletion of the second":              {call: remove, nth: 2, deleting: true},
		"the deletion of the second, answer lost": {call: remove, nth: 2, deleting: true, lost: true},
		"a list of the deletion, answer lost":     {call: list, nth: 1, deleting: true, lost: true},
	} {
		ok := t.Run(name, func(t *testing.T) {
			if !p.deleting {
				s.arm(p)
			}
			pool := s.add(t, "web", 2)
			if !p.deleting {
				s.revive(t)
			}
			s.settled(t, pool, 2)
			if p.deleting {
				s.arm(p)
			}
			check(t, s.Client.Delete(t.Context(), pool))
			if p.deleting {
				s.revive(t)
			}
			s.deleted(t, pool)
			s.holds(t, onlyTheNetwork)
		})
		if !ok {
			break // what it has left would be in the way of the others
		}
	}
}

// point is where it is killed.
type point struct {
	call front.Match
	// nth is which of these calls, from 1.
	nth int64
	// deleting: they are counted from the deletion of the pool on.
	deleting bool
	// lost: it is done, and its answer lost; else it is cut before anything happens.
	lost bool
}

// arm has "marina up" killed at a point, once.
func (s *scene) arm(p point) {
	killed := make(chan error, 1)
	var seen atomic.Int64
	hook := func(c front.Call) front.Verdict {
		if c.Project != s.team.ID || !p.call.Matches(c) || seen.Add(1) != p.nth {
			return front.Proceed
		}
		killed <- s.Kill()
		return front.Cut
	}
	s.killed = killed
	if p.lost {
		s.cloud.AfterCalls(hook)
	} else {
		s.cloud.BeforeCalls(hook)
	}
}

// revive waits until it has been killed, and starts it again.
func (s *scene) revive(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	select {
	case err := <-s.killed:
		check(t, err)
	case <-ctx.Done():
		check(t, errors.New("the call at which it was to be killed was not made"))
	}
	s.cloud.BeforeCalls(nil)
	s.cloud.AfterCalls(nil)
	check(t, s.Start(t.Context()))
}
