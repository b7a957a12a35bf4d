package node

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

func TestChange(t *testing.T) {
	type labels = map[string]string
	theirs := corev1.Taint{Key: "node.kubernetes.io/not-ready", Effect: "NoSchedule", TimeAdded: &transition}
	for name, tc := range map[string]struct {
		labels labels
		taints []corev1.Taint
		// known is what was applied earlier.
		known v1alpha1.MachineNode
		spec  v1alpha1.MachineSpec
		want  string
		// applied is what is to be known from now on.
		applied v1alpha1.MachineNode
	}{
		"nothing wanted, nothing there": {},
		"as the kubelet has made it": {
			labels: labels{"a": "1", "kubernetes.io/os": "linux"}, taints: []corev1.Taint{theirs, {Key: "gpu", Value: "yes", Effect: "NoSchedule"}},
			spec:    v1alpha1.MachineSpec{Labels: labels{"a": "1"}, Taints: []v1alpha1.Taint{{Key: "gpu", Value: "yes", Effect: "NoSchedule"}}},
			applied: v1alpha1.MachineNode{AppliedLabels: []string{"a"}, AppliedTaints: []string{"gpu:NoSchedule"}},
		},
		"a label that is missing, one that was changed, and one of a user": {
			labels: labels{"b": "by hand", "user": "1"}, spec: v1alpha1.MachineSpec{Labels: labels{"a": "", "b": "2"}},
			want:    `{"metadata":{"labels":{"a":"","b":"2"},"resourceVersion":"7","uid":"u"}}`,
			applied: v1alpha1.MachineNode{AppliedLabels: []string{"a", "b"}},
		},
		"a label that is no longer wanted, whatever it says": {
			labels: labels{"a": "by hand", "user": "1"}, known: v1alpha1.MachineNode{AppliedLabels: []string{"a"}},
			want:    `{"metadata":{"labels":{"a":null},"resourceVersion":"7","uid":"u"}}`,
			applied: v1alpha1.MachineNode{AppliedLabels: []string{"a"}},
		},
		"one that is no longer wanted, and gone": {known: v1alpha1.MachineNode{AppliedLabels: []string{"a"}, AppliedTaints: []string{"gpu:NoSchedule"}}},
		"a taint that is missing": {
			taints: []corev1.Taint{theirs}, spec: v1alpha1.MachineSpec{Taints: []v1alpha1.Taint{{Key: "gpu", Effect: "NoExecute"}}},
			want: `{"metadata":{"resourceVersion":"7","uid":"u"},"spec":{"taints":[` +
				`{"key":"node.kubernetes.io/not-ready","effect":"NoSchedule","timeAdded":"2026-03-01T12:00:00Z"},{"key":"gpu","effect":"NoExecute"}]}}`,
			applied: v1alpha1.MachineNode{AppliedTaints: []string{"gpu:NoExecute"}},
		},
		"a taint of another value": {
			taints: []corev1.Taint{{Key: "gpu", Value: "no", Effect: "NoSchedule"}}, spec: v1alpha1.MachineSpec{Taints: []v1alpha1.Taint{{Key: "gpu", Value: "yes", Effect: "NoSchedule"}}},
			want:    `{"metadata":{"resourceVersion":"7","uid":"u"},"spec":{"taints":[{"key":"gpu","value":"yes","effect":"NoSchedule"}]}}`,
			applied: v1alpha1.MachineNode{AppliedTaints: []string{"gpu:NoSchedule"}},
		},
		"a taint of another effect now": {
			taints: []corev1.Taint{{Key: "gpu", Effect: "NoSchedule"}}, known: v1alpha1.MachineNode{AppliedTaints: []string{"gpu:NoSchedule"}},
			spec:    v1alpha1.MachineSpec{Taints: []v1alpha1.Taint{{Key: "gpu", Effect: "NoExecute"}}},
			want:    `{"metadata":{"resourceVersion":"7","uid":"u"},"spec":{"taints":[{"key":"gpu","effect":"NoExecute"}]}}`,
			applied: v1alpha1.MachineNode{AppliedTaints: []string{"gpu:NoExecute", "gpu:NoSchedule"}},
		},
		"a user's taint of the same key": {
			taints: []corev1.Taint{{Key: "gpu", Effect: "NoSchedule"}}, spec: v1alpha1.MachineSpec{Taints: []v1alpha1.Taint{{Key: "gpu", Effect: "NoExecute"}}},
			want:    `{"metadata":{"resourceVersion":"7","uid":"u"},"spec":{"taints":[{"key":"gpu","effect":"NoSchedule"},{"key":"gpu","effect":"NoExecute"}]}}`,
			applied: v1alpha1.MachineNode{AppliedTaints: []string{"gpu:NoExecute"}},
		},
		"the last taint that is no longer wanted": {
			taints: []corev1.Taint{{Key: "gpu", Effect: "NoSchedule"}}, known: v1alpha1.MachineNode{AppliedTaints: []string{"gpu:NoSchedule"}},
			want:    `{"metadata":{"resourceVersion":"7","uid":"u"},"spec":{"taints":null}}`,
			applied: v1alpha1.MachineNode{AppliedTaints: []string{"gpu:NoSchedule"}},
		},
		"a taint that is asked for twice": {
			spec:    v1alpha1.MachineSpec{Taints: []v1alpha1.Taint{{Key: "gpu", Value: "1", Effect: "NoSchedule"}, {Key: "gpu", Value: "2", Effect: "NoSchedule"}}},
			want:    `{"metadata":{"resourceVersion":"7","uid":"u"},"spec":{"taints":[{"key":"gpu","value":"2","effect":"NoSchedule"}]}}`,
			applied: v1alpha1.MachineNode{AppliedTaints: []string{"gpu:NoSchedule"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{UID: "u", ResourceVersion: "7", Labels: tc.labels}, Spec: corev1.NodeSpec{Taints: tc.taints}}
			m := &v1alpha1.Machine{Spec: tc.spec, Status: v1alpha1.MachineStatus{Node: &tc.known}}
			tc.known.AppliedLabels, tc.known.AppliedTaints = applied(node, m)
			if diff := cmp.Diff(tc.applied, tc.known); diff != "" {
				t.Errorf("what is known from now on (-want +got):\n%s", diff)
			}
			patch, err := change(node, m)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(decoded(t, tc.want), decoded(t, string(patch))); diff != "" {
				t.Errorf("patch %s (-want +got):\n%s", patch, diff)
			}
		})
	}
}

