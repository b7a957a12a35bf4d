package local

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/e2e/harness"
)

// tenantProcesses leaves out those of the management plane.
func tenantProcesses(m *harness.Marina) map[string]int {
	found := m.Processes()
	for name := range found {
		if !strings.HasPrefix(name, "marina-") {
			delete(found, name)
		}
	}
	return found
}

func TestRestarts(t *testing.T) {
	m := start(t)
	c := create(t, m, "lasting")
	check(t, awaitAvailable(t.Context(), m, c.Name))
	api, _ := tenant(t, m, c.Name)
	_, err := api.CoreV1().ConfigMaps("default").Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "kept"}}, metav1.CreateOptions{})
	check(t, err)

	t.Run("killed: tenants live on and are adopted", func(t *testing.T) {
		before := tenantProcesses(m)
		// Three of each component, three members of etcd, the balancer.
		if len(before) < 13 {
			t.Fatalf("found %d processes of tenants: %v", len(before), before)
		}
		check(t, m.Kill())
		if _, err := api.CoreV1().ConfigMaps("default").Get(t.Context(), "kept", metav1.GetOptions{}); err != nil {
			t.Errorf("while marina up is down: %v", err)
		}
		check(t, m.Start(t.Context()))
		check(t, awaitAvailable(t.Context(), m, c.Name))
		if diff := cmp.Diff(before, tenantProcesses(m)); diff != "" {
			t.Errorf("processes changed:\n%s", diff)
		}
	})

	t.Run("stopped: everything comes back from the data directory", func(t *testing.T) {
		check(t, m.Stop())
		if left := m.Processes(); len(left) > 0 {
			t.Fatalf("processes left after a clean stop: %v", left)
		}
		check(t, m.Start(t.Context()))
		// With the same kubeconfig, which means at the same address.
		check(t, harness.Await(t.Context(), time.Minute, func(ctx context.Context) error {
			_, err := api.CoreV1().ConfigMaps("default").Get(ctx, "kept", metav1.GetOptions{})
			return err
		}))
		check(t, awaitAvailable(t.Context(), m, c.Name))
	})
}
