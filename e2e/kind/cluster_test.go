//go:build kind

package kind

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// tenant is a cluster that a test has made, as its users see it.
type tenant struct {
	name, version string
	// namespace is where its control plane is.
	namespace string
	// kubeconfig is a file of its administrator.
	kubeconfig string
	config     *rest.Config
	api        kubernetes.Interface
}

// marina runs the command line as a user of the management cluster does.
func marina(ctx context.Context, args ...string) (string, error) {
	return execute(ctx, append([]string{filepath.Join(management.root, "bin", "marina")}, args...)...)
}

// newTenant creates a cluster and waits until it can be used; the test's end deletes
// it, and looks for what is left.
func newTenant(t *testing.T, name, version string) *tenant {
	t.Helper()
	began := time.Now()
	c := &v1alpha1.Cluster{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec:       v1alpha1.ClusterSpec{Version: version},
	}
	harness.Check(t, management.client.Create(t.Context(), c))
	s := &tenant{name: name, version: version, namespace: "marina-" + name + "-" + string(c.UID)[:8]}
	t.Cleanup(func() { s.delete(t) })

	harness.Check(t, harness.Await(t.Context(), 3*time.Minute, func(ctx context.Context) error {
		if err := management.client.Get(ctx, client.ObjectKeyFromObject(c), c); err != nil {
			return err
		}
		if c.Status.Phase != v1alpha1.ClusterActive {
			return fmt.Errorf("cluster %s is %s: %s", name, c.Status.Phase, c.Status.Message)
		}
		return nil
	}))
	active := time.Since(began)
	text, err := marina(t.Context(), "kubeconfig", "get", name, "-o", "-")
	harness.Check(t, err)
	s.kubeconfig = filepath.Join(t.TempDir(), "kubeconfig")
	harness.Check(t, os.WriteFile(s.kubeconfig, []byte(text), 0o600))
	s.config, err = clientcmd.RESTConfigFromKubeConfig([]byte(text))
	harness.Check(t, err)
	s.api, err = kubernetes.NewForConfig(s.config)
	harness.Check(t, err)
	_, err = s.api.CoreV1().Namespaces().Get(t.Context(), "default", metav1.GetOptions{})
	harness.Check(t, err)
	t.Logf("cluster %s (%s) is Active after %.1f s, and its kubeconfig works after %.1f s",
		name, version, active.Seconds(), time.Since(began).Seconds())
	return s
}

// awaitReplicas waits until every replica of every component is ready.
func (s *tenant) awaitReplicas(t *testing.T) {
	t.Helper()
	harness.Check(t, harness.Await(t.Context(), 3*time.Minute, func(ctx context.Context) error {
		for _, component := range []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler"} {
			pods, err := podsOf(ctx, s.namespace, component)
			if err != nil {
				return err
			}
			if n := len(slices.DeleteFunc(slices.Clone(pods), func(p corev1.Pod) bool { return !ready(p) })); n != 3 || len(pods) != 3 {
				return fmt.Errorf("%d of %d pods of %s are ready, want 3 of 3", n, len(pods), component)
			}
		}
		return nil
	}))
}

// delete deletes the cluster, and fails if something of it is left.
func (s *tenant) delete(t *testing.T) {
	ctx, cancel := background(4 * time.Minute)
	defer cancel()
	began := time.Now()
	c := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: s.name}}
	if err := management.client.Delete(ctx, c); client.IgnoreNotFound(err) != nil {
		t.Error(err)
		return
	}
	if err := harness.Await(ctx, 3*time.Minute, func(ctx context.Context) error {
		for what, object := range map[string]client.Object{"the cluster": c, "its namespace": &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace}}} {
			if err := management.client.Get(ctx, client.ObjectKeyFromObject(object), object); err == nil {
				return fmt.Errorf("%s is still there", what)
			} else if !apierrors.IsNotFound(err) {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Errorf("deleting %s: %v", s.name, err)
		return
	}
	t.Logf("cluster %s is gone after %.1f s", s.name, time.Since(began).Seconds())
}
