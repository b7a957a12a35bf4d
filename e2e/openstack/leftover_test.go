package openstack

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/volumeattach"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/listeners"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/loadbalancers"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// A load balancer that nobody has deleted holds the network, which names it and goes when it is
// gone.
func TestLoadBalancerHoldsTheNetwork(t *testing.T) {
	s := newWorld(t).stepped()
	s.until("the network", s.says(v1alpha1.ConditionReady, "AsExpected"))
	octavia := s.service(t, openstack.LoadBalancer)
	lb, err := loadbalancers.Create(t.Context(), octavia, loadbalancers.CreateOpts{Name: "kube_service_shop_default_web", VipSubnetID: s.network.Status.SubnetID}).Extract()
	check(t, err)
	remove := func(ctx context.Context) error {
		return loadbalancers.Delete(ctx, octavia, lb.ID, loadbalancers.DeleteOpts{Cascade: true}).ExtractErr()
	}
	goes(t, remove)
	active := func() {
		t.Helper()
		check(t, harness.AwaitEvery(t.Context(), s.pace, s.limit, func(ctx context.Context) error {
			now, err := loadbalancers.Get(ctx, octavia, lb.ID).Extract()
			if err == nil && now.ProvisioningStatus != "ACTIVE" {
				err = fmt.Errorf("the load balancer is %s", now.ProvisioningStatus)
			}
			return err
		}))
	}
	active()
	_, err = listeners.Create(t.Context(), octavia, listeners.CreateOpts{LoadbalancerID: lb.ID, Protocol: listeners.ProtocolTCP, ProtocolPort: 80}).Extract()
	check(t, err)
	active()

	s.wire.reset()
	s.dismiss(s.cluster)
	s.dismiss(s.network)
	s.until("it says what holds it", s.says(v1alpha1.ConditionDeleting, "PortsInUse"))
	c := meta.FindStatusCondition(s.network.Status.Conditions, v1alpha1.ConditionDeleting)
	if !strings.Contains(c.Message, lb.VipPortID) || !strings.Contains(c.Message, lb.VipAddress) || !strings.Contains(c.Message, "Octavia lb-"+lb.ID) {
		t.Errorf("it says %s; want it to name the port %s, the address %s and the load balancer %s", c.Message, lb.VipPortID, lb.VipAddress, lb.ID)
	}
	if made := s.wire.changes(); len(made) > 0 {
		t.Errorf("what holds the load balancer is taken away meanwhile: %v", made)
	}
	check(t, remove(t.Context()))
	s.forgets(t, lb)
	s.until("the network goes", s.gone(s.network))
}

// forgets waits until a load balancer is gone, with its port. An Octavia whose worker has the
// network driver "noop" leaves the port, which it has not made itself.
func (c *cloud) forgets(t testing.TB, lb *loadbalancers.LoadBalancer) {
	t.Helper()
	check(t, harness.AwaitEvery(t.Context(), c.pace, c.limit, func(ctx context.Context) error {
		_, err := loadbalancers.Get(ctx, c.service(t, openstack.LoadBalancer), lb.ID).Extract()
		if openstack.IsKind(openstack.Classify(openstack.LoadBalancer, err), openstack.NotFound) {
			return nil
		}
		return errors.Join(fmt.Errorf("load balancer %s is still there", lb.ID), err)
	}))
	err := openstack.Classify(openstack.Network, ports.Delete(t.Context(), c.service(t, openstack.Network), lb.VipPortID).ExtractErr())
	if err != nil && !openstack.IsKind(err, openstack.NotFound) {
		t.Fatal(err)
	}
}

// A volume that is attached to a node is detached when the node goes, and stays: it is not the
// node's.
func TestVolumesOutliveNodes(t *testing.T) {
	s := newWorld(t).stepped()
	p := s.pool("web", 1)
	s.until("a node", s.settled(p, 1))
	cinder, nova, server := s.service(t, openstack.Volume), s.service(t, openstack.Compute), s.machines()[0].Status.ServerID
	made, err := volumes.Create(t.Context(), cinder, volumes.CreateOpts{Size: 1, Name: "pvc-1"}, nil).Extract()
	check(t, err)
	goes(t, func(ctx context.Context) error { return volumes.Delete(ctx, cinder, made.ID, nil).ExtractErr() })
	is := func(status string) {
		t.Helper()
		check(t, harness.AwaitEvery(t.Context(), s.pace, s.limit, func(ctx context.Context) error {
			v, err := volumes.Get(ctx, cinder, made.ID).Extract()
			if err == nil && v.Status != status {
				err = fmt.Errorf("the volume is %s, want %s", v.Status, status)
			}
			return err
		}))
	}
	attach := func() {
		t.Helper()
		is("available")
		_, err := volumeattach.Create(t.Context(), nova, server, volumeattach.CreateOpts{VolumeID: made.ID}).Extract()
		check(t, err)
		is("in-use")
	}
	attach()
	check(t, volumeattach.Delete(t.Context(), nova, server, made.ID).ExtractErr())
	attach()
	s.scale(p, 0)
	s.until("no node", s.settled(p, 0))
	is("available")
}
