package machine

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// What user data a server was made with is remembered, so that what a pool has no more is taken
// off a node that its kubelet registers with it. A server that is made later has other ones.
func TestRule29UserDataIsNoted(t *testing.T) {
	w := newWorld(t)
	w.noJoin = true
	w.offerNext(t)
	m := w.machine(t, func(m *v1alpha1.Machine) {
		m.Spec.Labels["tier"] = "web"
		m.Spec.StartupTaints = []v1alpha1.Taint{{Key: "drivers", Effect: corev1.TaintEffectNoExecute}}
	})
	noted := func(when string, labels, taints []string) {
		t.Helper()
		if diff := cmp.Diff([][]string{labels, taints}, [][]string{m.Status.UserDataLabels, m.Status.UserDataTaints}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", when, diff)
		}
	}
	edit := func(label string) {
		t.Helper()
		before := m.DeepCopy()
		m.Spec.Labels, m.Spec.Taints = map[string]string{label: ""}, []v1alpha1.Taint{{Key: label, Effect: corev1.TaintEffectNoSchedule}}
		w.must(t, management.Client.Patch(t.Context(), m, client.MergeFrom(before)))
	}
	w.rounds(t, 5*time.Minute, 30*time.Second)
	first := m.Status.ServerID
	noted("the first server", []string{v1alpha1.LabelPool, "tier"}, []string{"web:NoSchedule"})
	edit("b")
	w.rounds(t, 5*time.Minute, 30*time.Second)
	noted("changed since", []string{v1alpha1.LabelPool, "tier"}, []string{"web:NoSchedule"})
	w.rounds(t, 22*time.Minute, 30*time.Second)
	if m.Status.ServerID == "" || m.Status.ServerID == first {
		t.Fatalf("the server is %q, want another one than %q", m.Status.ServerID, first)
	}
	noted("another server", []string{"b"}, []string{"b:NoSchedule"})
	w.noJoin = false
	w.ready(t)
	edit("a")
	w.rebuild(t, m, "one")
	w.settle(t, "the rebuild", 5*time.Second, func() bool { return m.Status.Rebuilt == "one" })
	noted("a rebuild, which may not come about", []string{"a", "b"}, []string{"a:NoSchedule", "b:NoSchedule"})
	w.dismissed(t)
}