func decoded(t *testing.T, text string) (value any) {
	t.Helper()
	if text == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	return value
}

// Labels and taints follow the spec through a life, and what others have put there stays. A
// startup taint is not put back.
func TestRule29LabelsAndTaintsAreKept(t *testing.T) {
	w := newWorld(t)
	w.newMachine("shop-a", func(m *v1alpha1.Machine) {
		m.Spec.Labels = map[string]string{"tier": "web", "marina.dev/pool": "pool"}
		m.Spec.Taints = []v1alpha1.Taint{{Key: "web", Effect: "NoSchedule"}}
		m.Spec.StartupTaints = []v1alpha1.Taint{{Key: "startup", Effect: "NoSchedule"}}
	})
	node := w.newNode("shop-a", "True", "")
	node.Labels = map[string]string{"user": "1"}
	node.Spec.Taints = append(node.Spec.Taints, corev1.Taint{Key: "user", Effect: "NoExecute"})
	w.check(server.Client.Update(t.Context(), node))

	check := func(when string, labels map[string]string, taints ...string) {
		t.Helper()
		if again := w.mustPass(); again != 30*time.Second {
			t.Errorf("%s: it looks again after %s, want 30s", when, again)
		}
		node := w.node("shop-a")
		if diff := cmp.Diff(labels, node.Labels); diff != "" {
			t.Errorf("%s: labels (-want +got):\n%s", when, diff)
		}
		var got []string
		for _, taint := range node.Spec.Taints {
			got = append(got, taint.Key+"="+taint.Value+":"+string(taint.Effect))
		}
		// The API server itself has added the first.
		if diff := cmp.Diff(append([]string{"node.kubernetes.io/not-ready=:NoSchedule", "user=:NoExecute"}, taints...), got); diff != "" {
			t.Errorf("%s: taints (-want +got):\n%s", when, diff)
		}
		w.mustPass()
		if diff := cmp.Diff(w.looks(), w.requests()); diff != "" {
			t.Errorf("%s: requests when all is done (-want +got):\n%s", when, diff)
		}
	}
	check("at first", map[string]string{"user": "1", "tier": "web", "marina.dev/pool": "pool"}, "web=:NoSchedule")
	node = w.node("shop-a")
	node.Labels["tier"], node.Spec.Taints = "mine", node.Spec.Taints[:2]
	w.check(server.Client.Update(t.Context(), node))
	check("changed by hand", map[string]string{"user": "1", "tier": "web", "marina.dev/pool": "pool"}, "web=:NoSchedule")
	w.change("shop-a", func(m *v1alpha1.Machine) {
		m.Spec.Labels = map[string]string{"marina.dev/pool": "pool", "disk": "fast"}
		m.Spec.Taints = []v1alpha1.Taint{{Key: "web", Value: "only", Effect: "PreferNoSchedule"}}
	})
	check("changed in the spec", map[string]string{"user": "1", "disk": "fast", "marina.dev/pool": "pool"}, "web=only:PreferNoSchedule")
	w.change("shop-a", func(m *v1alpha1.Machine) { m.Spec.Labels, m.Spec.Taints = nil, nil })
	check("no longer wanted", map[string]string{"user": "1"})
	if n := w.machine("shop-a").Status.Node; len(n.AppliedLabels)+len(n.AppliedTaints) > 0 {
		t.Errorf("it still remembers %+v", n)
	}
}

// What a tenant refuses for one node is no matter for the others.
func TestLabelsThatATenantRefuses(t *testing.T) {
	w := newWorld(t)
	w.newMachine("shop-a", func(m *v1alpha1.Machine) { m.Spec.Labels = map[string]string{"not a label": "1"} })
	w.newMachine("shop-b", func(m *v1alpha1.Machine) { m.Spec.Labels = map[string]string{"a": "1"} })
	w.newNode("shop-a", "True", "")
	w.newNode("shop-b", "True", "")
	if again := w.mustPass(); again != 30*time.Second {
		t.Errorf("it looks again after %s, want 30s", again)
	}
	if w.node("shop-b").Labels["a"] != "1" || !w.machine("shop-a").Status.Node.Ready {
		t.Error("the others were not seen to")
	}
}
