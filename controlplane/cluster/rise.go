package cluster

import (
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/operation"
	"github.com/marina-dev/marina/pkg/reconcile"
	"github.com/marina-dev/marina/pkg/release"
)

// again is how long an Upgrade that is tried again may be without any replica that becomes ready.
const again = 5 * time.Minute

// as stands between the name of a component and the older minor version that it behaves as, in
// the name of a step.
const as = " as "

// rise are the steps of a change of version: what is checked, then a roll. To another minor
// version it takes two: first all components run it and behave as the older one.
func (s situation) rise(op *v1alpha1.Operation) []operation.Step {
	given := func(c v1alpha1.ComponentStatus) bool { return c.Version == op.Spec.Version }
	checks := operation.Step{Name: "Checks", Done: s.waits == nil && s.hcp != nil && s.hcp.Spec.Version == op.Spec.Version, Message: "it has not begun"}
	if s.waits != nil {
		checks.Message = reconcile.As(s.waits).Message
	}
	steps := []operation.Step{checks}
	if older := s.emulated(op); older != "" {
		first := s.roll(as+older, given)
		for i, name := range rolled {
			c := componentOf(s.hcp, name)
			first[i].Done = first[i].Done || given(c) && c.Emulates == ""
		}
		steps = append(steps, first...)
	}
	return append(steps, s.roll("", func(c v1alpha1.ComponentStatus) bool { return given(c) && c.Emulates == "" })...)
}

// emulated is the minor version that is emulated during an Upgrade; empty for none. At its end
// nothing but its steps tells.
func (s situation) emulated(op *v1alpha1.Operation) string {
	for _, st := range op.Status.Steps {
		if _, older, ok := strings.Cut(st.Name, as); ok {
			return older
		}
	}
	if s.hcp == nil {
		return ""
	}
	from, errFrom := release.Parse(s.hcp.Status.Version)
	to, errTo := release.Parse(op.Spec.Version)
	if errFrom != nil || errTo != nil || to.Compare(from) <= 0 || from.MinorVersion() == to.MinorVersion() {
		return ""
	}
	return from.MinorVersion()
}

// triesAgain reports whether an Upgrade has begun after its control plane was stuck: it has as
// much time as the first one had.
func (s situation) triesAgain() bool {
	stuck := meta.FindStatusCondition(s.hcp.Status.Conditions, v1alpha1.ConditionSpecAccepted)
	if stuck == nil || stuck.Reason != v1alpha1.ReasonRolloutStuck {
		return false
	}
	return slices.ContainsFunc(s.operations, func(op *v1alpha1.Operation) bool {
		return op.Spec.Type == v1alpha1.OperationUpgrade && op.Status.Phase == v1alpha1.OperationRunning && op.Spec.Version == s.cluster.Spec.Version &&
			op.Status.StartedAt != nil && op.Status.StartedAt.After(stuck.LastTransitionTime.Time) && s.now.Before(op.Status.StartedAt.Add(again))
	})
}
