// Package pools runs "marina up" beside a simulated OpenStack of its own, whose servers are
// hollow nodes: what a NodePool asks for becomes servers that join by the genuine user data,
// and the manager is killed at calls of the cloud.
package pools

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/simulator/guest"
	"github.com/marina-dev/marina/cmd/marina/simulator/hollow"
	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/e2e/openstacksim"
	"github.com/marina-dev/marina/e2e/openstacksim/glance"
	"github.com/marina-dev/marina/e2e/openstacksim/state"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

var check = harness.Check

const (
	kubernetesVersion = "v1.37.1"
	// olderVersion is that of a release from which a cluster is upgraded.
	olderVersion, olderRelease = "v1.36.4", "1.36.4-1"
)

// scene is a Marina, a cloud, and in it a project with a Cluster that has no pool.
type scene struct {
	*harness.Marina
	cloud   *openstacksim.Simulator
	driver  *hollow.Driver
	team    openstacksim.Project
	cluster *v1alpha1.Cluster
	tenant  kubernetes.Interface
	// killed tells that a point was reached.
	killed chan error
}

// newScene starts all that a pool needs.
func newScene(t testing.TB, o openstacksim.Options) *scene {
	t.Helper()
	return newSceneAt(t, o, harness.Release)
}

// newSceneAt does so for a Cluster of some release.
func newSceneAt(t testing.TB, o openstacksim.Options, release string) *scene {
	t.Helper()
	dir, err := os.MkdirTemp("", "marina-pools-")
	check(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	bin, err := harness.Binary()
	check(t, err)
	driver, err := hollow.New(hollow.Options{Dir: dir, BinDir: bin, Log: slog.New(slog.DiscardHandler)})
	check(t, err)
	t.Cleanup(func() { check(t, driver.Shutdown(context.Background())) })
	s := &scene{driver: driver}
	o.Driver = driver
	s.cloud, err = openstacksim.Start(o)
	check(t, err)
	t.Cleanup(s.cloud.Close)
	platform := s.cloud.AddProject("platform", "reader")
	s.team = s.cloud.AddProject("team")
	s.cloud.AddFlavor("b3-4", 2, 4096, 50)
	s.cloud.AddFlavor("b3-8", 2, 8192, 50)
	for image, version := range map[string]string{"node": kubernetesVersion, "older-node": olderVersion} {
		s.cloud.AddImageAs(glance.Image{
			Base: state.Base{Name: image}, MinDisk: 20, Properties: map[string]string{guest.PropertyKubernetes: version},
		})
	}
	s.cloud.AddVolumeType("ssd")
	s.cloud.AddExternalNetwork("public", "203.0.113.0/24")
	s.cloud.SetUp()

	s.Marina = harness.Launch(t)
	secret := func(namespace, name string, project openstacksim.Project) *corev1.Secret {
		return &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{v1alpha1.LabelShard: v1alpha1.DefaultShard}},
			StringData: map[string]string{v1alpha1.CloudsKey: s.cloud.CloudsYAML(project)},
		}
	}
	check(t, s.Client.Create(t.Context(), secret(v1alpha1.SystemNamespace, "paris", platform)))
	check(t, s.Client.Create(t.Context(), secret("default", "mine", s.team)))
	check(t, s.Client.Create(t.Context(), &v1alpha1.Infrastructure{ObjectMeta: metav1.ObjectMeta{Name: "paris"}, Spec: v1alpha1.InfrastructureSpec{
		AuthURL: s.cloud.AuthURL(), Region: openstacksim.Region, CredentialsRef: v1alpha1.LocalReference{Name: "paris"},
		ExternalNetwork: "public", Flavors: []string{"b3-4", "b3-8"},
		Releases: []v1alpha1.InfrastructureRelease{{Release: harness.Release, Image: "node"}, {Release: olderRelease, Image: "older-node"}},
	}}))
	s.cluster = harness.NewCluster("shop", release)
	s.cluster.Spec.InfrastructureRef = &v1alpha1.LocalReference{Name: "paris"}
	s.cluster.Spec.CredentialsRef = &v1alpha1.LocalReference{Name: "mine"}
	check(t, s.Client.Create(t.Context(), s.cluster))
	return s
}

