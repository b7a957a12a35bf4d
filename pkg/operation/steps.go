package operation

import (
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// Step is a part of an Operation as it is found.
type Step struct {
	Name string
	Done bool
	// Message tells what it waits for, or what is left of it.
	Message string
	// Note is what remains to be said when it is done.
	Note string
}

// AllDone reports whether nothing is left to do.
func AllDone(steps []Step) bool {
	return !slices.ContainsFunc(steps, func(st Step) bool { return !st.Done })
}

// LeftOver names the steps that are not done, as the end of a sentence.
func LeftOver(steps []Step) string {
	var left []string
	for _, st := range steps {
		if !st.Done {
			left = append(left, st.Name)
		}
	}
	if len(left) == 0 {
		return ""
	}
	return "; not done: " + strings.Join(left, ", ")
}

// Report writes what is observed of an Operation that runs into its status.
func Report(op *v1alpha1.Operation, steps []Step, now metav1.Time) {
	status := &op.Status
	before := status.Steps
	status.Steps = nil
	// They are done in this order: one that seems to be done before its turn was so
	// from before.
	done, current := 0, ""
	for _, st := range steps {
		written := v1alpha1.OperationStep{Name: st.Name, Phase: v1alpha1.OperationPending}
		if i := slices.IndexFunc(before, func(b v1alpha1.OperationStep) bool { return b.Name == st.Name }); i >= 0 {
			written.StartedAt, written.FinishedAt = before[i].StartedAt, before[i].FinishedAt
		}
		switch {
		case st.Done && current == "":
			done++
			written.Phase, written.Message = v1alpha1.OperationSucceeded, st.Note
			if written.StartedAt == nil {
				written.StartedAt = &now
			}
			if written.FinishedAt == nil {
				written.FinishedAt = &now
			}
		case current == "":
			current = st.Name
			written.Phase, written.Message, written.FinishedAt = v1alpha1.OperationRunning, st.Message, nil
			if written.StartedAt == nil {
				written.StartedAt = &now
			}
		}
		status.Steps = append(status.Steps, written)
	}
	status.Progress = fmt.Sprintf("%d/%d", done, len(steps))
}

// Conclude writes a verdict into the status of an Operation. What has not been done
// is marked as what stopped it, or as left.
func Conclude(op *v1alpha1.Operation, steps []Step, v Verdict, now metav1.Time) {
	status := &op.Status
	begun := map[string]bool{}
	for _, st := range status.Steps {
		begun[st.Name] = st.StartedAt != nil
	}
	if status.StartedAt != nil && steps != nil {
		Report(op, steps, now)
	}
	marked := false
	for i := range status.Steps {
		st := &status.Steps[i]
		if st.Phase != v1alpha1.OperationSucceeded && v.Phase == v1alpha1.OperationCancelled && !begun[st.Name] {
			st.StartedAt = nil
		}
		if st.Phase == v1alpha1.OperationSucceeded {
			continue
		}
		st.FinishedAt = &now
		switch {
		case v.Phase == v1alpha1.OperationSucceeded:
			st.Phase, st.Message = v1alpha1.OperationSucceeded, ""
			if st.StartedAt == nil {
				st.StartedAt = &now
			}
		case v.Phase == v1alpha1.OperationFailed && !marked:
			st.Phase = v1alpha1.OperationFailed
		default:
			st.Phase = v1alpha1.OperationCancelled
			if st.StartedAt == nil {
				st.Message = "left as it was"
			}
		}
		marked = true
	}
	status.Phase, status.Message, status.FinishedAt = v.Phase, v.Message, &now
	if v.Phase == v1alpha1.OperationSucceeded && len(status.Steps) > 0 {
		status.Progress = fmt.Sprintf("%d/%d", len(status.Steps), len(status.Steps))
	}
	if status.StartedAt != nil {
		status.Took = Took(now.Sub(status.StartedAt.Time))
	}
}

// Took is a time as people write it. A clock that was set back makes none.
func Took(d time.Duration) string { return duration.HumanDuration(max(0, d.Round(time.Second))) }
