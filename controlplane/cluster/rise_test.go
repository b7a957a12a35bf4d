package cluster

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// at makes the three components run something: "1.37.1-1 as 1.36", with so many replicas done.
func at(ready int32, each ...string) (all []v1alpha1.ComponentStatus) {
	for i, name := range rolled {
		c := v1alpha1.ComponentStatus{Name: name, Replicas: 3, Ready: 3, Updated: 3}
		c.Version, c.Emulates, _ = strings.Cut(each[i], " as ")
		if ready < 3 && c.Version == newVersion {
			c.Updated, c.Ready = ready, 3
		}
		all = append(all, c)
	}
	return all
}

// The steps of an upgrade tell each part of it, from what components run.
func TestTheStepsOfAnUpgrade(t *testing.T) {
	const o, e, n = oldVersion, newVersion + " as 1.36", newVersion
	op := running(upgradeTo(newVersion, "u"), 2)
	cases := map[string]struct {
		given given
		want  string
	}{
		"nothing has begun":                       {given{components: at(3, o, o, o)}, "......."},
		"API servers are replaced":                {given{told: n, components: at(1, e, o, o)}, "x......"},
		"all API servers emulate":                 {given{told: n, components: at(3, e, o, o)}, "xx....."},
		"everything emulates":                     {given{told: n, components: at(3, e, e, e)}, "xxxx..."},
		"API servers are replaced once more":      {given{told: n, components: at(1, n, e, e)}, "xx....."},
		"API servers have ceased to":              {given{told: n, components: at(3, n, e, e)}, "xxxxx.."},
		"everything is new":                       {given{told: n, components: at(3, n, n, n)}, "xxxxxxx"},
		"a patch has one roll":                    {given{spec: "1.36.9-1", told: "1.36.9-1", components: at(3, "1.36.9-1", o, o)}, "xx.."},
		"and so has the way back, checks and all": {given{runs: o, spec: o, told: o, components: at(3, e, o, o)}, "x.xx"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s, asked := tc.given.situation(), op.DeepCopy()
			if tc.given.spec != "" {
				asked.Spec.Version = tc.given.spec
			}
			got := ""
			for _, step := range stepsOf(asked, s) {
				if step.Done {
					got += "x"
				} else {
					got += "."
				}
			}
			if got != tc.want {
				t.Errorf("steps %s, want %s: %+v", got, tc.want, stepsOf(asked, s))
			}
		})
	}
	s := given{told: n, components: at(3, o, o, o)}.situation()
	var names []string
	for _, step := range stepsOf(op, s) {
		names = append(names, step.Name)
	}
	want := []string{"Checks", "kube-apiserver as 1.36", "kube-controller-manager as 1.36", "kube-scheduler as 1.36", "kube-apiserver", "kube-controller-manager", "kube-scheduler"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	// At the end nothing tells what version it came from, besides the steps themselves.
	for _, name := range names {
		op.Status.Steps = append(op.Status.Steps, v1alpha1.OperationStep{Name: name})
	}
	ended := given{spec: n, runs: n, told: n, components: at(3, n, n, n)}.situation()
	if steps := stepsOf(op, ended); len(steps) != len(want) {
		t.Errorf("at its end it has the steps %+v", steps)
	}
}

// A cancelled upgrade stops where it can go back, and no later.
func TestRule13ACommittedUpgradeIsNotStopped(t *testing.T) {
	const e = newVersion + " as 1.36"
	op := cancel(running(upgradeTo(newVersion, "u"), 2))
	for committed, paused := range map[string]bool{"": true, newVersion: false} {
		s := given{spec: newVersion, told: newVersion, components: at(3, e, e, e), operations: ops(op)}.situation()
		s.hcp.Status.Committed = committed
		if got := withActions(s.hcp.Spec, s, op).Paused; got != paused {
			t.Errorf("committed to %q: paused %v, want %v", committed, got, paused)
		}
		s.hcp.Spec.Paused = true
		if phase, message := s.Judge(op); (phase == v1alpha1.OperationCancelled) != paused {
			t.Errorf("committed to %q it is %s: %s", committed, phase, message)
		}
	}
}

// The way back is refused where there is none, whatever the API server let through.
func TestRule13NoWayBackFromWhatIsCommitted(t *testing.T) {
	w := newCreated(t)
	hcp := &v1alpha1.HostedControlPlane{}
	hcp.Status.Version, hcp.Status.Committed = oldVersion, newVersion
	err := w.controller().checkSpec(t.Context(), &scope{cluster: w.cluster1(), hcp: hcp})
	if e := reconcile.As(err); e == nil || e.Reason != "UpgradeRefused" || !strings.Contains(e.Message, "set spec.version to "+newVersion) {
		t.Errorf("going back comes to %v", err)
	}
}

// One that is stuck has failed; who tries again gives it as much time once more.
func TestRule17ARetryHasItsTime(t *testing.T) {
	stuckAt := noon.Add(-time.Minute)
	for name, tc := range map[string]struct {
		reason  string
		started time.Duration // after it was stuck
		now     time.Duration
		want    bool
	}{
		"the one that got stuck":       {v1alpha1.ReasonRolloutStuck, -10 * time.Minute, 0, false},
		"a new one":                    {v1alpha1.ReasonRolloutStuck, time.Second, 0, true},
		"a new one after five minutes": {v1alpha1.ReasonRolloutStuck, time.Second, 5*time.Minute + time.Second, false},
		"refused for something else":   {"ReleaseNotFound", time.Second, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			op := running(upgradeTo(newVersion, "u"), 2)
			op.Status.StartedAt = &metav1.Time{Time: stuckAt.Add(tc.started)}
			s := given{spec: newVersion, told: newVersion, operations: ops(op)}.situation()
			s.now = stuckAt.Add(tc.now)
			s.hcp.Status.Conditions = append(s.hcp.Status.Conditions, metav1.Condition{
				Type: v1alpha1.ConditionSpecAccepted, Status: metav1.ConditionFalse, Reason: tc.reason, LastTransitionTime: metav1.NewTime(stuckAt)})
			if got := s.triesAgain(); got != tc.want {
				t.Errorf("triesAgain() = %v, want %v", got, tc.want)
			}
		})
	}
	if got := fmt.Sprint(again); got != "5m0s" {
		t.Errorf("a retry has %s", got)
	}
}
