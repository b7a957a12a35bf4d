package nodepool

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// freeze keeps the number of nodes that was taken up last while nodes of another version are
// replaced, whoever asks for another one, and reports whether it does. An upgrade that is
// refused, or given up, is none.
func (s *scope) freeze(w *wish) bool {
	accepted := s.pool.Status.Accepted
	if accepted == nil || s.pool.Status.ReadySince == nil || s.pool.DeletionTimestamp != nil || s.isRefused() || w.template.Release == "" {
		return false
	}
	if !slices.ContainsFunc(s.machines, func(m v1alpha1.Machine) bool { return releaseOf(m) != w.template.Release }) {
		return false
	}
	kept := *w
	kept.spec.Replicas = &accepted.Replicas
	if kept.isGivenUp(s.machines) {
		return false
	}
	*w = kept
	return true
}

// releaseOf is what a node runs, until its server has been made anew what it ran before.
func releaseOf(m v1alpha1.Machine) string {
	if m.Rebuilding() {
		return m.Spec.Rebuild.Release
	}
	return m.Spec.Template.Release
}

// writeFrozen tells that the number of nodes stays as it is, and for whom that matters now.
func (r *Reconciler) writeFrozen(s *scope) {
	w := wish{spec: s.pool.Spec, template: s.template()}
	conditions := &s.pool.Status.Conditions
	if !s.freeze(&w) {
		meta.RemoveStatusCondition(conditions, v1alpha1.ConditionSizeFrozen)
		return
	}
	kept, asked := replicas(w.spec), replicas(s.pool.Spec)
	c := metav1.Condition{Type: v1alpha1.ConditionSizeFrozen, Status: metav1.ConditionTrue, ObservedGeneration: s.pool.Generation, Reason: "Upgrading"}
	c.Message = fmt.Sprintf("the pool is being upgraded, and is to have %d nodes until that ends", kept)
	if asked != kept {
		c.Reason = "ResizeWaits"
		c.Message += fmt.Sprintf(": only then the %d that are asked for", asked)
	}
	before := meta.FindStatusCondition(*conditions, c.Type)
	if asked != kept && (before == nil || before.Message != c.Message) {
		r.events.Eventf(s.pool, nil, corev1.EventTypeWarning, c.Reason, "Scale", "%s", c.Message)
	}
	meta.SetStatusCondition(conditions, c)
}
