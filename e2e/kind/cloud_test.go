//go:build kind

package kind

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/simulator/container"
	"github.com/marina-dev/marina/cmd/marina/simulator/guest"
	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/e2e/openstacksim"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// newCloud is a simulated cloud whose servers are containers beside the nodes of the
// management cluster, and that is offered there as the Infrastructure "paris", with a node
// image for each of some releases. The Secret "team" in the default namespace is of a project.
func newCloud(t *testing.T, releases ...string) {
	t.Helper()
	gateway, err := gatewayOf(t.Context(), "kind")
	harness.Check(t, err)
	engine, err := container.Engine(t.Context())
	harness.Check(t, err)
	images, offered := map[string]string{}, []v1alpha1.InfrastructureRelease{}
	for _, release := range releases {
		kubernetes := kubernetesOf(release)
		images[kubernetes], err = nodeImage(t.Context(), release)
		harness.Check(t, err)
		offered = append(offered, v1alpha1.InfrastructureRelease{Release: release, Image: kubernetes})
	}
	dir := t.TempDir()
	driver, err := container.New(container.Options{Dir: dir, Engine: engine, Images: images, Network: "kind", Log: slog.New(slog.DiscardHandler)})
	harness.Check(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			consoles, _ := filepath.Glob(filepath.Join(dir, container.Folder, "*", "console.log"))
			for _, console := range consoles {
				text, _ := os.ReadFile(console)
				t.Logf("%s:\n%.20000s", console, text)
			}
		}
		ctx, cancel := background(time.Minute)
		defer cancel()
		if err := errors.Join(driver.Leave(), driver.Keep(ctx, nil)); err != nil {
			t.Error(err)
		}
	})
	// Where the pods of the management cluster reach this machine.
	cloud, err := openstacksim.Start(openstacksim.Options{Listen: gateway + ":0", Driver: driver})
	harness.Check(t, err)
	t.Cleanup(cloud.Close)
	platform, team := cloud.AddProject("platform", "reader"), cloud.AddProject("team")
	cloud.AddFlavor("b3-4", 2, 4096, 50)
	for kubernetes := range images {
		cloud.AddImage(kubernetes, map[string]string{guest.PropertyKubernetes: kubernetes})
	}
	cloud.AddVolumeType("ssd")
	cloud.AddExternalNetwork("public", "203.0.113.0/24")
	cloud.SetUp()

	for _, object := range []client.Object{
		cloudSecret(v1alpha1.SystemNamespace, "paris", cloud.CloudsYAML(platform)),
		cloudSecret("default", "team", cloud.CloudsYAML(team)),
		&v1alpha1.Infrastructure{ObjectMeta: metav1.ObjectMeta{Name: "paris"}, Spec: v1alpha1.InfrastructureSpec{
			AuthURL: cloud.AuthURL(), Region: openstacksim.Region, CredentialsRef: v1alpha1.LocalReference{Name: "paris"},
			ExternalNetwork: "public", Flavors: []string{"b3-4"}, Releases: offered,
		}},
	} {
		harness.Check(t, management.client.Create(t.Context(), object))
		t.Cleanup(func() {
			ctx, cancel := background(time.Minute)
			defer cancel()
			if err := management.client.Delete(ctx, object); err != nil {
				t.Error(err)
			}
		})
	}
}

func cloudSecret(namespace, name, clouds string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{v1alpha1.LabelShard: v1alpha1.DefaultShard}},
		StringData: map[string]string{v1alpha1.CloudsKey: clouds},
	}
}

// kubernetesOf is the version of Kubernetes of a release, for example v1.37.1.
func kubernetesOf(release string) string {
	version, _, _ := strings.Cut(release, "-")
	return "v" + version
}

// nodeImage has the engine know the node image of a release, and returns its name.
func nodeImage(ctx context.Context, release string) (string, error) {
	minor := release[:strings.LastIndex(release, ".")]
	said, err := execute(ctx, "env", "MINOR="+minor, "hack/kind/kind.sh", "node-image")
	lines := strings.Split(strings.TrimSpace(said), "\n")
	return lines[len(lines)-1], err
}

// gatewayOf is the address that this machine has in a network of the engine.
func gatewayOf(ctx context.Context, network string) (string, error) {
	out, err := execute(ctx, "docker", "network", "inspect", network, "-f", "{{range .IPAM.Config}}{{.Gateway}} {{end}}")
	if err != nil {
		return "", err
	}
	for _, gateway := range strings.Fields(out) {
		if address, err := netip.ParseAddr(gateway); err == nil && address.Is4() {
			return gateway, nil
		}
	}
	return "", fmt.Errorf("the network %s has no gateway: %q", network, out)
}

// addPool makes a pool of two nodes.
func (s *tenant) addPool(t *testing.T, name string, strategy v1alpha1.UpgradeStrategy) *v1alpha1.NodePool {
	t.Helper()
	pool := &v1alpha1.NodePool{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec: v1alpha1.NodePoolSpec{
			ClusterRef: v1alpha1.LocalReference{Name: s.name}, Flavor: "b3-4", Replicas: ptr.To[int32](2), Upgrade: v1alpha1.PoolUpgrade{Strategy: strategy},
		},
	}
	harness.Check(t, management.client.Create(t.Context(), pool))
	return pool
}

// awaitPools waits until pools have their nodes, and all nodes of the cluster run a version of
// Kubernetes; it logs when each does. It returns the ids of their servers, by pool and node.
func (s *tenant) awaitPools(t *testing.T, kubernetes string, pools ...*v1alpha1.NodePool) map[string]map[string]string {
	t.Helper()
	began, seen := time.Now(), map[string]bool{}
	servers := map[string]map[string]string{}
	harness.Check(t, harness.AwaitEvery(t.Context(), time.Second/2, 8*time.Minute, func(ctx context.Context) error {
		nodes, err := s.api.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		if err != nil {
			return err
		}
		var others []string
		for _, pool := range pools {
			servers[pool.Name] = map[string]string{}
		}
		for _, node := range nodes.Items {
			if got := node.Status.NodeInfo.KubeletVersion; got != kubernetes || !nodeReady(node) {
				others = append(others, fmt.Sprintf("%s with %s", node.Name, got))
				continue
			}
			if !seen[node.Name] {
				seen[node.Name] = true
				t.Logf("node %s runs %s after %.1f s", node.Name, kubernetes, time.Since(began).Seconds())
			}
			servers[node.Labels[v1alpha1.LabelPool]][node.Name] = strings.TrimPrefix(node.Spec.ProviderID, "openstack:///")
		}
		for _, pool := range pools {
			now := &v1alpha1.NodePool{}
			if err := management.client.Get(ctx, client.ObjectKeyFromObject(pool), now); err != nil {
				return err
			}
			if n := len(servers[pool.Name]); now.Status.Phase != v1alpha1.PoolActive || n != int(*pool.Spec.Replicas) {
				return fmt.Errorf("pool %s is %s with %d nodes of %s: %s; others: %v", pool.Name, now.Status.Phase, n, kubernetes, now.Status.Message, others)
			}
		}
		if len(others) > 0 {
			return fmt.Errorf("nodes are not ready with %s: %v", kubernetes, others)
		}
		return nil
	}))
	return servers
}
