package harness

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
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
	root := EtcdRoot(t, m)
	// Deleted while its finalizer was being added, a Cluster goes at once, and what is made
	// for it meanwhile a moment later.
	Check(t, Await(t.Context(), time.Minute, func(ctx context.Context) error {
		switch err := m.Client.Get(ctx, client.ObjectKey{Name: namespace}, &corev1.Namespace{}); {
		case err == nil:
			return fmt.Errorf("management namespace %s is still there", namespace)
		case !apierrors.IsNotFound(err):
			return err
		}
		var left []string
		for name := range m.Processes() {
			if strings.HasPrefix(name, namespace+"/") {
				left = append(left, "process "+name)
			}
		}
		files, err := filepath.Glob(filepath.Join(m.Dir, "*", namespace+"*"))
		if err != nil {
			return err
		}
		etcd, err := EtcdLeft(ctx, root, string(c.UID))
		if err != nil {
			return err
		}
		if left = slices.Concat(left, files, etcd); len(left) > 0 {
			return fmt.Errorf("left of cluster %s: %v", c.Name, left)
		}
		return nil
	}))
}
