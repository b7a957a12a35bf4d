//go:build kind

package kind

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"

	"github.com/marina-dev/marina/e2e/harness"
)

// Three clusters of two minors, at once: each has three replicas of each component, and
// settles.
func TestThreeClusters(t *testing.T) {
	versions := map[string]string{"red": "1.36.4-1", "green": "1.37.1-1", "blue": "1.37.1-1"}
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newTenant(t, name, version)
			s.awaitReplicas(t)
			info, err := s.api.Discovery().ServerVersion()
			harness.Check(t, err)
			if want := "v" + version[:len(version)-2]; info.GitVersion != want {
				t.Errorf("it serves %s, want %s", info.GitVersion, want)
			}
			assertQuiet(t, s)
			assertWorkloads(t, s)
		})
	}
}

var quiet sync.Mutex

// assertQuiet checks that nothing is written any more once all is as asked: the
// resource versions of everything in the namespace stay for half a minute.
func assertQuiet(t *testing.T, s *tenant) {
	t.Helper()
	quiet.Lock()
	defer quiet.Unlock()
	seen := func(ctx context.Context) (map[string]string, error) {
		out, err := execute(ctx, "kubectl", "-n", s.namespace, "get", "deployments,services,secrets,configmaps,networkpolicies,poddisruptionbudgets,hostedcontrolplanes,etcdtenants",
			"-o", `jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.resourceVersion}{"\n"}{end}`)
		if err != nil {
			return nil, err
		}
		versions := map[string]string{}
		for line := range splitLines(out) {
			var name, version string
			if _, err := fmt.Sscan(line, &name, &version); err != nil {
				return nil, fmt.Errorf("%q: %w", line, err)
			}
			versions[name] = version
		}
		return versions, nil
	}
	const still = 30 * time.Second
	last, since := map[string]string{}, time.Now()
	harness.Check(t, harness.Await(t.Context(), 3*time.Minute, func(ctx context.Context) error {
		now, err := seen(ctx)
		if err != nil {
			return err
		}
		for name, version := range now {
			if last[name] != version {
				last, since = now, time.Now()
				return fmt.Errorf("%s was written %s ago", name, time.Since(since))
			}
		}
		if time.Since(since) < still {
			return fmt.Errorf("nothing was written for %s", time.Since(since))
		}
		return nil
	}))
}

// assertWorkloads checks what DESIGN promises of every pod.
func assertWorkloads(t *testing.T, s *tenant) {
	t.Helper()
	pods := &corev1.PodList{}
	harness.Check(t, management.client.List(t.Context(), pods, client.InNamespace(s.namespace)))
	for _, pod := range pods.Items {
		if pod.Spec.AutomountServiceAccountToken == nil || *pod.Spec.AutomountServiceAccountToken {
			t.Errorf("%s gets a token of the management cluster", pod.Name)
		}
		for _, c := range pod.Status.ContainerStatuses {
			if c.RestartCount > 0 {
				t.Errorf("%s/%s has been restarted %d times: %+v", pod.Name, c.Name, c.RestartCount, c.LastTerminationState.Terminated)
			}
		}
		for _, c := range pod.Spec.Containers {
			if c.Resources.Requests.Memory().IsZero() || c.SecurityContext == nil || c.SecurityContext.ReadOnlyRootFilesystem == nil || !*c.SecurityContext.ReadOnlyRootFilesystem {
				t.Errorf("%s/%s has no request of memory, or may write its root: %+v", pod.Name, c.Name, c.SecurityContext)
			}
		}
	}
	budgets := &policyv1.PodDisruptionBudgetList{}
	harness.Check(t, management.client.List(t.Context(), budgets, client.InNamespace(s.namespace)))
	if len(budgets.Items) != 3 {
		t.Errorf("%d disruption budgets, want one for each of three components", len(budgets.Items))
	}
}
