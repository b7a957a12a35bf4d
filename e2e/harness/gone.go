package harness

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/controlplane/cluster"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// Gone waits until a deleted cluster is no more, and then looks everywhere for
// what it may have left.
func Gone(t testing.TB, m *Marina, c *v1alpha1.Cluster) {
	t.Helper()
	namespace := cluster.NamespaceName(c)
	Check(t, Await(t.Context(), 2*time.Minute, func(ctx context.Context) error {
		switch now, err := GetCluster(ctx, m, c.Name); {
		case apierrors.IsNotFound(err):
			return nil
		case err != nil:
			return err
		default:
			return fmt.Errorf("still there: %v", now.Status.Conditions)
		}
	}))
	// Deleted while its finalizer was being added, a Cluster goes at once and what was
	// made for it a moment later.
	Check(t, Await(t.Context(), time.Minute, func(ctx context.Context) error {
		switch err := m.Client.Get(ctx, client.ObjectKey{Name: namespace}, &corev1.Namespace{}); {
		case apierrors.IsNotFound(err):
			return nil
		case err != nil:
			return err
		default:
			return fmt.Errorf("management namespace %s is still there", namespace)
		}
	}))
	for name := range m.Processes() {
		if strings.HasPrefix(name, namespace+"/") {
			t.Errorf("process left: %s", name)
		}
	}
	matches, err := filepath.Glob(filepath.Join(m.Dir, "*", namespace+"*"))
	Check(t, err)
	if len(matches) > 0 {
		t.Errorf("files left: %v", matches)
	}
	left, err := EtcdLeft(t.Context(), EtcdRoot(t, m), string(c.UID))
	Check(t, err)
	if len(left) > 0 {
		t.Errorf("left in etcd: %v", left)
	}
}
