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

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// boots is a "marina up" whose simulated cloud boots containers, beside the management
// cluster and without use for it, with a cluster that has a pool of one node.
type boots struct {
	*harness.Marina
	tenant *tenant
	pool   *v1alpha1.NodePool
}

// TestServersAreContainers has a real node join by a NodePool of the simulated cloud, run a
// pod, outlive the simulator, and leave nothing.
func TestServersAreContainers(t *testing.T) {
	began := time.Now()
	b := newBoots(t)
	node := b.awaitNode(t)
	t.Logf("node %s is Ready after %.0f s", node.Name, time.Since(began).Seconds())
	server := strings.TrimPrefix(node.Spec.ProviderID, "openstack:///")
	container := "marina-" + server
	volumes := b.docker(t, "inspect", "-f", `{{range .Mounts}}{{if eq .Type "volume"}}{{.Name}} {{end}}{{end}}`, container)
	if len(strings.Fields(volumes)) != 2 {
		t.Fatalf("the container has the volumes %q, want two", volumes)
	}

	b.runPod(t, node.Name)
	b.loseSimulator(t, container)

	harness.Check(t, b.Client.Delete(t.Context(), b.pool))
	harness.Check(t, harness.Await(t.Context(), 4*time.Minute, func(ctx context.Context) error {
		if err := b.Client.Get(ctx, client.ObjectKeyFromObject(b.pool), &v1alpha1.NodePool{}); !apierrors.IsNotFound(err) {
			return fmt.Errorf("the pool is still there (%w)", err)
		}
		return nil
	}))
	if left := b.containers(t); left != "" {
		t.Errorf("containers are left: %s", left)
	}
	for _, volume := range strings.Fields(volumes) {
		if _, err := execute(t.Context(), "docker", "volume", "inspect", volume); err == nil {
			t.Errorf("the volume %s is left", volume)
		}
	}
	if _, err := os.Stat(filepath.Join(b.Dir, "cloud", "containers", server)); !os.IsNotExist(err) {
		t.Errorf("the server's folder is left (%v)", err)
	}
}

func newBoots(t *testing.T) *boots {
	t.Helper()
	image := os.Getenv("NODE_IMAGE")
	if image == "" {
		t.Fatal("$NODE_IMAGE is not set: source .kind/env")
	}
	b := &boots{Marina: harness.Prepare(t, t.TempDir())}
	t.Cleanup(func() { b.clear(t) })
	b.Flags = []string{"--node-image", image}
	harness.Check(t, b.Start(t.Context()))
	c := harness.NewCluster("shop", harness.Release)
	c.Spec.InfrastructureRef = &v1alpha1.LocalReference{Name: "local"}
	c.Spec.CredentialsRef = &v1alpha1.LocalReference{Name: "simulator"}
	b.pool = &v1alpha1.NodePool{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web"},
		Spec:       v1alpha1.NodePoolSpec{ClusterRef: v1alpha1.LocalReference{Name: c.Name}, Flavor: "b3-4", Replicas: ptr.To[int32](1)},
	}
	harness.Check(t, errors.Join(b.Client.Create(t.Context(), c), b.Client.Create(t.Context(), b.pool)))
	return b
}

// clear ends Marina and leaves no container, and tells of those of a test that has failed.
func (b *boots) clear(t *testing.T) {
	ctx, cancel := background(time.Minute)
	defer cancel()
	if err := b.End(); err != nil {
		t.Error(err)
	}
	left, err := execute(ctx, "docker", "ps", "-aq", "--filter", "label=marina-simulator="+b.folder())
	if ids := strings.Fields(left); len(ids) > 0 {
		_, removed := execute(ctx, append([]string{"docker", "rm", "--force", "--volumes"}, ids...)...)
		err = errors.Join(err, removed)
	}
	if err != nil {
		t.Error(err)
	}
	if t.Failed() {
		consoles, _ := filepath.Glob(filepath.Join(b.folder(), "*", "console.log"))
		for _, console := range consoles {
			text, _ := os.ReadFile(console)
			t.Logf("%s:\n%.20000s", console, text)
		}
	}
}

func (b *boots) folder() string { return filepath.Join(b.Dir, "cloud", "containers") }

func (b *boots) containers(t *testing.T) string {
	t.Helper()
	return b.docker(t, "ps", "-aq", "--filter", "label=marina-simulator="+b.folder())
}

