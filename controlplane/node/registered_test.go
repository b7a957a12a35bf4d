package node

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// A kubelet registers its node with the labels and taints of the day on which its server was
// made. Those that were taken out of the pool since leave the node, however often it comes; what
// users put on it stays, and so does a startup taint until it is taken away.
func TestRule29WhatWasTakenOutWhileTheNodeIsAway(t *testing.T) {
	w := newWorld(t)
	w.newMachine("shop-a", func(m *v1alpha1.Machine) {
		m.Spec.Labels = map[string]string{"disk": "fast"}
		m.Spec.Taints = []v1alpha1.Taint{{Key: "gpu", Effect: "NoSchedule"}}
		m.Spec.StartupTaints = []v1alpha1.Taint{{Key: "drivers", Effect: "NoSchedule"}}
	})
	m := w.machine("shop-a")
	m.Status.UserDataLabels, m.Status.UserDataTaints = []string{"disk", "tier"}, []string{"gpu:NoSchedule", "web:NoExecute"}
	w.check(server.Client.Status().Update(t.Context(), m))
	registers := func() {
		t.Helper()
		node := w.newNode("shop-a", "True", "")
		node.Labels = map[string]string{"disk": "slow", "tier": "web", "user": "1"}
		node.Spec.Taints = []corev1.Taint{
			{Key: "gpu", Effect: "NoSchedule"}, {Key: "web", Effect: "NoExecute"}, {Key: "web", Effect: "NoSchedule"}, {Key: "drivers", Effect: "NoSchedule"},
		}
		w.check(server.Client.Update(t.Context(), node))
	}
	check := func(when string, labels map[string]string, want ...string) {
		t.Helper()
		w.mustPass()
		w.mustPass()
		node, taints := w.node("shop-a"), []string{}
		for _, taint := range node.Spec.Taints {
			taints = append(taints, v1alpha1.TaintID(taint.Key, taint.Effect))
		}
		if diff := cmp.Diff(labels, node.Labels); diff != "" {
			t.Errorf("%s: labels (-want +got):\n%s", when, diff)
		}
		if diff := cmp.Diff(want, taints); diff != "" {
			t.Errorf("%s: taints (-want +got):\n%s", when, diff)
		}
		n := w.machine("shop-a").Status.Node
		if diff := cmp.Diff(slices.Sorted(maps.Keys(w.machine("shop-a").Spec.Labels)), n.AppliedLabels); diff != "" {
			t.Errorf("%s: what is known to be there (-want +got):\n%s", when, diff)
		}
	}
	w.mustPass()
	registers()
	check("at first", map[string]string{"disk": "fast", "user": "1"}, "gpu:NoSchedule", "web:NoSchedule", "drivers:NoSchedule")

	node := w.node("shop-a")
	node.Labels["tier"] = "mine"
	w.check(server.Client.Update(t.Context(), node))
	check("put there by a user", map[string]string{"disk": "fast", "tier": "mine", "user": "1"}, "gpu:NoSchedule", "web:NoSchedule", "drivers:NoSchedule")

	w.delete(node)
	w.mustPass()
	w.change("shop-a", func(m *v1alpha1.Machine) { m.Spec.Labels, m.Spec.Taints = nil, nil })
	registers()
	check("come again", map[string]string{"user": "1"}, "web:NoSchedule", "drivers:NoSchedule")

	w.delete(w.node("shop-a"))
	registers()
	check("come again, and nobody saw it go", map[string]string{"user": "1"}, "web:NoSchedule", "drivers:NoSchedule")
}
