package local

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/networks"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/subnets"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/marina-dev/marina/dataplane/userdata"
	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// cloud is the simulated one of a Marina, as a user of it.
type cloud struct {
	compute        *gophercloud.ServiceClient
	flavor, image  string
	network        string
	infrastructure *v1alpha1.Infrastructure
}

// newCloud logs in with what "marina up" has put into the namespace default, to the cloud
// that it offers, and makes a network.
func newCloud(t *testing.T, m *harness.Marina) *cloud {
	t.Helper()
	c := &cloud{infrastructure: &v1alpha1.Infrastructure{}}
	check(t, harness.Await(t.Context(), 20*time.Second, func(ctx context.Context) error {
		if err := m.Client.Get(ctx, client.ObjectKey{Name: "local"}, c.infrastructure); err != nil {
			return err
		}
		if ready := apimeta.FindStatusCondition(c.infrastructure.Status.Conditions, v1alpha1.ConditionReady); ready == nil || ready.Status != metav1.ConditionTrue {
			return fmt.Errorf("the infrastructure is not ready: %v", ready)
		}
		return nil
	}))
	secret := &corev1.Secret{}
	check(t, m.Client.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: "simulator"}, secret))
	var file struct {
		Clouds map[string]struct {
			Auth struct {
				Username, Password string
				AuthURL            string `json:"auth_url"`
				Project            string `json:"project_name"`
			}
		}
	}
	check(t, yaml.Unmarshal(secret.Data["clouds.yaml"], &file))
	auth := file.Clouds["openstack"].Auth
	provider, err := openstack.AuthenticatedClient(t.Context(), gophercloud.AuthOptions{
		IdentityEndpoint: auth.AuthURL, Username: auth.Username, Password: auth.Password, DomainName: "Default", AllowReauth: true,
		Scope: &gophercloud.AuthScope{ProjectName: auth.Project, DomainName: "Default"},
	})
	check(t, err)
	region := gophercloud.EndpointOpts{Region: c.infrastructure.Spec.Region}
	c.compute, err = openstack.NewComputeV2(provider, region)
	check(t, err)
	for _, f := range c.infrastructure.Status.Flavors {
		if f.Name == "b3-8" {
			c.flavor = f.ID
		}
	}
	for _, i := range c.infrastructure.Status.Images {
		if i.Release == harness.Release {
			c.image = i.ID
		}
	}
	network, err := openstack.NewNetworkV2(provider, region)
	check(t, err)
	n, err := networks.Create(t.Context(), network, networks.CreateOpts{Name: "nodes"}).Extract()
	check(t, err)
	_, err = subnets.Create(t.Context(), network, subnets.CreateOpts{NetworkID: n.ID, CIDR: "10.0.0.0/24", IPVersion: gophercloud.IPv4}).Extract()
	check(t, err)
	c.network = n.ID
	return c
}

// boot makes a server and waits until it is ACTIVE.
func (c *cloud) boot(t *testing.T, name string, userData []byte) string {
	t.Helper()
	s, err := servers.Create(t.Context(), c.compute, servers.CreateOpts{
		Name: name, FlavorRef: c.flavor, ImageRef: c.image, Networks: []servers.Network{{UUID: c.network}}, UserData: userData,
	}, nil).Extract()
	check(t, err)
	check(t, c.is(t.Context(), s.ID, "ACTIVE"))
	return s.ID
}

// is waits for a server's status; empty is gone.
func (c *cloud) is(ctx context.Context, id, want string) error {
	return harness.Await(ctx, 30*time.Second, func(ctx context.Context) error {
		s, err := servers.Get(ctx, c.compute, id).Extract()
		if gophercloud.ResponseCodeIs(err, 404) && want == "" {
			return nil
		}
		if err != nil {
			return err
		}
		if s.Status != want {
			return fmt.Errorf("server %s is %s (%s), want %q", s.Name, s.Status, s.Fault.Message, want)
		}
		return nil
	})
}

// userDataOf is what makes a server a node of a cluster: the very bytes of production.
func userDataOf(t *testing.T, m *harness.Marina, cluster, name string) []byte {
	t.Helper()
	token, err := m.CLI(t.Context(), "token", "create", cluster, "--node", name)
	check(t, err)
	release := &v1alpha1.KubernetesRelease{}
	check(t, m.Client.Get(t.Context(), client.ObjectKey{Name: harness.Release}, release))
	config, err := json.Marshal(release.Spec.KubeletConfiguration)
	check(t, err)
	data, err := userdata.Render(userdata.Node{
		Name: name, BootstrapKubeconfig: []byte(token), KubeletConfiguration: config, Capacity: userdata.Capacity{CPUs: 2, MemoryMiB: 8192, DiskGiB: 50},
		Labels: map[string]string{"tier": "web"}, Taints: []corev1.Taint{{Key: "env", Value: "demo", Effect: corev1.TaintEffectNoSchedule}},
	})
	check(t, err)
	return data
}