func (b *boots) docker(t *testing.T, args ...string) string {
	t.Helper()
	out, err := execute(t.Context(), append([]string{"docker"}, args...)...)
	harness.Check(t, err)
	return strings.TrimSpace(out)
}

// awaitNode waits until the pool has its node, and checks that it is a real one.
func (b *boots) awaitNode(t *testing.T) *corev1.Node {
	t.Helper()
	harness.Check(t, harness.Await(t.Context(), 4*time.Minute, func(ctx context.Context) error {
		if err := b.Client.Get(ctx, client.ObjectKeyFromObject(b.pool), b.pool); err != nil {
			return err
		}
		if b.pool.Status.Phase != v1alpha1.PoolActive || b.pool.Status.ReadyReplicas != 1 {
			return fmt.Errorf("the pool is %s with %d nodes ready: %s", b.pool.Status.Phase, b.pool.Status.ReadyReplicas, b.pool.Status.Message)
		}
		return nil
	}))
	b.tenant = &tenant{name: "shop", kubeconfig: filepath.Join(t.TempDir(), "kubeconfig")}
	_, err := b.CLI(t.Context(), "kubeconfig", "get", "shop", "-o", b.tenant.kubeconfig)
	harness.Check(t, err)
	b.tenant.api, b.tenant.config = harness.TenantClient(t, b.Marina, "shop")
	nodes, err := b.tenant.api.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	harness.Check(t, err)
	if len(nodes.Items) != 1 {
		t.Fatalf("there are %d nodes", len(nodes.Items))
	}
	node := &nodes.Items[0]
	if runtime := node.Status.NodeInfo.ContainerRuntimeVersion; !strings.HasPrefix(runtime, "containerd://") {
		t.Errorf("its runtime is %q", runtime)
	}
	return node
}

// runPod runs a pod of an image that every node has, and asks its kubelet for its log and
// for a command in it.
func (b *boots) runPod(t *testing.T, node string) {
	t.Helper()
	image, err := imageOf(management.root, "coredns")
	harness.Check(t, err)
	_, err = b.tenant.api.CoreV1().Pods("default").Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "dns"},
		Spec: corev1.PodSpec{
			HostNetwork: true, TerminationGracePeriodSeconds: ptr.To[int64](1), AutomountServiceAccountToken: ptr.To(false),
			Containers: []corev1.Container{{
				Name: "dns", Image: image, ImagePullPolicy: corev1.PullNever, Command: []string{"/usr/local/bin/coredns", "-dns.port=15353"},
			}},
		},
	}, metav1.CreateOptions{})
	harness.Check(t, err)
	_, err = b.tenant.kubectl(t.Context(), "wait", "--for=condition=Ready", "--timeout=60s", "pod/dns")
	harness.Check(t, err)
	var log string
	// Before its serving certificate is approved, a kubelet answers nobody.
	harness.Check(t, harness.Await(t.Context(), time.Minute, func(ctx context.Context) (err error) {
		log, err = b.tenant.kubectl(ctx, "logs", "dns")
		return err
	}))
	version, err := b.tenant.kubectl(t.Context(), "exec", "dns", "--", "/usr/local/bin/coredns", "-version")
	harness.Check(t, err)
	if !strings.Contains(log, ":15353") || !strings.Contains(version, "CoreDNS-") {
		t.Errorf("the pod on %s has logged %q, and a command in it printed %q", node, log, version)
	}
}

// loseSimulator kills the simulator. The container goes on under the next one, and its
// kubelet reaches its API server again.
func (b *boots) loseSimulator(t *testing.T, container string) {
	t.Helper()
	const process = "marina-system/openstack-simulator/0/simulator"
	const since = "{{.Id}} {{.State.StartedAt}}"
	before := b.docker(t, "inspect", "-f", since, container)
	harness.Kill(t, b.TenantProcesses()[process])
	renewed := time.Now()
	harness.Check(t, harness.AwaitEvery(t.Context(), time.Second/4, time.Minute, func(ctx context.Context) error {
		leases, err := b.tenant.api.CoordinationV1().Leases(corev1.NamespaceNodeLease).List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		for _, lease := range leases.Items {
			if !lease.Spec.RenewTime.After(renewed) {
				return fmt.Errorf("the kubelet was heard of at %s, and the simulator killed at %s", lease.Spec.RenewTime.Time, renewed)
			}
		}
		return nil
	}))
	if after := b.docker(t, "inspect", "-f", since, container); after != before {
		t.Errorf("the container is %s, and was %s", after, before)
	}
}
