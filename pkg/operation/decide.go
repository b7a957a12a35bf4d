package operation

import (
	"fmt"
	"slices"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// Decision is what becomes of the Operations on a Target in one pass.
type Decision struct {
	// Running is the one that runs from now on, nil for none.
	Running *v1alpha1.Operation
	// Begins is true when it has not run before, and Create when it does not exist yet.
	Begins, Create bool
	// Merged is the one that runs, or ran until now, and takes up a newer spec.
	Merged *v1alpha1.Operation
	// Verdicts are those that end now.
	Verdicts []Verdict
}

// Verdict ends an Operation.
type Verdict struct {
	Operation *v1alpha1.Operation
	Phase     v1alpha1.OperationPhase
	Message   string
}

// Decide finds out which Operation runs, of those on a Target, the oldest first. At most one
// does:
//
//  1. the one that runs goes on, unless it is done, refused, stopped or overtaken
//  2. what the spec asks for comes next
//  3. then what users have asked for, in the order of their creation
//  4. what was asked for while another one runs is refused by its name
func Decide(t Target, operations []*v1alpha1.Operation) (d Decision) {
	end := func(op *v1alpha1.Operation, phase v1alpha1.OperationPhase, format string, args ...any) {
		d.Verdicts = append(d.Verdicts, Verdict{op, phase, fmt.Sprintf(format, args...)})
	}
	want := t.Wanted()
	var pending []*v1alpha1.Operation
	for _, op := range operations {
		switch {
		case op.Status.Phase.Finished():
		case op.Status.Phase == v1alpha1.OperationRunning && d.Running == nil:
			if t.Merges(op) {
				d.Merged = op
			}
			if phase, message := t.Judge(op); phase.Finished() {
				end(op, phase, "%s", message)
			} else {
				d.Running = op
			}
		default:
			pending = append(pending, op)
		}
	}
	isNew := want != nil && isNew(t, *want, operations, d.Merged)
	withdrawn := false
	for _, op := range pending {
		switch phase, message := t.Admit(op); {
		case phase == v1alpha1.OperationSucceeded, phase == v1alpha1.OperationCancelled:
			end(op, phase, "%s", message)
		case op.Spec.Cancel:
			withdrawn = withdrawn || want != nil && want.Is(op)
			end(op, v1alpha1.OperationCancelled, "cancelled before it had begun")
		case phase.Finished():
			end(op, phase, "refused: %s", message)
		case d.Running != nil:
			end(op, v1alpha1.OperationFailed, "refused: operation %s (%s) runs: wait until it has ended, or cancel it, and ask again", d.Running.Name, d.Running.Spec.Type)
		case isNew && !want.Is(op) && !t.Resumes(op):
			end(op, v1alpha1.OperationFailed, "refused: the spec has changed, which comes first (%s): ask again when that has ended", want.Kind)
		default:
			d.Running, d.Begins = op, true
		}
	}
	if d.Running == nil && isNew && !withdrawn {
		d.Running, d.Begins, d.Create = New(t.Subject(), want, operations), true, true
	}
	return d
}

// isNew reports whether something is to be begun for a wish: not if that has been
// done and the cache does not know what came of it, nor if it has failed and nothing
// has changed since. It does not go by times: clocks are set back.
func isNew(t Target, want Wish, operations []*v1alpha1.Operation, merged *v1alpha1.Operation) bool {
	failed := false
	for _, op := range operations {
		if !want.Is(op) || op.Status.StartedAt == nil {
			continue
		}
		succeeded, generation := op.Status.Phase == v1alpha1.OperationSucceeded, op.Status.Generation
		if op == merged {
			generation = t.Subject().Generation
		}
		switch {
		case succeeded && want.Kind == v1alpha1.OperationCreate:
			return false
		case generation < want.Generation:
		case op.Status.Phase == v1alpha1.OperationFailed:
			failed = true
		default:
			return false
		}
	}
	return !failed || !t.Refused()
}

// IsNew reports whether something is to be begun for a wish, if no Operation runs.
func IsNew(t Target, want Wish, operations []*v1alpha1.Operation) bool {
	return isNew(t, want, operations, nil)
}

// New records a wish.
func New(s Subject, want *Wish, operations []*v1alpha1.Operation) *v1alpha1.Operation {
	op := &v1alpha1.Operation{}
	op.Namespace = s.Namespace
	op.Labels = s.Labels
	op.Spec = v1alpha1.OperationSpec{
		TargetRef: v1alpha1.OperationTarget{Kind: s.Kind, Name: s.Name, UID: s.UID},
		Type:      want.Kind,
		Version:   want.Version,
	}
	for _, earlier := range operations {
		if want.Is(earlier) && (earlier.Status.Phase == v1alpha1.OperationFailed || earlier.Status.Phase == v1alpha1.OperationCancelled) &&
			earlier.Status.Generation >= want.Generation {
			op.Spec.RetryOf = earlier.Name
		}
	}
	for attempt := 0; ; attempt++ {
		op.Name = s.OperationName(want, attempt)
		if !slices.ContainsFunc(operations, func(other *v1alpha1.Operation) bool { return other.Name == op.Name }) {
			return op
		}
	}
}

// CannotRetry tells why an Operation cannot try again the one that it names, of those on the
// same target; empty if it can, or names none.
func CannotRetry(op *v1alpha1.Operation, operations []*v1alpha1.Operation, what string) string {
	if op.Spec.RetryOf == "" {
		return ""
	}
	i := slices.IndexFunc(operations, func(other *v1alpha1.Operation) bool { return other.Name == op.Spec.RetryOf })
	switch {
	case i < 0:
		return fmt.Sprintf("there is no operation %s of this %s that could be tried again", op.Spec.RetryOf, what)
	case operations[i].Spec.Type != op.Spec.Type:
		return fmt.Sprintf("operation %s is of type %s and cannot be tried again as %s", op.Spec.RetryOf, operations[i].Spec.Type, op.Spec.Type)
	case operations[i].Status.Phase != v1alpha1.OperationFailed && operations[i].Status.Phase != v1alpha1.OperationCancelled:
		return fmt.Sprintf("operation %s has neither failed nor been cancelled", op.Spec.RetryOf)
	}
	return ""
}