// add makes a pool.
func (s *scene) add(t testing.TB, name string, replicas int32) *v1alpha1.NodePool {
	t.Helper()
	pool := &v1alpha1.NodePool{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec: v1alpha1.NodePoolSpec{
			ClusterRef: v1alpha1.LocalReference{Name: s.cluster.Name}, Flavor: "b3-4", Replicas: ptr.To(replicas),
			Labels: map[string]string{"tier": name}, Taints: []v1alpha1.Taint{{Key: "env", Value: "demo", Effect: corev1.TaintEffectNoSchedule}},
		},
	}
	check(t, s.Client.Create(t.Context(), pool))
	return pool
}

// settled waits until a pool is Active with as many Ready nodes, and checks that the cloud and
// the tenant have neither more nor fewer.
func (s *scene) settled(t testing.TB, pool *v1alpha1.NodePool, replicas int) {
	t.Helper()
	// A Machine whose server may be on its way is looked for a minute before it is made again.
	check(t, harness.Await(t.Context(), 4*time.Minute, func(ctx context.Context) error {
		now := &v1alpha1.NodePool{}
		if err := s.Client.Get(ctx, client.ObjectKeyFromObject(pool), now); err != nil {
			return err
		}
		if st := now.Status; st.ObservedGeneration != now.Generation || st.Phase != v1alpha1.PoolActive || int(st.ReadyReplicas) != replicas || int(st.Replicas) != replicas {
			return fmt.Errorf("the pool is %s with %d of %d nodes ready, want %d: %s", st.Phase, st.ReadyReplicas, st.Replicas, replicas, st.Message)
		}
		return nil
	}))
	if got := s.made()["server"]; got != replicas {
		t.Errorf("%d servers for %d nodes: %v", got, replicas, s.cloud.Leaks(s.team.ID))
	}
	if nodes := s.nodes(t, pool.Name); len(nodes) != replicas {
		t.Errorf("%d nodes, want %d: %v", len(nodes), replicas, nodes)
	}
}

// nodes are those of a pool in the tenant, by name.
func (s *scene) nodes(t testing.TB, pool string) map[string]corev1.Node {
	t.Helper()
	if s.tenant == nil {
		s.tenant, _ = harness.TenantClient(t, s.Marina, s.cluster.Name)
	}
	list, err := s.tenant.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{LabelSelector: v1alpha1.LabelPool + "=" + pool})
	check(t, err)
	nodes := map[string]corev1.Node{}
	for _, n := range list.Items {
		nodes[n.Name] = n
	}
	return nodes
}

// made are the kinds of what the project has in the cloud, with how many there are of each.
func (s *scene) made() map[string]int {
	kinds := map[string]int{}
	for _, l := range s.cloud.Leaks(s.team.ID) {
		kinds[l.Kind]++
	}
	return kinds
}

// onlyTheNetwork is what is there of a Cluster without nodes.
var onlyTheNetwork = map[string]int{"network": 1, "subnet": 1, "router": 1, "security group": 1, "port": 1}

// holds checks what there is in the cloud.
func (s *scene) holds(t testing.TB, want map[string]int) {
	t.Helper()
	if diff := cmp.Diff(want, s.made()); diff != "" {
		t.Errorf("in the cloud (-want +got):\n%s", diff)
	}
}

// kubectl runs the kubectl of the release against the management API.
func (s *scene) kubectl(t testing.TB, args ...string) string {
	t.Helper()
	program, err := harness.Binary("kubernetes", kubernetesVersion, "kubectl")
	check(t, err)
	cmd := exec.CommandContext(t.Context(), program, append([]string{"--kubeconfig", s.Kubeconfig(), "--cache-dir", t.TempDir()}, args...)...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out.String())
	}
	return out.String()
}

// deleted waits until a pool is gone.
func (s *scene) deleted(t testing.TB, pool *v1alpha1.NodePool) {
	t.Helper()
	check(t, harness.Await(t.Context(), 2*time.Minute, func(ctx context.Context) error {
		now := &v1alpha1.NodePool{}
		err := s.Client.Get(ctx, client.ObjectKeyFromObject(pool), now)
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		return fmt.Errorf("pool %s is still there: %s", pool.Name, now.Status.Message)
	}))
	if nodes := s.nodes(t, pool.Name); len(nodes) > 0 {
		t.Errorf("nodes are left: %v", nodes)
	}
}