// kubeletOf is the process of a server; 0 is none.
func kubeletOf(m *harness.Marina, id string) int {
	return m.Processes()["servers/"+id+"/0/hollow-node"]
}

// internalIP is a Node's address.
func internalIP(t *testing.T, node *corev1.Node) string {
	t.Helper()
	for _, a := range node.Status.Addresses {
		if a.Type == corev1.NodeInternalIP {
			return a.Address
		}
	}
	t.Fatalf("node %s has no address: %v", node.Name, node.Status.Addresses)
	return ""
}

const simulator = "marina-system/openstack-simulator/0/simulator"

func TestAServerOfTheCloudIsANode(t *testing.T) {
	m := start(t)
	cluster := create(t, m, "clouded")
	check(t, awaitAvailable(t.Context(), m, cluster.Name))
	api, config := tenant(t, m, cluster.Name)
	c := newCloud(t, m)
	const name = "clouded-pool-x2k4m"
	id := c.boot(t, name, userDataOf(t, m, cluster.Name, name))

	t.Run("it joins as its user data says", func(t *testing.T) {
		check(t, nodeIs(t.Context(), api, name, corev1.ConditionTrue))
		node, err := api.CoreV1().Nodes().Get(t.Context(), name, metav1.GetOptions{})
		check(t, err)
		if got, want := node.Spec.ProviderID, "openstack:///"+id; got != want {
			t.Errorf("its provider id is %q, want %q", got, want)
		}
		if diff := cmp.Diff("web", node.Labels["tier"]); diff != "" {
			t.Error("label tier (-want +got)", diff)
		}
		if !strings.Contains(fmt.Sprint(node.Spec.Taints), "{env demo NoSchedule") {
			t.Errorf("its taints are %v", node.Spec.Taints)
		}
		if got := node.Status.Capacity.Memory().String(); got != "8Gi" {
			t.Errorf("its memory is %s, and its flavor's 8Gi", got)
		}
		// It serves at an address of its own, with a certificate that the cluster has given
		// it for that.
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(config.CAData)
		dialer := tls.Dialer{Config: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
		at := net.JoinHostPort(internalIP(t, node), fmt.Sprint(node.Status.DaemonEndpoints.KubeletEndpoint.Port))
		check(t, harness.Await(t.Context(), 30*time.Second, func(ctx context.Context) error {
			conn, err := dialer.DialContext(ctx, "tcp", at)
			if err != nil {
				return fmt.Errorf("kubelet at %s: %w", at, err)
			}
			return conn.Close()
		}))
	})

	t.Run("it lives on without marina up and without the cloud", func(t *testing.T) {
		node, process := kubeletOf(m, id), m.Processes()[simulator]
		if node == 0 || process == 0 {
			t.Fatalf("processes are missing: %v", m.Processes())
		}
		check(t, m.Kill())
		check(t, m.Start(t.Context()))
		if got := m.Processes()[simulator]; got != process {
			t.Errorf("the cloud runs as %d, and ran as %d before marina up was killed", got, process)
		}
		check(t, c.is(t.Context(), id, "ACTIVE"))

		check(t, syscall.Kill(process, syscall.SIGKILL))
		check(t, harness.Await(t.Context(), time.Minute, func(context.Context) error {
			if got := m.Processes()[simulator]; got == 0 || got == process {
				return fmt.Errorf("the cloud runs as %d", got)
			}
			return nil
		}))
		check(t, c.is(t.Context(), id, "ACTIVE"))
		if got := kubeletOf(m, id); got != node {
			t.Errorf("the node runs as %d, and ran as %d before", got, node)
		}
	})

	t.Run("it comes back with everything else", func(t *testing.T) {
		check(t, m.Stop())
		stopped := time.Now()
		check(t, m.Start(t.Context()))
		check(t, c.is(t.Context(), id, "ACTIVE"))
		check(t, harness.Await(t.Context(), 2*time.Minute, func(ctx context.Context) error {
			lease, err := api.CoordinationV1().Leases(corev1.NamespaceNodeLease).Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			if !lease.Spec.RenewTime.After(stopped) {
				return fmt.Errorf("it was last heard of at %s", lease.Spec.RenewTime)
			}
			return nil
		}))
	})

	t.Run("it ends when its server is deleted", func(t *testing.T) {
		check(t, servers.Delete(t.Context(), c.compute, id).ExtractErr())
		check(t, c.is(t.Context(), id, ""))
		if got := kubeletOf(m, id); got != 0 {
			t.Errorf("its kubelet still runs as %d", got)
		}
	})

	t.Run("a console tells why a server does not join", func(t *testing.T) {
		id := c.boot(t, "nonsense", []byte("#cloud-config\nruncmd: [[/join]]\n"))
		console, err := servers.ShowConsoleOutput(t.Context(), c.compute, id, servers.ShowConsoleOutputOpts{}).Extract()
		check(t, err)
		if !strings.Contains(console, "cloud-init: runcmd: /join: not found") {
			t.Errorf("it shows %q", console)
		}
	})
}
