// Package state is what the services of the simulator share: one lock over all that the
// cloud knows, its clock, and the tables of its objects. It knows no service.
package state

import (
	"context"
	"reflect"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/utils/clock"
)

// State holds the lock, the clock and the tables. What is to happen later is done by
// whoever comes first after its time: the next request, or Run. So a test with a fake
// clock never waits for a goroutine.
type State struct {
	clock clock.Clock
	wake  chan struct{}

	mu     sync.Mutex
	events []event
	tables []inventory
	order  int
	setUp  map[string]bool
	// at is the time of the event that is done just now, which may be later than it was due.
	at time.Time

	// kept are the variables that are in the file, by name; see Open.
	kept    map[string]reflect.Value
	file    string
	failed  func(error)
	changed bool // since the file was written
}

type event struct {
	at time.Time
	do func()
}

// New is an empty state on a clock.
func New(c clock.Clock) *State {
	s := &State{clock: c, wake: make(chan struct{}, 1), setUp: map[string]bool{}, kept: map[string]reflect.Value{}}
	s.Keep("order", &s.order)
	s.Keep("set up", &s.setUp)
	return s
}

// Do runs f under the lock, after everything that is due.
func (s *State) Do(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	f()
	s.save()
}

// Look is Do for an f that changes nothing.
func (s *State) Look(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle()
	f()
	if s.changed {
		s.save()
	}
}

// Now is the time of the cloud; for what is done late, the time when it was due, so that
// steps that follow each other do not add up delays. Its caller holds the lock.
func (s *State) Now() time.Time {
	if !s.at.IsZero() {
		return s.at
	}
	return s.clock.Now().UTC()
}

// Clock is the clock that everything goes by.
func (s *State) Clock() clock.Clock { return s.clock }

// After does something under the lock once a time has passed. Its caller holds the lock.
func (s *State) After(delay time.Duration, do func()) {
	e := event{at: s.Now().Add(delay), do: do}
	at, _ := slices.BinarySearchFunc(s.events, e, func(have, want event) int {
		if have.at.After(want.at) {
			return 1
		}
		return -1 // what was asked for first is done first
	})
	s.events = slices.Insert(s.events, at, e)
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run does what is due at its time, also when nobody asks the cloud for anything.
func (s *State) Run(ctx context.Context) {
	for {
		var next time.Time
		s.Look(func() {
			if len(s.events) > 0 {
				next = s.events[0].at
			}
		})
		if next.IsZero() {
			select {
			case <-ctx.Done():
				return
			case <-s.wake:
			}
			continue
		}
		timer := s.clock.NewTimer(next.Sub(s.clock.Now()))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-s.wake:
		case <-timer.C():
		}
		timer.Stop()
	}
}

func (s *State) settle() {
	now := s.Now()
	for len(s.events) > 0 && !s.events[0].at.After(now) {
		e := s.events[0]
		s.events = s.events[1:]
		s.at, s.changed = e.at, true
		e.do()
	}
	s.at = time.Time{}
}

// NewID is a fresh UUID.
func NewID() string { return string(uuid.NewUUID()) }
