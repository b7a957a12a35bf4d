package harness

import (
	"context"
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// Release is what clusters run unless their version matters.
const Release = "1.37.1-1"

// Check ends a test that cannot go on.
func Check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Launch runs a Marina of the test's own, for what would harm a shared one.
func Launch(t testing.TB) *Marina {
	t.Helper()
	m := Prepare(t, t.TempDir())
	Check(t, m.Start(t.Context()))
	return m
}

// NewCluster is a cluster of the default namespace, as short as it can be written.
func NewCluster(name, version string) *v1alpha1.Cluster {
	return &v1alpha1.Cluster{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec:       v1alpha1.ClusterSpec{Version: version},
	}
}

// CreateCluster creates a cluster and returns it with its UID.
func CreateCluster(t testing.TB, m *Marina, name string) *v1alpha1.Cluster {
	t.Helper()
	c := NewCluster(name, Release)
	Check(t, m.Client.Create(t.Context(), c))
	return c
}

// GetCluster reads a cluster of the default namespace.
func GetCluster(ctx context.Context, m *Marina, name string) (*v1alpha1.Cluster, error) {
	cluster := &v1alpha1.Cluster{}
	return cluster, m.Client.Get(ctx, client.ObjectKey{Namespace: "default", Name: name}, cluster)
}

// AwaitPhase waits until a cluster is in a phase.
func AwaitPhase(ctx context.Context, m *Marina, name string, phase v1alpha1.ClusterPhase) error {
	return Await(ctx, 2*time.Minute, func(ctx context.Context) error {
		cluster, err := GetCluster(ctx, m, name)
		if err != nil {
			return err
		}
		if cluster.Status.Phase != phase {
			return fmt.Errorf("cluster %s is %q, want %q: %v", name, cluster.Status.Phase, phase, cluster.Status.Conditions)
		}
		return nil
	})
}

// AwaitAvailable waits until all replicas of a cluster's control plane are ready.
func AwaitAvailable(ctx context.Context, m *Marina, name string) error {
	return Await(ctx, 3*time.Minute, func(ctx context.Context) error {
		cluster, err := GetCluster(ctx, m, name)
		if err != nil {
			return err
		}
		if cluster.Status.Phase != v1alpha1.ClusterActive || !meta.IsStatusConditionTrue(cluster.Status.Conditions, v1alpha1.ConditionAvailable) {
			return fmt.Errorf("cluster %s is %q: %v", name, cluster.Status.Phase, cluster.Status.Conditions)
		}
		return nil
	})
}

// TenantClient returns a client of a tenant with the rights of its administrator.
func TenantClient(t testing.TB, m *Marina, name string, args ...string) (kubernetes.Interface, *rest.Config) {
	t.Helper()
	config, err := m.Tenant(t.Context(), name, args...)
	Check(t, err)
	return kubernetes.NewForConfigOrDie(config), config
}
