package hosted

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// begin begins an upgrade and comes so far that as many replicas of a component are replaced.
func (u *rise) begin(name string, replaced int) {
	u.Helper()
	u.ask(toVersion)
	for {
		u.now = u.now.Add(time.Second)
		u.pass(false)
		if n := len(slices.DeleteFunc(slices.Clone(u.replicas[name]), func(s string) bool { return s == "v1.36.4" })); n == replaced {
			return
		}
		if !u.replace() && u.hcp.Status.Version == toVersion {
			u.Fatalf("%d replicas of %s were never replaced", replaced, name)
		}
	}
}

// isStuck waits for five minutes, and checks that it is told then and not before.
func (u *rise) isStuck(says string) {
	u.Helper()
	u.settle(0)
	if c := u.condition(v1alpha1.ConditionSpecAccepted); c.Status != metav1.ConditionTrue {
		u.Errorf("a replica may take its time: %+v", c)
	}
	u.now = u.now.Add(5 * time.Minute)
	u.settle(0)
	if c := u.condition(v1alpha1.ConditionSpecAccepted); c.Status != metav1.ConditionFalse || c.Reason != "RolloutStuck" || !strings.Contains(c.Message, "unknown flag") || !strings.Contains(c.Message, says) {
		u.Errorf("after five minutes a person is to be told why, and what to do (%s): %+v", says, c)
	}
}

// Rule 17: a replica that does not become ready on the way back is told of as one on the way is,
// whichever component it is of.
func TestRule17GoingBackThatIsStuckIsToldOf(t *testing.T) {
	for _, name := range components {
		t.Run(name, func(t *testing.T) {
			u := newRise(t)
			u.begin(component.NameScheduler, 2)
			u.broken, u.brokenIn = "v1.36.4", name
			u.ask(fromVersion)
			u.isStuck("of " + name + " run 1.36.4-1")
			u.broken = ""
			u.settle(0)
			if c := u.condition(v1alpha1.ConditionSpecAccepted); c.Status != metav1.ConditionTrue || !slices.Equal(u.replicas[component.NameAPIServer], []string{"v1.36.4", "v1.36.4", "v1.36.4"}) {
				t.Errorf("mended it does not go back: %v, %+v", u.replicas, c)
			}
		})
	}
}

// Rule 17: so is one that keeps an upgrade from being stopped, which it is when all replicas of
// what has begun are ready. One that is lost afterwards is no roll.
func TestRule17WhatCannotBeStoppedIsToldOf(t *testing.T) {
	for _, name := range components {
		t.Run(name, func(t *testing.T) {
			u := newRise(t)
			u.begin(name, 1)
			u.broken, u.brokenIn = "v1.37.1 as 1.36", name
			u.hcp.Spec.Paused = true
			u.isStuck("to go back set spec.version to " + fromVersion)
			u.broken = ""
			u.settle(0)
			if c := u.condition(v1alpha1.ConditionSpecAccepted); c.Status != metav1.ConditionTrue || u.hcp.Status.Version != fromVersion {
				t.Errorf("mended it is at %s: %+v", u.hcp.Status.Version, c)
			}
			u.broken = "v1.37.1 as 1.36"
			u.settle(0)
			u.now = u.now.Add(time.Hour)
			u.settle(0)
			if c := u.condition(v1alpha1.ConditionSpecAccepted); c.Status != metav1.ConditionTrue {
				t.Errorf("a replica that is lost when it has stopped: %+v", c)
			}
		})
	}
}

// Rule 10: that nobody looked for a while does not make a roll stuck, whether the host has
// replaced something meanwhile or not. One that was stuck before is so still.
func TestRule10ARollIsNotStuckSinceNobodyLooked(t *testing.T) {
	for name, tc := range map[string]struct {
		replaces, restarted, stuck bool
	}{
		"the host went on":                {true, true, false},
		"the host went on, and so did we": {true, false, false},
		"the host has waited":             {false, true, false},
		"somebody has looked":             {false, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			u := newRise(t)
			u.begin(component.NameAPIServer, 1)
			u.pass(false)
			u.now = u.now.Add(6 * time.Minute)
			if tc.replaces {
				u.replace()
			}
			if tc.restarted {
				u.awake = u.now
			}
			u.pass(false)
			if c := u.condition(v1alpha1.ConditionSpecAccepted); (c.Status == metav1.ConditionFalse) != tc.stuck {
				t.Errorf("stuck is to be %v: %+v", tc.stuck, c)
			}
			u.now = u.now.Add(time.Second)
			u.pass(false)
			if c := u.condition(v1alpha1.ConditionSpecAccepted); (c.Status == metav1.ConditionFalse) != tc.stuck {
				t.Errorf("in the next pass, stuck is to be %v: %+v", tc.stuck, c)
			}
			u.now = u.now.Add(6 * time.Minute)
			u.pass(false)
			u.awake = u.now
			u.pass(false)
			if c := u.condition(v1alpha1.ConditionSpecAccepted); c.Reason != "RolloutStuck" {
				t.Errorf("stuck before another start it is not so afterwards: %+v", c)
			}
		})
	}
}
