//go:build openstack

package servers

import (
	"context"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// tell shows, of a test that has failed, what each side says of the nodes.
func (s *scene) tell(t *testing.T) {
	if !t.Failed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	pools, machines := &v1alpha1.NodePoolList{}, &v1alpha1.MachineList{}
	if err := s.Client.List(ctx, pools); err != nil {
		t.Log(err)
	}
	if err := s.Client.List(ctx, machines); err != nil {
		t.Log(err)
	}
	for _, pool := range pools.Items {
		t.Logf("pool %s is %s: %s", pool.Name, pool.Status.Phase, pool.Status.Message)
	}
	for _, machine := range machines.Items {
		t.Logf("machine %s: %+v", machine.Name, machine.Status.Conditions)
		id := machine.Status.ServerID
		if id == "" {
			continue
		}
		console, err := servers.ShowConsoleOutput(ctx, s.cloud.compute, id, servers.ShowConsoleOutputOpts{Length: 200}).Extract()
		t.Logf("the console of %s (%v):\n%s", machine.Name, err, console)
	}
	config, err := s.Tenant(ctx, s.cluster.Name)
	if err != nil {
		t.Log(err)
		return
	}
	tenant := kubernetes.NewForConfigOrDie(config)
	nodes, err := tenant.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		t.Log(err)
		return
	}
	for _, node := range nodes.Items {
		t.Logf("node %s of %s: %+v", node.Name, node.Spec.ProviderID, node.Status.Conditions)
	}
	pods, err := tenant.CoreV1().Pods("").List(ctx, metav1.ListOptions{})
	if err != nil {
		t.Log(err)
		return
	}
	for _, pod := range pods.Items {
		t.Logf("pod %s/%s on %q is %s: %+v", pod.Namespace, pod.Name, pod.Spec.NodeName, pod.Status.Phase, pod.Status.ContainerStatuses)
	}
}
