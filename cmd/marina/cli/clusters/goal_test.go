package clusters

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

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
		g, err := parseGoal(in)
		if (err != nil) != (want == "") || g.text != want {
			t.Errorf("parseGoal(%q) = %q, %v; want %q", in, g.text, err, want)
		}
	}
}

func TestJudge(t *testing.T) {
	active := func() *v1alpha1.Cluster {
		return cluster("a", v1alpha1.ClusterActive, metav1.ConditionTrue, "it serves")
	}
	creating := func() *v1alpha1.Cluster {
		return cluster("a", v1alpha1.ClusterCreating, metav1.ConditionUnknown, "waiting")
	}
	stale := func(c *v1alpha1.Cluster) *v1alpha1.Cluster { c.Generation = 2; return c }
	refused := func(c *v1alpha1.Cluster) *v1alpha1.Cluster {
		c.Status.Conditions = append(c.Status.Conditions, metav1.Condition{
			Type: v1alpha1.ConditionSpecAccepted, Status: metav1.ConditionFalse, Message: "there is no such class"})
		return c
	}
	inError := cluster("a", v1alpha1.ClusterError, metav1.ConditionFalse, "it cannot be")
	untilPhase := func(p v1alpha1.ClusterPhase) goal { return goal{text: string(p), phase: p} }
	another := untilDeleted
	another.uid = "another"

	cases := map[string]struct {
		goal goal
		c    *v1alpha1.Cluster
		want verdict
		why  string
	}{
		"ReadyWhenReady":                    {goal: untilReady, c: active(), want: reached},
		"NotReadyYet":                       {goal: untilReady, c: creating(), want: goOn},
		"ReadyOfAnOlderSpecIsNotReady":      {goal: untilReady, c: stale(active()), want: goOn},
		"NeverSeenByAManager":               {goal: untilReady, c: &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Generation: 1}}, want: goOn},
		"ErrorEndsTheWaiting":               {goal: untilReady, c: inError, want: hopeless, why: "it cannot be"},
		"ErrorOfAnOlderSpecDoesNot":         {goal: untilReady, c: stale(inError.DeepCopy()), want: goOn},
		"ARefusedSpecEndsIt":                {goal: untilReady, c: refused(creating()), want: hopeless, why: "there is no such class"},
		"ARefusedSpecOfAReadyClusterIsFine": {goal: untilReady, c: refused(active()), want: reached},
		"DeletedInBetween":                  {goal: untilReady, c: nil, want: hopeless, why: "it has been deleted"},
		"BeingDeletedInBetween":             {goal: untilReady, c: deleted(stale(active())), want: hopeless, why: "it is being deleted"},
		"InThePhase":                        {goal: untilPhase(v1alpha1.ClusterActive), c: active(), want: reached},
		"NotInThePhase":                     {goal: untilPhase(v1alpha1.ClusterUpgrading), c: active(), want: goOn},
		"ErrorCanBeWaitedFor":               {goal: untilPhase(v1alpha1.ClusterError), c: inError, want: reached},
		"StillThere":                        {goal: untilDeleted, c: active(), want: goOn},
		"StillBeingDeleted":                 {goal: untilDeleted, c: deleted(active()), want: goOn},
		"Gone":                              {goal: untilDeleted, c: nil, want: reached},
		"ANewOneOfItsNameIsNotIt":           {goal: another, c: active(), want: reached},
		"AnErrorDoesNotEndADeletion":        {goal: untilDeleted, c: inError, want: goOn},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, why := tc.goal.judge(tc.c)
			if got != tc.want || why != tc.why {
				t.Errorf("verdict %d because %q, want %d because %q", got, why, tc.want, tc.why)
			}
		})
	}
}
