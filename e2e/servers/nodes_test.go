//go:build openstack

package servers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/security/rules"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// TestServersJoin has a pool of system containers and one of a virtual machine join a
// control plane, and does to them what happens to nodes.
func TestServersJoin(t *testing.T) {
	s := newScene(t)
	before, err := s.cloud.usage(t.Context())
	check(t, err)
	// Without KVM a machine takes minutes to boot: meanwhile the rest is done.
	vm := s.pool(t, "vm", 1, func(spec *v1alpha1.NodePoolSpec) {
		spec.Image, spec.DiskGiB = s.cloud.imageID(t, environment(t, "MARINA_OPENSTACK_VM")), new(int64(20))
	})
	web := s.pool(t, "web", 2, func(spec *v1alpha1.NodePoolSpec) {
		spec.AntiAffinity, spec.Upgrade.Strategy = v1alpha1.AntiAffinityHard, v1alpha1.UpgradeInPlace
	})

	nodes := s.settled(t, web, 2, 10*time.Minute)
	s.apart(t, web, nodes)
	at := s.serve(t, nodes)
	s.forbidden(t, nodes[0])
	s.reboot(t, nodes[0], at[nodes[0].Name])
	s.inPlace(t, web, at)

	s.scale(t, web, 3)
	nodes = s.settled(t, web, 3, 5*time.Minute)
	s.apart(t, web, nodes)

	s.virtual(t, s.settled(t, vm, 1, 20*time.Minute-time.Since(vm.CreationTimestamp.Time))[0])

	s.scale(t, web, 0)
	s.settled(t, web, 0, 5*time.Minute)
	s.gone(t, vm)
	s.gone(t, web)
	s.gone(t, s.cluster)
	s.cloud.unchanged(t, before)
}

// apart checks that no two nodes are on one host, and that Nova knows why.
func (s *scene) apart(t *testing.T, pool *v1alpha1.NodePool, nodes []corev1.Node) {
	t.Helper()
	check(t, s.Client.Get(t.Context(), client.ObjectKeyFromObject(pool), pool))
	members := s.cloud.members(t, pool.Status.ServerGroupID)
	on := map[string]string{}
	for _, node := range nodes {
		id := serverOf(node)
		host := s.cloud.host(t, id)
		if other := on[host]; other != "" {
			t.Errorf("%s and %s are both on %s", other, node.Name, host)
		}
		on[host] = node.Name
		if !slices.Contains(members, id) {
			t.Errorf("the server %s is not in the pool's group: %v", id, members)
		}
	}
}

// serve runs a pod of a baked image on each node and asks it at the node's floating IP, by
// the port of a Service. It returns where, by node.
func (s *scene) serve(t *testing.T, nodes []corev1.Node) map[string]string {
	t.Helper()
	service := s.web(t)
	at := map[string]string{}
	for _, node := range nodes {
		_, floating := addresses(t, s.cloud.server(t, serverOf(node)))
		if len(floating) != 1 {
			t.Fatalf("the node %s has the floating IPs %v, want one", node.Name, floating)
		}
		at[node.Name] = fmt.Sprintf("http://%s:%d/health", floating[0], service.Spec.Ports[0].NodePort)
		answers(t, at[node.Name], 2*time.Minute)
	}
	return at
}

// forbidden checks that a port on which the kubelet listens is closed to the outside by the
// security group, and by nothing else.
func (s *scene) forbidden(t *testing.T, node corev1.Node) {
	t.Helper()
	server := s.cloud.server(t, serverOf(node))
	_, floating := addresses(t, server)
	address := fmt.Sprintf("%s:%d", floating[0], node.Status.DaemonEndpoints.KubeletEndpoint.Port)
	var refused net.Error
	if err := dial(t.Context(), address); !errors.As(err, &refused) || !refused.Timeout() {
		t.Errorf("the kubelet's port at the floating IP: %v, want no answer", err)
	}
	group := s.cloud.groupOf(t, s.cloud.ports(t, server.ID)[0])
	opened, err := rules.Create(t.Context(), s.cloud.network, rules.CreateOpts{
		SecGroupID: group.ID, Direction: rules.DirIngress, EtherType: rules.EtherType4, Protocol: rules.ProtocolTCP,
		PortRangeMin: int(node.Status.DaemonEndpoints.KubeletEndpoint.Port), PortRangeMax: int(node.Status.DaemonEndpoints.KubeletEndpoint.Port),
	}).Extract()
	check(t, err)
	check(t, harness.AwaitEvery(t.Context(), time.Second, time.Minute, func(ctx context.Context) error { return dial(ctx, address) }))
	check(t, rules.Delete(t.Context(), s.cloud.network, opened.ID).ExtractErr())
	check(t, harness.AwaitEvery(t.Context(), time.Second, time.Minute, func(ctx context.Context) error {
		if dial(ctx, address) == nil {
			return errors.New("a port whose rule was deleted is open")
		}
		return nil
	}))
}

