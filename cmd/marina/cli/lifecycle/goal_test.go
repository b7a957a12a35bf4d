package lifecycle

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// kind is one that is up when it is ready.
var kind = &Kind[*v1alpha1.Cluster]{
	Up:     Goal{Text: "ready", Condition: v1alpha1.ConditionReady},
	Phases: []string{"Active", "Degraded", "Updating"},
	Status: func(c *v1alpha1.Cluster) Status {
		return Status{Phase: string(c.Status.Phase), Message: c.Status.Message, Operation: c.Status.Operation}
	},
}

func TestParseGoal(t *testing.T) {
	for in, want := range map[string]string{
		"ready":          "ready",
		"deleted":        "deleted",
		"delete":         "deleted",
		"phase=Active":   "Active",
		"phase=Degraded": "Degraded",
		"phase=Updating": "Updating",
		"phase=active":   "",
		"phase=":         "",
		"Ready":          "",
		"":               "",
	} {
		g, err := kind.parseGoal(in)
		if (err != nil) != (want == "") || g.Text != want {
			t.Errorf("parseGoal(%q) = %q, %v; want %q", in, g.Text, err, want)
		}
	}
}

func TestJudge(t *testing.T) {
	observed := func(phase string, ready metav1.ConditionStatus, message string) *state {
		return &state{generation: 1, Status: Status{Phase: phase, ObservedGeneration: 1, Conditions: []metav1.Condition{
			{Type: v1alpha1.ConditionReady, Status: ready, Message: message, ObservedGeneration: 1},
		}}}
	}
	active := func() *state { return observed("Active", metav1.ConditionTrue, "it serves") }
	creating := func() *state { return observed("Creating", metav1.ConditionUnknown, "waiting") }
	inError := func() *state { return observed(phaseError, metav1.ConditionFalse, "it cannot be") }
	stale := func(s *state) *state { s.generation = 2; return s }
	deleted := func(s *state) *state { s.deleting = true; return s }
	refused := func(s *state) *state {
		s.Conditions = append(s.Conditions, metav1.Condition{
			Type: v1alpha1.ConditionSpecAccepted, Status: metav1.ConditionFalse, Message: "there is no such class"})
		return s
	}
	withMessage := func(s *state) *state { s.Message = "it says why"; return s }
	upgrading := func(phase, wanted string, serves metav1.ConditionStatus, operation string) *state {
		s := observed(phase, serves, "it says where it is")
		s.Wanted, s.Operation = wanted, operation
		return s
	}
	untilUpgraded := Goal{Text: "upgraded", Phase: "Active", Version: "1.37.1-1"}
	untilReady, untilPhase := kind.Up, func(phase string) Goal { return Goal{Text: phase, Phase: phase} }
	another := untilDeleted
	another.uid = "another"

	cases := map[string]struct {
		goal Goal
		s    *state
		want verdict
		why  string
	}{
		"ReadyWhenReady":                    {goal: untilReady, s: active(), want: reached},
		"NotReadyYet":                       {goal: untilReady, s: creating(), want: goOn},
		"ReadyOfAnOlderSpecIsNotReady":      {goal: untilReady, s: stale(active()), want: goOn},
		"NeverSeenByAManager":               {goal: untilReady, s: &state{generation: 1}, want: goOn},
		"ErrorEndsTheWaiting":               {goal: untilReady, s: inError(), want: hopeless, why: "it cannot be"},
		"TheStatusSaysWhy":                  {goal: untilReady, s: withMessage(inError()), want: hopeless, why: "it says why"},
		"ErrorOfAnOlderSpecDoesNot":         {goal: untilReady, s: stale(inError()), want: goOn},
		"ARefusedSpecEndsIt":                {goal: untilReady, s: refused(creating()), want: hopeless, why: "there is no such class"},
		"ARefusedSpecOfAReadyClusterIsFine": {goal: untilReady, s: refused(active()), want: reached},
		"DeletedInBetween":                  {goal: untilReady, s: nil, want: hopeless, why: "it has been deleted"},
		"BeingDeletedInBetween":             {goal: untilReady, s: deleted(stale(active())), want: hopeless, why: "it is being deleted"},
		"InThePhase":                        {goal: untilPhase("Active"), s: active(), want: reached},
		"NotInThePhase":                     {goal: untilPhase("Upgrading"), s: active(), want: goOn},
		"ErrorCanBeWaitedFor":               {goal: untilPhase(phaseError), s: inError(), want: reached},
		"StillThere":                        {goal: untilDeleted, s: active(), want: goOn},
		"StillBeingDeleted":                 {goal: untilDeleted, s: deleted(active()), want: goOn},
		"Gone":                              {goal: untilDeleted, s: nil, want: reached},
		"ANewOneOfItsNameIsNotIt":           {goal: another, s: active(), want: reached},
		"Upgraded":                          {goal: untilUpgraded, s: upgrading("Active", "1.37.1-1", metav1.ConditionTrue, ""), want: reached},
		"NotTakenUpYet":                     {goal: untilUpgraded, s: stale(upgrading("Active", "1.37.1-1", metav1.ConditionTrue, "")), want: goOn},
		"OneThatWentBackIsNotUpgraded":      {goal: untilUpgraded, s: upgrading("Active", "1.36.4-1", metav1.ConditionTrue, ""), want: hopeless, why: "spec.version is 1.36.4-1 now"},
		"OneThatGoesBackWillNotBe":          {goal: untilUpgraded, s: stale(upgrading("Upgrading", "1.36.4-1", metav1.ConditionTrue, "")), want: hopeless, why: "spec.version is 1.36.4-1 now"},
		"WhatWasStoppedStaysSo":             {goal: untilUpgraded, s: upgrading("Degraded", "1.37.1-1", metav1.ConditionTrue, ""), want: hopeless, why: "it says where it is"},
		"WhatDoesNotServeMayBeMended":       {goal: untilUpgraded, s: upgrading("Degraded", "1.37.1-1", metav1.ConditionFalse, ""), want: goOn},
		"WhatIsWorkedOnGoesOn":              {goal: untilUpgraded, s: upgrading("Degraded", "1.37.1-1", metav1.ConditionTrue, "demo-upgrade-1"), want: goOn},
		"WithoutAVersionItMayBeTriedAgain":  {goal: untilPhase("Active"), s: upgrading("Degraded", "1.37.1-1", metav1.ConditionTrue, ""), want: goOn},
		"AnErrorDoesNotEndADeletion":        {goal: untilDeleted, s: inError(), want: goOn},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, why := tc.goal.judge(tc.s)
			if got != tc.want || why != tc.why {
				t.Errorf("verdict %d because %q, want %d because %q", got, why, tc.want, tc.why)
			}
		})
	}
}
