package progress

import (
	"slices"
	"time"
)

// State is how far a Step is.
type State string

// States of a Step.
const (
	Pending   State = "pending"
	Running   State = "running"
	Done      State = "done"
	Failed    State = "failed"
	Cancelled State = "cancelled"
)

var marks = map[State]string{Pending: "·", Running: "▸", Done: "✓", Failed: "✗", Cancelled: "-"}

// Step is a part of what is waited for.
type Step struct {
	Name  string
	State State
	// Message tells what the step waits for, or why it failed.
	Message string
	// Started and Finished are zero as long as it has not.
	Started, Finished time.Time
}

// took is how long the step has lasted. Its times are another machine's, whose
// clock may be ahead of ours.
func (s Step) took(now time.Time) string {
	if s.Started.IsZero() {
		return ""
	}
	end := now
	if !s.Finished.IsZero() {
		end = s.Finished
	}
	return max(end.Sub(s.Started), 0).Truncate(time.Second).String()
}

// text is how the step is, and why.
func (s Step) text() string {
	if s.Message == "" {
		return string(s.State)
	}
	return string(s.State) + ": " + s.Message
}

// changed are the steps that have something new to say. That one has not begun is
// nothing new.
func changed(before, after []Step) []Step {
	var found []Step
	for _, step := range after {
		i := slices.IndexFunc(before, func(s Step) bool { return s.Name == step.Name })
		switch {
		case i < 0 && step.State == Pending:
		case i >= 0 && before[i].State == step.State && before[i].Message == step.Message:
		default:
			found = append(found, step)
		}
	}
	return found
}
