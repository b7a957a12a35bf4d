package lifecycle

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// Phases that all kinds have.
const (
	phasePending  = "Pending"
	phaseDegraded = "Degraded"
	phaseDeleting = "Deleting"
	phaseError    = "Error"
)

// Goal is what an object is waited for to be.
type Goal struct {
	// Text completes the sentence 'cluster "x" is ...'.
	Text string
	// Phase is the phase that is waited for; without one it is Condition.
	Phase string
	// Condition is one that is to be True.
	Condition string
	// Version is the release that it is to run as well, and that its spec asks for; empty if
	// that does not matter.
	Version string

	// deleted is true for the goal that there is no such object; uid limits it to
	// the object that was deleted, so that a new one of its name is not waited for.
	deleted bool
	uid     types.UID
}

var untilDeleted = Goal{Text: "deleted", deleted: true}

// parseGoal reads the value of --for.
func (k *Kind[T]) parseGoal(s string) (Goal, error) {
	switch s {
	case k.Up.Text:
		return k.Up, nil
	case "deleted", "delete": // kubectl's word is delete
		return untilDeleted, nil
	}
	if phase, found := strings.CutPrefix(s, "phase="); found {
		if slices.Contains(k.Phases, phase) {
			return Goal{Text: phase, Phase: phase}, nil
		}
		return Goal{}, fmt.Errorf("--for: there is no phase %q: choose one of %s", phase, strings.Join(k.Phases, ", "))
	}
	if name, found := strings.CutPrefix(s, "condition="); found && name != "" {
		return Goal{Text: name, Condition: name}, nil
	}
	return Goal{}, fmt.Errorf("--for: %q is not something to wait for: choose %s, deleted, phase=PHASE or condition=TYPE", s, k.Up.Text)
}

// verdict is what an object's state means for a goal.
type verdict int

const (
	goOn verdict = iota
	reached
	hopeless
)

// sentence says of an object that the goal is reached.
func (g Goal) sentence(singular, name string) string {
	verb := "is"
	if g.deleted {
		verb = "was"
	}
	return fmt.Sprintf("%s %q %s %s", singular, name, verb, g.Text)
}

// judge compares an object's state, nil for none, with the goal. Why tells, when
// the goal is hopeless, the reason.
//
// Status counts only if it is of the present spec: right after a change it still
// tells how the object was before.
func (g Goal) judge(s *state) (v verdict, why string) {
	switch {
	case g.deleted:
		if s == nil || g.uid != "" && s.uid != g.uid {
			return reached, ""
		}
		return goOn, ""
	case s == nil:
		return hopeless, "it has been deleted"
	case s.deleting && g.Phase != phaseDeleting:
		return hopeless, "it is being deleted"
	case g.overtaken(s):
		return hopeless, "spec.version is " + s.Wanted + " now"
	case s.ObservedGeneration < s.generation:
		return goOn, ""
	case g.Phase != "" && s.Phase == g.Phase:
		return reached, ""
	case g.Phase == "" && s.isTrue(g.Condition):
		return reached, ""
	case s.Phase == phaseError || s.refusal() != "":
		return hopeless, cmp.Or(s.refusal(), s.describe())
	case g.Version != "" && s.stopped():
		return hopeless, s.describe()
	default:
		return goOn, ""
	}
}

// overtaken reports whether somebody asks for another version meanwhile.
func (g Goal) overtaken(s *state) bool { return g.Version != "" && s.Wanted != g.Version }

// stopped reports whether nobody works on a change that is left: it was cancelled. What does
// not serve is Degraded too, and may be mended by itself.
func (s *state) stopped() bool {
	return s.Phase == phaseDegraded && s.Operation == "" && s.isTrue(v1alpha1.ConditionReady)
}

// refusal is why a person has to change the spec, or what it names, empty if
// nobody has to. An object that has nothing to lose yet may stay Pending for it.
func (s *state) refusal() string {
	accepted := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionSpecAccepted)
	if accepted == nil || accepted.Status != metav1.ConditionFalse {
		return ""
	}
	return cmp.Or(accepted.Message, accepted.Reason)
}

// isTrue asks for a condition of the present spec, as kubectl wait does.
func (s *state) isTrue(conditionType string) bool {
	found := meta.FindStatusCondition(s.Conditions, conditionType)
	return found != nil && found.Status == metav1.ConditionTrue && found.ObservedGeneration >= s.generation
}

// phase is the one as it is now: no manager may have seen the object yet, or its
// deletion.
func (s *state) phase() string {
	if s.deleting {
		return phaseDeleting
	}
	return cmp.Or(s.Phase, phasePending)
}

// describe is the sentence that tells most about where an object is.
func (s *state) describe() string {
	if s.deleting && s.Phase != phaseDeleting {
		return "no manager has taken the deletion up yet"
	}
	if s.Message != "" {
		return s.Message
	}
	// A manager older than status.message.
	if condition := meta.FindStatusCondition(s.Conditions, v1alpha1.ConditionReady); condition != nil {
		return condition.Message
	}
	if s.ObservedGeneration == 0 {
		return "no manager has taken it up yet"
	}
	return ""
}
