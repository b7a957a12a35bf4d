package hosted

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// Rule 12: API servers first, one at a time (rule 17), then the controllers; so it is once more
// when they cease to behave as the older version. What is killed anywhere goes on.
func TestRule12APIServersGoFirstWhereverItIsKilled(t *testing.T) {
	first := newRise(t)
	first.ask(toVersion)
	passes := first.settle(0)
	const o, e, n = "v1.36.4", "v1.37.1 as 1.36", "v1.37.1"
	state := func(api1, api2, api3, c1, c2, c3 string) string {
		return fmt.Sprint([]string{api1, api2, api3}, []string{c1, c2, c3})
	}
	want := []string{
		state(o, o, o, o, o, o), state(e, o, o, o, o, o), state(e, e, o, o, o, o), state(e, e, e, o, o, o),
		state(e, e, e, e, o, o), state(e, e, e, e, e, o), state(e, e, e, e, e, e),
		state(n, e, e, e, e, e), state(n, n, e, e, e, e), state(n, n, n, e, e, e),
		state(n, n, n, n, e, e), state(n, n, n, n, n, e), state(n, n, n, n, n, n),
	}
	if diff := cmp.Diff(want, first.seen); diff != "" {
		t.Errorf("the replicas went another way (-want +got):\n%s", diff)
	}
	for killed := range passes + 1 {
		u := newRise(t)
		u.ask(toVersion)
		u.settle(killed)
		if status := u.hcp.Status; status.Version != toVersion || status.Committed != "" || u.condition(v1alpha1.ConditionUpToDate).Status != metav1.ConditionTrue {
			t.Errorf("killed at pass %d it ends at %s (committed %q): %+v", killed, status.Version, status.Committed, u.condition(v1alpha1.ConditionUpToDate))
		}
	}
}

// Going back is safe until the first API server ceases to emulate, and refused from then on.
func TestRule13NoWayBackOnceAnAPIServerCeasesToEmulate(t *testing.T) {
	returned, refused := 0, 0
	for until := 1; ; until++ {
		u := newRise(t)
		u.ask(toVersion)
		for range until {
			u.pass(false)
			u.replace()
		}
		if u.hcp.Status.Version == toVersion {
			break
		}
		committed := u.hcp.Status.Committed != ""
		u.ask(fromVersion)
		u.settle(0)
		accepted := u.condition(v1alpha1.ConditionSpecAccepted)
		switch ended := u.replicas[component.NameAPIServer]; {
		case !committed && (accepted.Status != metav1.ConditionTrue || !slices.Equal(ended, []string{"v1.36.4", "v1.36.4", "v1.36.4"})):
			t.Errorf("after %d passes it does not go back: %v, %+v", until, ended, accepted)
		case committed && (accepted.Status != metav1.ConditionFalse || !strings.Contains(accepted.Message, "set spec.version to "+toVersion) || slices.Contains(ended, "v1.36.4")):
			t.Errorf("after %d passes it is to be refused with what to do: %v, %+v", until, ended, accepted)
		case committed:
			refused++
			u.ask(toVersion)
			u.settle(0)
			if u.hcp.Status.Version != toVersion {
				t.Errorf("after %d passes it does not go on: %+v", until, u.hcp.Status)
			}
		default:
			returned++
		}
	}
	if returned < 5 || refused < 5 {
		t.Errorf("it went back %d times and was refused %d times: the test saw too little", returned, refused)
	}
}

// Rule 13: who asks to go back at the moment at which a pass commits to the new version goes
// back: that pass was of another spec.
func TestRule13GoingBackAtTheMomentOfTheCommit(t *testing.T) {
	for name, back := range map[string]bool{"undisturbed": false, "going back meanwhile": true} {
		t.Run(name, func(t *testing.T) {
			p := newPlane(t)
			hcp := p.hcp()
			hcp.Spec.Version = toVersion
			p.update(hcp)
			read := p.hcp()
			if back {
				asked := p.hcp()
				asked.Spec.Version = fromVersion
				p.update(asked)
			}
			came := read.DeepCopy()
			came.Status.Committed = toVersion
			err := (&Reconciler{Client: p.api}).patchStatus(t.Context(), read, came)
			if got := p.hcp().Status.Committed; apierrors.IsConflict(err) != back || (got == "") != back {
				t.Errorf("it is committed to %q: %v", got, err)
			}
		})
	}
}

// Rule 14: another build of the same Kubernetes is a roll of its own, and emulates nothing.
func TestRule14AnotherBuildIsOneRollWithoutEmulation(t *testing.T) {
	u := newRise(t)
	u.ask("1.36.4-10")
	u.settle(0)
	if u.hcp.Status.Version != "1.36.4-10" || slices.ContainsFunc(u.seen, func(s string) bool { return strings.Contains(s, "as") }) {
		t.Errorf("it ends at %s after %q", u.hcp.Status.Version, u.seen)
	}
	u.ask("1.36.4-9")
	u.settle(0)
	if c := u.condition(v1alpha1.ConditionSpecAccepted); c.Status != metav1.ConditionFalse || u.hcp.Status.Version != "1.36.4-10" {
		t.Errorf("-9 is older than -10: %+v", c)
	}
}

// Rule 17: one that does not become ready stops the roll, the others serve, and it is told what
// to do; mended it goes on by itself, and so it goes back.
func TestRule17AReplicaThatDoesNotBecomeReadyStopsTheRoll(t *testing.T) {
	for _, broken := range order[1:] {
		u := newRise(t)
		u.broken = broken
		u.ask(toVersion)
		u.settle(0)
		if c := u.condition(v1alpha1.ConditionSpecAccepted); c.Status != metav1.ConditionTrue {
			t.Errorf("%s: a replica may take its time: %+v", broken, c)
		}
		u.now = u.now.Add(5 * time.Minute)
		u.settle(0)
		c, api := u.condition(v1alpha1.ConditionSpecAccepted), u.replicas[component.NameAPIServer]
		if c.Status != metav1.ConditionFalse || c.Reason != "RolloutStuck" || !strings.Contains(c.Message, "unknown flag") || !strings.Contains(c.Message, "back") {
			t.Errorf("%s: after five minutes a person is to be told why and what to do: %+v", broken, c)
		}
		if n := len(slices.DeleteFunc(slices.Clone(api), func(s string) bool { return s == broken })); n != 2 {
			t.Errorf("%s: %d of the API servers %q serve, want 2", broken, n, api)
		}
		if u.condition(v1alpha1.ConditionReady).Status != metav1.ConditionTrue {
			t.Errorf("%s: the others serve: %+v", broken, u.condition(v1alpha1.ConditionReady))
		}
		if broken == "v1.37.1 as 1.36" {
			u.ask(fromVersion)
			u.settle(0)
			if !slices.Equal(u.replicas[component.NameAPIServer], []string{"v1.36.4", "v1.36.4", "v1.36.4"}) || u.condition(v1alpha1.ConditionSpecAccepted).Status != metav1.ConditionTrue {
				t.Errorf("it does not go back: %v, %+v", u.replicas, u.condition(v1alpha1.ConditionSpecAccepted))
			}
			continue
		}
		u.broken = ""
		u.settle(0)
		if u.hcp.Status.Version != toVersion || u.condition(v1alpha1.ConditionSpecAccepted).Status != metav1.ConditionTrue {
			t.Errorf("%s: mended it does not go on: %+v", broken, u.hcp.Status)
		}
	}
}
