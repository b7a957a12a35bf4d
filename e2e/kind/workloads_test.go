//go:build kind

package kind

import (
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
)

// testWorkloads checks that all settles, and what DESIGN promises of every pod; it prints
// what idle tenants use meanwhile.
func testWorkloads(t *testing.T, s *scene) {
	printUsage(t, s.all(), func() { awaitStill(t, s.all(), 30*time.Second) })
	for _, tenant := range s.all() {
		assertWorkloads(t, tenant)
	}
}

func assertWorkloads(t *testing.T, s *tenant) {
	t.Helper()
	pods := &corev1.PodList{}
	harness.Check(t, management.client.List(t.Context(), pods, client.InNamespace(s.namespace)))
	for _, pod := range pods.Items {
		if pod.Spec.AutomountServiceAccountToken == nil || *pod.Spec.AutomountServiceAccountToken {
			t.Errorf("%s gets a token of the management cluster", pod.Name)
		}
		for _, c := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
			if c.RestartCount > 0 {
				t.Errorf("%s/%s has been restarted %d times: %+v", pod.Name, c.Name, c.RestartCount, c.LastTerminationState.Terminated)
			}
		}
		for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
			if c.Resources.Requests.Memory().IsZero() || c.SecurityContext == nil || c.SecurityContext.ReadOnlyRootFilesystem == nil || !*c.SecurityContext.ReadOnlyRootFilesystem {
				t.Errorf("%s/%s has no request of memory, or may write its root: %+v", pod.Name, c.Name, c.SecurityContext)
			}
		}
	}
	budgets := &policyv1.PodDisruptionBudgetList{}
	harness.Check(t, management.client.List(t.Context(), budgets, client.InNamespace(s.namespace)))
	if len(budgets.Items) != len(components) {
		t.Errorf("%d disruption budgets, want one for each of %d components", len(budgets.Items), len(components))
	}
}