// reboot is a power failure of a node: it comes back as the node that it was, with its pods.
func (s *scene) reboot(t *testing.T, node corev1.Node, at string) {
	t.Helper()
	restarts := func(ctx context.Context) (int32, error) {
		pods, err := s.tenant.CoreV1().Pods("default").List(ctx, metav1.ListOptions{FieldSelector: "spec.nodeName=" + node.Name})
		if err != nil || len(pods.Items) != 1 || len(pods.Items[0].Status.ContainerStatuses) != 1 {
			return 0, fmt.Errorf("there are %d pods on the node, want one with a container (%w)", len(pods.Items), err)
		}
		return pods.Items[0].Status.ContainerStatuses[0].RestartCount, nil
	}
	before, err := restarts(t.Context())
	check(t, err)
	check(t, servers.Reboot(t.Context(), s.cloud.compute, serverOf(node), servers.RebootOpts{Type: servers.HardReboot}).ExtractErr())
	began := time.Now()
	check(t, harness.AwaitEvery(t.Context(), time.Second, 5*time.Minute, func(ctx context.Context) error {
		now, err := restarts(ctx)
		if err == nil && now == before {
			err = fmt.Errorf("the container has not been started again, after %d times", now)
		}
		return err
	}))
	answers(t, at, time.Minute)
	t.Logf("the node %s serves again %.0f s after a hard reboot", node.Name, time.Since(began).Seconds())
	now, err := s.tenant.CoreV1().Nodes().Get(t.Context(), node.Name, metav1.GetOptions{})
	check(t, err)
	if now.UID != node.UID {
		t.Errorf("the node %s was registered anew", node.Name)
	}
}

// virtual checks that a node is a machine with a kernel of its own that has booted from a
// volume, which goes with it.
func (s *scene) virtual(t *testing.T, node corev1.Node) {
	t.Helper()
	disks := s.cloud.server(t, serverOf(node)).AttachedVolumes
	if len(disks) != 1 {
		t.Errorf("the virtual machine has the volumes %+v, want that from which it boots", disks)
	}
	info := node.Status.NodeInfo
	t.Logf("the virtual machine %s: %s, %s, %s, %s", node.Name, info.OSImage, info.KernelVersion, info.ContainerRuntimeVersion, info.KubeletVersion)
	containers, err := s.tenant.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{LabelSelector: v1alpha1.LabelPool + "=web"})
	check(t, err)
	for _, container := range containers.Items {
		if container.Status.NodeInfo.KernelVersion == info.KernelVersion || container.Status.NodeInfo.BootID == info.BootID {
			t.Errorf("the virtual machine has the kernel %s of the container %s", info.KernelVersion, container.Name)
		}
	}
	if !strings.Contains(info.KernelVersion, "cloud") {
		t.Errorf("the kernel is %s, want that of the node image", info.KernelVersion)
	}
	check(t, harness.AwaitEvery(t.Context(), time.Second, 5*time.Minute, func(ctx context.Context) error {
		pods, err := s.tenant.CoreV1().Pods("default").List(ctx, metav1.ListOptions{FieldSelector: "spec.nodeName=" + node.Name})
		if err != nil || len(pods.Items) != 1 || pods.Items[0].Status.Phase != corev1.PodRunning {
			return fmt.Errorf("no pod runs on the virtual machine: %v (%w)", pods.Items, err)
		}
		return nil
	}))
}
