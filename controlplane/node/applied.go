package node

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// applied are the labels and taints that a node has because of its Machine, or is about to
// get: those of spec, and those that were applied earlier and are still there.
func applied(node *corev1.Node, m *v1alpha1.Machine) (labels, taints []string) {
	var known v1alpha1.MachineNode
	if m.Status.Node != nil {
		known = *m.Status.Node
	}
	labels = slices.Collect(maps.Keys(m.Spec.Labels))
	for _, key := range known.AppliedLabels {
		if _, there := node.Labels[key]; there {
			labels = append(labels, key)
		}
	}
	for _, t := range m.Spec.Taints {
		taints = append(taints, v1alpha1.TaintID(t.Key, t.Effect))
	}
	for _, t := range node.Spec.Taints {
		if name := v1alpha1.TaintID(t.Key, t.Effect); slices.Contains(known.AppliedTaints, name) {
			taints = append(taints, name)
		}
	}
	slices.Sort(labels)
	slices.Sort(taints)
	return slices.Compact(labels), slices.Compact(taints)
}

// change is the merge patch that gives a node the labels and taints of its Machine, and takes
// away those that were applied and are no longer wanted; nil where nothing is to be changed.
// What others have put there stays. It is for the node as it was read, since a merge patch
// replaces all taints.
func change(node *corev1.Node, m *v1alpha1.Machine) ([]byte, error) {
	meta, patch := map[string]any{"uid": node.UID, "resourceVersion": node.ResourceVersion}, map[string]any{}
	if labels := changedLabels(node, m); len(labels) > 0 {
		meta["labels"], patch["metadata"] = labels, meta
	}
	if taints, changed := changedTaints(node, m); changed {
		patch["metadata"], patch["spec"] = meta, map[string]any{"taints": taints}
	}
	if len(patch) == 0 {
		return nil, nil
	}
	return json.Marshal(patch)
}

// changedLabels are those that differ; nil takes one away.
func changedLabels(node *corev1.Node, m *v1alpha1.Machine) map[string]any {
	changed := map[string]any{}
	for _, key := range m.Status.Node.AppliedLabels {
		is, there := node.Labels[key]
		want, wanted := m.Spec.Labels[key]
		switch {
		case wanted && (!there || is != want):
			changed[key] = want
		case !wanted && there:
			changed[key] = nil
		}
	}
	return changed
}

// changedTaints are all that the node is to have, and whether they are others than it has.
func changedTaints(node *corev1.Node, m *v1alpha1.Machine) (taints []corev1.Taint, changed bool) {
	// A node has one of each key and effect.
	wanted := map[string]string{}
	for _, t := range m.Spec.Taints {
		wanted[v1alpha1.TaintID(t.Key, t.Effect)] = t.Value
	}
	there := map[string]bool{}
	for _, t := range node.Spec.Taints {
		name := v1alpha1.TaintID(t.Key, t.Effect)
		value, ok := wanted[name]
		switch there[name] = true; {
		case ok && t.Value != value:
			t.Value, changed = value, true
		case !ok && slices.Contains(m.Status.Node.AppliedTaints, name):
			changed = true
			continue
		}
		taints = append(taints, t)
	}
	for _, t := range m.Spec.Taints {
		if name := v1alpha1.TaintID(t.Key, t.Effect); !there[name] {
			there[name], changed = true, true
			taints = append(taints, corev1.Taint{Key: t.Key, Value: wanted[name], Effect: t.Effect})
		}
	}
	return taints, changed
}

func patchNode(ctx context.Context, s *scope, node *corev1.Node, patch []byte) error {
	_, err := s.tenant.CoreV1().Nodes().Patch(ctx, node.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: v1alpha1.FieldOwner})
	return err
}
