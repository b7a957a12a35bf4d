package harness

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func TestABudgetIsViolatedWhenTooFewPodsAreHealthy(t *testing.T) {
	pod := func(name string, ready corev1.ConditionStatus) *corev1.Pod {
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, Labels: map[string]string{"app": "web"}},
			Status:     corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}}},
		}
	}
	leaving := pod("leaving", corev1.ConditionTrue)
	leaving.DeletionTimestamp = &metav1.Time{}
	for name, test := range map[string]struct {
		desired int32
		want    int
	}{
		"one of the three is healthy, and may be the only one": {1, 0},
		"one of the three is healthy, and two are wanted":      {2, 1},
	} {
		t.Run(name, func(t *testing.T) {
			budget := &policyv1.PodDisruptionBudget{
				ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web"}, Status: policyv1.PodDisruptionBudgetStatus{DesiredHealthy: test.desired},
			}
			tenant := fake.NewClientset(budget, pod("ready", corev1.ConditionTrue), pod("starting", corev1.ConditionFalse), leaving)
			b := &Budgets{}
			Check(t, b.look(t.Context(), tenant, "web"))
			if len(b.violated) != test.want {
				t.Errorf("violated: %v, want %d", b.violated, test.want)
			}
		})
	}
}
