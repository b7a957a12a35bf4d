//go:build kind

package kind

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// tenant is a cluster that a test has made, as its users see it.
type tenant struct {
	name, version string
	uid           string
	created       time.Time
	deleted       bool
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

// createTenant creates a cluster; the test's end deletes it, and looks for what is left.
func createTenant(t *testing.T, name, version, class string) *tenant {
	t.Helper()
	c := harness.NewCluster(name, version)
	if class != "" {
		c.Spec.HostingClassRef.Name = class
	}
	return create(t, c)
}

func create(t *testing.T, c *v1alpha1.Cluster) *tenant {
	t.Helper()
	harness.Check(t, management.client.Create(t.Context(), c))
	s := &tenant{
		name: c.Name, version: c.Spec.Version, uid: string(c.UID), created: time.Now(),
		namespace: "marina-" + c.Name + "-" + string(c.UID)[:8], kubeconfig: filepath.Join(t.TempDir(), "kubeconfig"),
	}
	t.Cleanup(func() { s.delete(t) })
	return s
}

// newTenant creates a cluster and waits until it can be used.
func newTenant(t *testing.T, name, version string) *tenant {
	t.Helper()
	s := createTenant(t, name, version, "")
	s.awaitUsable(t)
	return s
}

// awaitUsable waits until a cluster is Active and its kubeconfig works.
func (s *tenant) awaitUsable(t *testing.T) {
	t.Helper()
	harness.Check(t, harness.AwaitEvery(t.Context(), time.Second/4, 3*time.Minute, func(ctx context.Context) error {
		c := &v1alpha1.Cluster{}
		if err := management.client.Get(ctx, client.ObjectKey{Namespace: "default", Name: s.name}, c); err != nil {
			return err
		}
		if c.Status.Phase != v1alpha1.ClusterActive {
			return fmt.Errorf("cluster %s is %s: %s", s.name, c.Status.Phase, c.Status.Message)
		}
		return nil
	}))
	active := time.Since(s.created)
	text, err := marina(t.Context(), "kubeconfig", "get", s.name, "-o", "-")
	harness.Check(t, err)
	harness.Check(t, os.WriteFile(s.kubeconfig, []byte(text), 0o600))
	s.config, err = clientcmd.RESTConfigFromKubeConfig([]byte(text))
	harness.Check(t, err)
	s.api, err = kubernetes.NewForConfig(s.config)
	harness.Check(t, err)
	_, err = s.api.CoreV1().Namespaces().Get(t.Context(), "default", metav1.GetOptions{})
	harness.Check(t, err)
	t.Logf("cluster %s (%s) is Active after %.1f s, and its kubeconfig works after %.1f s",
		s.name, s.version, active.Seconds(), time.Since(s.created).Seconds())
}

// kubectl runs as the tenant's administrator.
func (s *tenant) kubectl(ctx context.Context, args ...string) (string, error) {
	return execute(ctx, append([]string{"kubectl", "--kubeconfig", s.kubeconfig}, args...)...)
}

// components are those of a control plane, three replicas each.
var components = []string{"kube-apiserver", "kube-controller-manager", "kube-scheduler"}

// awaitReplicas waits until every replica of every component is ready, and no other pod
// is left.
func (s *tenant) awaitReplicas(t *testing.T) {
	t.Helper()
	harness.Check(t, harness.AwaitEvery(t.Context(), time.Second/2, 4*time.Minute, func(ctx context.Context) error {
		pods := &corev1.PodList{}
		if err := management.client.List(ctx, pods, client.InNamespace(s.namespace)); err != nil {
			return err
		}
		if len(pods.Items) != 3*len(components) {
			return fmt.Errorf("%d pods, want %d", len(pods.Items), 3*len(components))
		}
		for _, pod := range pods.Items {
			if !ready(pod) || pod.DeletionTimestamp != nil {
				return fmt.Errorf("pod %s is not ready: %+v", pod.Name, pod.Status.ContainerStatuses)
			}
		}
		return nil
	}))
}

// delete deletes the cluster, and fails if something of it is left.
func (s *tenant) delete(t *testing.T) {
	if s.deleted {
		return
	}
	s.deleted = true
	ctx, cancel := background(4 * time.Minute)
	defer cancel()
	began := time.Now()
	c := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: s.name}}
	if err := management.client.Delete(ctx, c); client.IgnoreNotFound(err) != nil {
		t.Error(err)
		return
	}
	if err := harness.AwaitEvery(ctx, time.Second/4, 3*time.Minute, func(ctx context.Context) error {
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
	s.assertGone(ctx, t)
}

// assertGone looks everywhere for what the cluster may have left.
func (s *tenant) assertGone(ctx context.Context, t *testing.T) {
	t.Helper()
	root := etcdAs(t, v1alpha1.SystemNamespace, "etcd-default-root")
	// Deleted while its finalizer was being added, a Cluster goes at once, and what is made
	// for it meanwhile a moment later: first the objects, which take the rest with them.
	if err := harness.AwaitEvery(ctx, 2*time.Second, time.Minute, func(ctx context.Context) error {
		left, err := s.objectsLeft(ctx)
		if err == nil && len(left) == 0 {
			left, err = s.storedLeft(ctx, root)
		}
		if len(left) > 0 {
			err = fmt.Errorf("left of cluster %s: %v", s.name, left)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}

// storedLeft is what the cluster has in etcd, and the volumes that are not etcd's.
func (s *tenant) storedLeft(ctx context.Context, root *clientv3.Client) ([]string, error) {
	left, err := harness.EtcdLeft(ctx, root, s.uid)
	if err != nil {
		return nil, err
	}
	volumes := &corev1.PersistentVolumeList{}
	if err := management.client.List(ctx, volumes); err != nil {
		return nil, err
	}
	for _, v := range volumes.Items {
		if v.Spec.ClaimRef == nil || v.Spec.ClaimRef.Namespace != v1alpha1.SystemNamespace {
			left = append(left, fmt.Sprintf("volume %s of %+v", v.Name, v.Spec.ClaimRef))
		}
	}
	return left, nil
}

// objectsLeft are the objects of every kind that name the cluster, but for the records of
// what was done to it.
func (s *tenant) objectsLeft(ctx context.Context) (left []string, err error) {
	kinds, err := discovery.NewDiscoveryClientForConfig(management.config)
	if err != nil {
		return nil, err
	}
	lists, err := kinds.ServerPreferredResources()
	if err != nil {
		return nil, err
	}
	objects, err := metadata.NewForConfig(management.config)
	if err != nil {
		return nil, err
	}
	var failed []error
	for _, list := range lists {
		group, err := schema.ParseGroupVersion(list.GroupVersion)
		failed = append(failed, err)
		for _, kind := range list.APIResources {
			if kind.Name == "operations" || kind.Name == "events" || !strings.Contains(kind.Verbs.String(), "list") {
				continue
			}
			found, err := objects.Resource(group.WithResource(kind.Name)).List(ctx, metav1.ListOptions{})
			if err != nil {
				failed = append(failed, fmt.Errorf("listing %s: %w", kind.Name, err))
				continue
			}
			for _, o := range found.Items {
				if o.Labels[v1alpha1.LabelClusterUID] == s.uid || o.Namespace == s.namespace || strings.Contains(o.Name, s.uid) {
					left = append(left, kind.Name+" "+o.Namespace+"/"+o.Name)
				}
			}
		}
	}
	return left, errors.Join(failed...)
}
