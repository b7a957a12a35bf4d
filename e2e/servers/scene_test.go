//go:build openstack

package servers

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/config/clouds"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

var check = harness.Check

// environment is what the suite is told.
func environment(t *testing.T, name string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		t.Fatalf("$%s is not set: 'make e2e-openstack' sets it", name)
	}
	return value
}

// scene is a Marina that serves where servers of the cloud reach it, and a Cluster there.
type scene struct {
	*harness.Marina
	cloud   *cloud
	cluster *v1alpha1.Cluster
	tenant  kubernetes.Interface
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{cloud: openCloud(t), Marina: harness.Prepare(t, t.TempDir())}
	s.Flags = []string{"--cloud", "none", "--expose-address", environment(t, "MARINA_OPENSTACK_ADDRESS")}
	check(t, s.Start(t.Context()))
	t.Cleanup(func() { s.tell(t) })

	platform := s.secret(t, v1alpha1.SystemNamespace, "platform")
	s.secret(t, "default", "tenant")
	// Unlike hollow nodes, these run pods.
	class := &v1alpha1.HostingClass{}
	check(t, s.Client.Get(t.Context(), client.ObjectKey{Name: "default"}, class))
	class.Spec.Addons = v1alpha1.AddonsSpec{CoreDNS: v1alpha1.AddonManaged, KubeProxy: v1alpha1.AddonManaged}
	check(t, s.Client.Update(t.Context(), class))
	check(t, s.Client.Create(t.Context(), &v1alpha1.Infrastructure{ObjectMeta: metav1.ObjectMeta{Name: "paris"}, Spec: v1alpha1.InfrastructureSpec{
		AuthURL: platform.AuthInfo.AuthURL, Region: platform.RegionName, CredentialsRef: v1alpha1.LocalReference{Name: "platform"},
		ExternalNetwork: externalNetwork, Flavors: []string{flavor},
		Releases: []v1alpha1.InfrastructureRelease{{Release: harness.Release, Image: environment(t, "MARINA_OPENSTACK_CONTAINER")}},
	}}))
	s.cluster = harness.NewCluster("shop", harness.Release)
	s.cluster.Spec.InfrastructureRef = &v1alpha1.LocalReference{Name: "paris"}
	s.cluster.Spec.CredentialsRef = &v1alpha1.LocalReference{Name: "tenant"}
	check(t, s.Client.Create(t.Context(), s.cluster))
	return s
}

// secret makes the credentials of a cloud of the clouds.yaml known.
func (s *scene) secret(t *testing.T, namespace, name string) clouds.Cloud {
	t.Helper()
	content, err := os.ReadFile(environment(t, "MARINA_OPENSTACK_CLOUDS"))
	check(t, err)
	all := struct {
		Clouds map[string]json.RawMessage `json:"clouds"`
	}{}
	check(t, yaml.Unmarshal(content, &all))
	one, err := yaml.Marshal(map[string]any{"clouds": map[string]any{v1alpha1.CloudName: all.Clouds[name]}})
	check(t, err)
	check(t, s.Client.Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{v1alpha1.LabelShard: v1alpha1.DefaultShard}},
		Data:       map[string][]byte{v1alpha1.CloudsKey: one},
	}))
	var parsed clouds.Clouds
	check(t, yaml.Unmarshal(content, &parsed))
	return parsed.Clouds[name]
}

// pool makes one of as many nodes.
func (s *scene) pool(t *testing.T, name string, replicas int32, change func(*v1alpha1.NodePoolSpec)) *v1alpha1.NodePool {
	t.Helper()
	pool := &v1alpha1.NodePool{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec: v1alpha1.NodePoolSpec{
			ClusterRef: v1alpha1.LocalReference{Name: s.cluster.Name}, Flavor: flavor, Replicas: ptr.To(replicas), FloatingIPs: true,
		},
	}
	change(&pool.Spec)
	check(t, s.Client.Create(t.Context(), pool))
	return pool
}

// scale asks for another number of nodes, as kubectl scale does.
func (s *scene) scale(t *testing.T, pool *v1alpha1.NodePool, replicas int32) {
	t.Helper()
	_, err := s.CLI(t.Context(), "nodepool", "scale", pool.Name, "--replicas", fmt.Sprint(replicas))
	check(t, err)
}

// settled waits until a pool is Active with as many Ready nodes.
func (s *scene) settled(t *testing.T, pool *v1alpha1.NodePool, replicas int32, limit time.Duration) []corev1.Node {
	t.Helper()
	began := time.Now()
	check(t, harness.AwaitEvery(t.Context(), time.Second, limit, func(ctx context.Context) error {
		now := &v1alpha1.NodePool{}
		if err := s.Client.Get(ctx, client.ObjectKeyFromObject(pool), now); err != nil {
			return err
		}
		if st := now.Status; st.ObservedGeneration != now.Generation || st.Phase != v1alpha1.PoolActive || st.ReadyReplicas != replicas || st.Replicas != replicas {
			return fmt.Errorf("the pool %s is %s with %d of %d nodes ready, want %d: %s", pool.Name, st.Phase, st.ReadyReplicas, st.Replicas, replicas, st.Message)
		}
		return nil
	}))
	t.Logf("pool %s has %d Ready nodes after %.0f s", pool.Name, replicas, time.Since(began).Seconds())
	if s.tenant == nil {
		s.tenant, _ = harness.TenantClient(t, s.Marina, s.cluster.Name)
	}
	list, err := s.tenant.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{LabelSelector: v1alpha1.LabelPool + "=" + pool.Name})
	check(t, err)
	if len(list.Items) != int(replicas) {
		t.Fatalf("the tenant has %d nodes of the pool %s, want %d", len(list.Items), pool.Name, replicas)
	}
	return list.Items
}

// gone waits until an object that is being deleted is no more.
func (s *scene) gone(t *testing.T, o client.Object) {
	t.Helper()
	check(t, client.IgnoreNotFound(s.Client.Delete(t.Context(), o)))
	check(t, harness.AwaitEvery(t.Context(), time.Second, 5*time.Minute, func(ctx context.Context) error {
		err := s.Client.Get(ctx, client.ObjectKeyFromObject(o), o)
		if apierrors.IsNotFound(err) {
			return nil
		}
		shown, _ := json.Marshal(o)
		return fmt.Errorf("%T %s is still there (%w): %s", o, o.GetName(), err, shown)
	}))
}
