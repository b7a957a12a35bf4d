package local

import "slices"

// phase is what a replica is about.
type phase int

const (
	// stopped has no process.
	stopped phase = iota
	// running is to run: its processes are there, or are started again.
	running
	// stopping is being stopped.
	stopping
)

// replicaState is all that is decided by.
type replicaState struct {
	ordinal int
	phase   phase
	// wanted is false for one that is more than is asked for.
	wanted bool
	// outdated runs something else than what was applied last.
	outdated  bool
	readiness readiness
	// settling is true while one that runs what was applied last is not ready and may
	// still become so.
	settling bool
}

// rollout is how replicas may be changed.
type rollout struct {
	// ordered holds the others back until the first replica is ready.
	ordered bool
	// waited is true when they were held back long enough.
	waited bool
	// last are the ordinals to be replaced last.
	last []int
	// careful replaces one at a time also of those that are not ready: they have data,
	// and may serve each other all the same.
	careful bool
}

type verb int

const (
	startReplica verb = iota
	stopReplica
)

// action begins something with a replica.
type action struct {
	verb    verb
	ordinal int
}

// nextActions decides what to begin now. The states are sorted by ordinal.
//
// Replacing a replica is stopping it here, and starting it when it has stopped.
func nextActions(states []replicaState, r rollout) []action {
	var actions []action
	for _, s := range states {
		if s.phase == stopped && s.wanted && !heldBack(s, states, r) {
			actions = append(actions, action{startReplica, s.ordinal})
		}
		if s.phase == running && !s.wanted {
			actions = append(actions, action{stopReplica, s.ordinal})
		}
	}
	if r.careful && moving(states) {
		return actions
	}
	for _, s := range states {
		if s.phase == running && s.wanted && s.outdated && s.readiness == notReady {
			// One that does not serve is replaced at once: nothing is lost by it, and
			// what is applied may be what makes it serve.
			actions = append(actions, action{stopReplica, s.ordinal})
			if r.careful {
				return actions
			}
		}
	}
	if next, ok := nextOutdated(states, r.last); ok && allReady(states) {
		actions = append(actions, action{stopReplica, next})
	}
	return actions
}

// moving reports whether a wanted replica is being replaced.
func moving(states []replicaState) bool {
	return slices.ContainsFunc(states, func(s replicaState) bool { return s.wanted && (s.phase != running || s.settling) })
}

// heldBack reports whether a replica has to wait for the first one to be ready. On a
// machine with few cores one that starts alone is ready much sooner. There is nothing
// to gain when others run anyway.
func heldBack(s replicaState, states []replicaState, r rollout) bool {
	if !r.ordered || r.waited || s.ordinal == 0 {
		return false
	}
	for _, other := range states {
		if other.wanted && (other.readiness == ready || other.ordinal != 0 && other.phase != stopped) {
			return false
		}
	}
	return true
}

// nextOutdated finds the ready replica to replace next, from the last to the first as
// a StatefulSet does, but those that are to be last only when no other is left.
func nextOutdated(states []replicaState, last []int) (ordinal int, ok bool) {
	for _, s := range states {
		if !s.wanted || s.phase != running || !s.outdated {
			continue
		}
		if ok && slices.Contains(last, s.ordinal) && !slices.Contains(last, ordinal) {
			continue
		}
		ordinal, ok = s.ordinal, true
	}
	return ordinal, ok
}

// allReady reports whether every wanted replica serves, so that one can be spared. An
// unknown one may not.
func allReady(states []replicaState) bool {
	for _, s := range states {
		if s.wanted && (s.phase != running || s.readiness != ready) {
			return false
		}
	}
	return true
}
