package local

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNextActions(t *testing.T) {
	// The states of a replica as words.
	none := replicaState{wanted: true, readiness: notReady}
	starting := replicaState{wanted: true, phase: running, readiness: notReady}
	unprobed := replicaState{wanted: true, phase: running, readiness: unknown}
	serving := replicaState{wanted: true, phase: running, readiness: ready}
	ending := replicaState{wanted: true, phase: stopping, readiness: notReady}
	outdated := func(s replicaState) replicaState { s.outdated = true; return s }
	settling := func(s replicaState) replicaState { s.settling = true; return s }
	surplus := func(s replicaState) replicaState { s.wanted = false; return s }

	careful := rollout{careful: true}
	ordered, waited := rollout{ordered: true}, rollout{ordered: true, waited: true}
	cases := map[string]struct {
		states  []replicaState
		rollout rollout
		want    []action
		why     string
	}{
		"ParallelStart": {
			states: []replicaState{none, none, none},
			want:   []action{{startReplica, 0}, {startReplica, 1}, {startReplica, 2}},
			why:    "members that need each other start at once",
		},
		"OrderedStart": {
			states: []replicaState{none, none, none}, rollout: ordered,
			want: []action{{startReplica, 0}},
			why:  "the first starts alone",
		},
		"OrderedFirstIsStarting": {
			states: []replicaState{starting, none, none}, rollout: ordered,
			why: "the others wait for the first",
		},
		"OrderedFirstIsUnprobed": {
			states: []replicaState{unprobed, none, none}, rollout: ordered,
			why: "not known to be ready is not ready",
		},
		"OrderedFirstIsReady": {
			states: []replicaState{serving, none, none}, rollout: ordered,
			want: []action{{startReplica, 1}, {startReplica, 2}},
			why:  "all others at once",
		},
		"OrderedFirstTakesTooLong": {
			states: []replicaState{starting, none, none}, rollout: waited,
			want: []action{{startReplica, 1}, {startReplica, 2}},
			why:  "the others may be fine",
		},
		"OrderedOthersRun": {
			states: []replicaState{starting, starting, none}, rollout: ordered,
			want: []action{{startReplica, 2}},
			why:  "there is nothing to hold back for",
		},
		"OrderedFirstIsMissingWhileOthersServe": {
			states: []replicaState{none, serving, none}, rollout: ordered,
			want: []action{{startReplica, 0}, {startReplica, 2}},
			why:  "it is not the first start",
		},
		"AllIsWell": {
			states: []replicaState{serving, serving, serving},
			why:    "nothing changed",
		},
		"RollBegins": {
			states: []replicaState{outdated(serving), outdated(serving), outdated(serving)},
			want:   []action{{stopReplica, 2}},
			why:    "one at a time, the last first",
		},
		"RollWaitsForTheEnd": {
			states: []replicaState{outdated(serving), outdated(serving), outdated(ending)},
			why:    "one is already down",
		},
		"RollStartsTheNewOne": {
			states: []replicaState{outdated(serving), outdated(serving), none},
			want:   []action{{startReplica, 2}},
			why:    "the old one has stopped",
		},
		"RollStartsTheNewOneThoughOrdered": {
			states: []replicaState{none, outdated(serving), serving}, rollout: ordered,
			want: []action{{startReplica, 0}},
			why:  "it is not the first start",
		},
		"RollWaitsForTheNewOne": {
			states: []replicaState{outdated(serving), outdated(serving), starting},
			why:    "two would be down",
		},
		"RollWaitsForAnAnswerOfTheNewOne": {
			states: []replicaState{outdated(serving), outdated(serving), unprobed},
			why:    "two might be down",
		},
		"RollGoesOn": {
			states: []replicaState{outdated(serving), outdated(serving), serving},
			want:   []action{{stopReplica, 1}},
			why:    "the new one is ready",
		},
		"RollReplacesWhatDoesNotServeFirst": {
			states: []replicaState{outdated(starting), outdated(serving), outdated(serving)},
			want:   []action{{stopReplica, 0}},
			why:    "nothing is lost by it, and the two that serve must stay",
		},
		"RollReplacesAllThatDoNotServe": {
			states: []replicaState{outdated(starting), outdated(starting), outdated(serving)},
			want:   []action{{stopReplica, 0}, {stopReplica, 1}},
			why:    "what is applied may be what makes them serve",
		},
		"WithDataOneAtATimeThoughNoneServes": {
			states:  []replicaState{outdated(starting), outdated(starting), outdated(starting)},
			rollout: careful,
			want:    []action{{stopReplica, 0}},
			why:     "it may be only that they answer in another way: their quorum must stay",
		},
		"WithDataTheNextWaitsForTheStart": {
			states:  []replicaState{none, outdated(starting), outdated(starting)},
			rollout: careful,
			want:    []action{{startReplica, 0}},
			why:     "two would be down",
		},
		"WithDataTheNextWaitsForTheNewOne": {
			states:  []replicaState{settling(starting), outdated(starting), outdated(starting)},
			rollout: careful,
			why:     "two would be down",
		},
		"WithDataTheNextFollowsOneThatIsReady": {
			states:  []replicaState{serving, outdated(starting), outdated(starting)},
			rollout: careful,
			want:    []action{{stopReplica, 1}},
			why:     "two serve",
		},
		"WithDataTheNextDoesNotWaitForEver": {
			states:  []replicaState{starting, outdated(starting), outdated(starting)},
			rollout: careful,
			want:    []action{{stopReplica, 1}},
			why:     "the change may be what all of them need",
		},
		"RollAfterAFailedOne": {
			states: []replicaState{outdated(serving), outdated(serving), outdated(starting)},
			want:   []action{{stopReplica, 2}},
			why:    "the correction replaces the one that the mistake took down, and no other",
		},
		"RollLeavesTheLeaderForLast": {
			states: []replicaState{outdated(serving), outdated(serving), outdated(serving)}, rollout: rollout{last: []int{2}},
			want: []action{{stopReplica, 1}},
			why:  "each time it goes, another has to be elected",
		},
		"RollLeavesTheLeaderForLastWhereverItIs": {
			states: []replicaState{outdated(serving), outdated(serving), serving}, rollout: rollout{last: []int{0}},
			want: []action{{stopReplica, 1}},
			why:  "each time it goes, another has to be elected",
		},
		"RollEndsWithTheLeader": {
			states: []replicaState{serving, serving, outdated(serving)}, rollout: rollout{last: []int{2}},
			want: []action{{stopReplica, 2}},
			why:  "last is not never",
		},
		"RollReplacesALeaderThatDoesNotServe": {
			states: []replicaState{outdated(serving), outdated(starting), outdated(serving)}, rollout: rollout{last: []int{1}},
			want: []action{{stopReplica, 1}},
			why:  "it leads nobody",
		},
		"RollOfASingleReplica": {
			states: []replicaState{outdated(serving)},
			want:   []action{{stopReplica, 0}},
			why:    "there is no other way",
		},
		"AdoptedAndOutdatedButUnprobed": {
			states: []replicaState{outdated(unprobed), outdated(unprobed), outdated(unprobed)},
			why:    "they may be serving: taking all of them for dead would be an outage",
		},
		"AdoptedOneIsUnprobed": {
			states: []replicaState{outdated(serving), outdated(serving), outdated(unprobed)},
			why:    "it may be down",
		},
		"FewerReplicas": {
			states: []replicaState{serving, surplus(serving), surplus(starting)},
			want:   []action{{stopReplica, 1}, {stopReplica, 2}},
			why:    "they are not asked for",
		},
		"SurplusDoesNotStopARoll": {
			states: []replicaState{outdated(serving), surplus(ending)},
			want:   []action{{stopReplica, 0}},
			why:    "what goes is not waited for to be ready",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			for i := range tc.states {
				tc.states[i].ordinal = i
			}
			got := nextActions(tc.states, tc.rollout)
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(action{})); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.why, diff)
			}
		})
	}
}
