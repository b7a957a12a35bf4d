package clusters

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

// phases are the words that --for=phase= takes.
var phases = []v1alpha1.ClusterPhase{
	v1alpha1.ClusterPending, v1alpha1.ClusterCreating, v1alpha1.ClusterActive, v1alpha1.ClusterUpdating,
	v1alpha1.ClusterUpgrading, v1alpha1.ClusterDegraded, v1alpha1.ClusterDeleting, v1alpha1.ClusterError,
}

// conditions are the words that --for=condition= is most useful with.
var conditions = []string{
	v1alpha1.ConditionReady, v1alpha1.ConditionSpecAccepted, v1alpha1.ConditionControlPlaneReady, v1alpha1.ConditionEtcdReady,
	v1alpha1.ConditionAddonsReady, v1alpha1.ConditionCertificatesValid, v1alpha1.ConditionAvailable, v1alpha1.ConditionUpToDate,
}

// goal is what a cluster is waited for to be.
type goal struct {
	// text completes the sentence 'cluster "x" is ...'.
	text string
	// deleted is true for the goal that there is no such cluster; uid limits it to
	// the cluster that was deleted, so that a new one of its name is not waited for.
	deleted bool
	uid     types.UID
	// phase is the phase that is waited for; empty means the Ready condition.
	phase v1alpha1.ClusterPhase
	// condition is one that is to be True; empty, without a phase, means Ready.
	condition string
}

var (
	untilReady   = goal{text: "ready"}
	untilDeleted = goal{text: "deleted", deleted: true}
)

// parseGoal reads the value of --for.
func parseGoal(s string) (goal, error) {
	switch s {
	case "ready":
		return untilReady, nil
	case "deleted", "delete": // kubectl's word is delete
		return untilDeleted, nil
	}
	if name, found := strings.CutPrefix(s, "phase="); found {
		phase := v1alpha1.ClusterPhase(name)
		if slices.Contains(phases, phase) {
			return goal{text: name, phase: phase}, nil
		}
		return goal{}, fmt.Errorf("--for: there is no phase %q: choose one of %s", name, join(phases))
	}
	if name, found := strings.CutPrefix(s, "condition="); found && name != "" {
		return goal{text: name, condition: name}, nil
	}
	return goal{}, fmt.Errorf("--for: %q is not something to wait for: choose ready, deleted, phase=PHASE or condition=TYPE", s)
}

// verdict is what a cluster's state means for a goal.
type verdict int

const (
	goOn verdict = iota
	reached
	hopeless
)

// sentence says of a cluster that the goal is reached.
func (g goal) sentence(name string) string {
	verb := "is"
	if g.deleted {
		verb = "was"
	}
	return fmt.Sprintf("cluster %q %s %s", name, verb, g.text)
}

// judge compares a cluster's state, nil for none, with the goal. Why tells, when
// the goal is hopeless, the reason.
//
// Status counts only if it is of the present spec: right after a change it still
// tells how the cluster was before.
func (g goal) judge(c *v1alpha1.Cluster) (v verdict, why string) {
	switch {
	case g.deleted:
		if c == nil || g.uid != "" && c.UID != g.uid {
			return reached, ""
		}
		return goOn, ""
	case c == nil:
		return hopeless, "it has been deleted"
	case c.DeletionTimestamp != nil && g.phase != v1alpha1.ClusterDeleting:
		return hopeless, "it is being deleted"
	case c.Status.ObservedGeneration < c.Generation:
		return goOn, ""
	case g.phase != "" && c.Status.Phase == g.phase:
		return reached, ""
	case g.phase == "" && isTrue(c, cmp.Or(g.condition, v1alpha1.ConditionReady)):
		return reached, ""
	case c.Status.Phase == v1alpha1.ClusterError || refusal(c) != "":
		return hopeless, cmp.Or(refusal(c), describe(c))
	default:
		return goOn, ""
	}
}

// refusal is why a person has to change the spec, or what it names, empty if
// nobody has to. A cluster that has nothing to lose yet may stay Pending for it.
func refusal(c *v1alpha1.Cluster) string {
	accepted := meta.FindStatusCondition(c.Status.Conditions, v1alpha1.ConditionSpecAccepted)
	if accepted == nil || accepted.Status != metav1.ConditionFalse {
		return ""
	}
	return cmp.Or(accepted.Message, accepted.Reason)
}

// isTrue asks for a condition of the present spec, as kubectl wait does.
func isTrue(c *v1alpha1.Cluster, conditionType string) bool {
	found := meta.FindStatusCondition(c.Status.Conditions, conditionType)
	return found != nil && found.Status == metav1.ConditionTrue && found.ObservedGeneration >= c.Generation
}

// phaseOf is the phase as it is now: no manager may have seen the cluster yet, or
// its deletion.
func phaseOf(c *v1alpha1.Cluster) string {
	if c.DeletionTimestamp != nil {
		return string(v1alpha1.ClusterDeleting)
	}
	return cmp.Or(string(c.Status.Phase), string(v1alpha1.ClusterPending))
}

// describe is the sentence of the condition that tells most about where a cluster
// is.
func describe(c *v1alpha1.Cluster) string {
	if c.DeletionTimestamp != nil && c.Status.Phase != v1alpha1.ClusterDeleting {
		return "no manager has taken the deletion up yet"
	}
	if c.Status.Message != "" {
		return c.Status.Message
	}
	// A manager older than status.message.
	if condition := meta.FindStatusCondition(c.Status.Conditions, v1alpha1.ConditionReady); condition != nil {
		return condition.Message
	}
	if c.Status.ObservedGeneration == 0 {
		return "no manager has taken it up yet"
	}
	return ""
}

func join[T ~string](words []T) string {
	texts := make([]string, 0, len(words))
	for _, w := range words {
		texts = append(texts, string(w))
	}
	return strings.Join(texts, ", ")
}
