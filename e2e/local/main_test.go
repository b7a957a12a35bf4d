// Package local runs "marina up" and hosts real control planes on this machine:
// three API servers, controller-managers and schedulers each, on a real etcd of
// three members, with hollow nodes that join by the genuine bootstrap.
package local

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// shared is the Marina that all tests use which do it no harm. It has one cluster
// of each minor.
var shared *harness.Marina

// clusters by the release that they run.
var clusters = map[string]string{"old": "1.36.4-1", "new": "1.37.1-1"}

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "marina-e2e-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	if shared, err = harness.New(dir); err != nil {
		return 1, err
	}
	if err := shared.Start(ctx); err != nil {
		return 1, err
	}
	defer func() {
		// A clean stop leaves no process, whatever the tests came to.
		if stopErr := shared.Stop(); stopErr != nil && err == nil {
			err = stopErr
		}
		if left := shared.Processes(); len(left) > 0 && err == nil {
			err = fmt.Errorf("processes left after a clean stop: %v", left)
		}
	}()
	for name, version := range clusters {
		if err := shared.Client.Create(ctx, newCluster(name, version)); err != nil {
			return 1, err
		}
	}
	for name := range clusters {
		if err := awaitAvailable(ctx, shared, name); err != nil {
			return 1, err
		}
	}
	return m.Run(), nil
}

func newCluster(name, version string) *v1alpha1.Cluster {
	return &v1alpha1.Cluster{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec:       v1alpha1.ClusterSpec{Version: version},
	}
}

// getCluster reads a cluster of the default namespace.
func getCluster(ctx context.Context, m *harness.Marina, name string) (*v1alpha1.Cluster, error) {
	cluster := &v1alpha1.Cluster{}
	return cluster, m.Client.Get(ctx, client.ObjectKey{Namespace: "default", Name: name}, cluster)
}

// awaitPhase waits until a cluster is in a phase.
func awaitPhase(ctx context.Context, m *harness.Marina, name string, phase v1alpha1.ClusterPhase) error {
	return harness.Await(ctx, 2*time.Minute, func(ctx context.Context) error {
		cluster, err := getCluster(ctx, m, name)
		if err != nil {
			return err
		}
		if cluster.Status.Phase != phase {
			return fmt.Errorf("cluster %s is %q, want %q: %v", name, cluster.Status.Phase, phase, cluster.Status.Conditions)
		}
		return nil
	})
}

// awaitAvailable waits until all replicas of a cluster's control plane are ready.
func awaitAvailable(ctx context.Context, m *harness.Marina, name string) error {
	return harness.Await(ctx, 3*time.Minute, func(ctx context.Context) error {
		cluster, err := getCluster(ctx, m, name)
		if err != nil {
			return err
		}
		for _, c := range cluster.Status.Conditions {
			if c.Type == v1alpha1.ConditionAvailable && c.Status == metav1.ConditionTrue && cluster.Status.Phase == v1alpha1.ClusterActive {
				return nil
			}
		}
		return fmt.Errorf("cluster %s is %q: %v", name, cluster.Status.Phase, cluster.Status.Conditions)
	})
}

// tenant returns a client of a tenant with the rights of its administrator.
func tenant(t *testing.T, m *harness.Marina, name string, args ...string) (kubernetes.Interface, *rest.Config) {
	t.Helper()
	config, err := m.Tenant(t.Context(), name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return kubernetes.NewForConfigOrDie(config), config
}

// start runs a Marina of the test's own, for what would harm the shared one.
func start(t *testing.T) *harness.Marina {
	t.Helper()
	m, err := harness.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Stop(); err != nil {
			t.Error(err)
		}
		if left := m.Processes(); len(left) > 0 {
			t.Errorf("processes left after a clean stop: %v", left)
		}
	})
	return m
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
