package network

import (
	"context"
	"slices"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/layer3/routers"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/subnets"

	"github.com/marina-dev/marina/dataplane/project"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// ensureNetwork makes what is missing of the network, or looks at the existing one.
func (r *Reconciler) ensureNetwork(ctx context.Context, s *scope) error {
	if s.network.Spec.Existing != nil {
		return s.lookAtExisting(ctx)
	}
	if s.infra.Status.ExternalNetworkID == "" {
		return reconcile.WaitFor(project.ProblemInterval, "InfrastructureNotReady",
			"the external network of Infrastructure %s is not known yet: 'marina infrastructure list -o wide' says why", s.infra.Name)
	}
	for _, step := range []func(context.Context) error{s.ensureL2, s.ensureSubnet, s.ensureRouter, s.ensureInterface} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *scope) ensureL2(ctx context.Context) error {
	status := &s.network.Status
	n, err := s.cloud.networks().Ensure(ctx, status.NetworkID)
	if err != nil {
		return s.refused(ctx, err, "network")
	}
	status.NetworkID, status.MTU = n.ID, int32(n.MTU)
	return nil
}

func (s *scope) ensureSubnet(ctx context.Context) error {
	status, servers := &s.network.Status, s.infra.Spec.DNSNameservers
	subnet, err := s.cloud.subnets(status.NetworkID, subnets.CreateOpts{
		CIDR: s.network.Spec.NodeCIDR, IPVersion: gophercloud.IPv4, DNSNameservers: servers,
	}).Ensure(ctx, status.SubnetID)
	if err != nil {
		return s.refused(ctx, err, "subnet")
	}
	if len(servers) > 0 && !slices.Equal(servers, subnet.DNSNameservers) {
		if subnet, err = of(subnets.Update(ctx, s.cloud.ServiceClient, subnet.ID, subnets.UpdateOpts{DNSNameservers: &servers}).Extract()); err != nil {
			return s.refused(ctx, err, "subnet")
		}
	}
	s.uses(subnet)
	return nil
}

func (s *scope) uses(subnet *subnets.Subnet) {
	status := &s.network.Status
	status.SubnetID, status.CIDR, status.DNSNameservers = subnet.ID, subnet.CIDR, subnet.DNSNameservers
	if len(status.DNSNameservers) == 0 {
		status.DNSNameservers = nil
	}
}

// ensureRouter leaves a router where it leads: with another gateway nodes would lose their
// floating IPs. One that leads nowhere is put right.
func (s *scope) ensureRouter(ctx context.Context) error {
	status, external := &s.network.Status, s.infra.Status.ExternalNetworkID
	router, err := s.cloud.routers(external).Ensure(ctx, status.RouterID)
	if err != nil {
		return s.refused(ctx, err, "router")
	}
	if router.GatewayInfo.NetworkID == "" {
		gateway := routers.UpdateOpts{GatewayInfo: &routers.GatewayInfo{NetworkID: external}}
		if router, err = of(routers.Update(ctx, s.cloud.ServiceClient, router.ID, gateway).Extract()); err != nil {
			return s.refused(ctx, err, "router")
		}
	}
	status.RouterID, status.ExternalNetworkID = router.ID, router.GatewayInfo.NetworkID
	return nil
}

func (s *scope) ensureInterface(ctx context.Context) error {
	status := &s.network.Status
	found, err := s.cloud.ports(ctx, ports.ListOpts{NetworkID: status.NetworkID, DeviceID: status.RouterID})
	if err != nil {
		return s.refused(ctx, err, "interface of the router")
	}
	if slices.ContainsFunc(found, func(p ports.Port) bool { return inSubnet(p, status.SubnetID) }) {
		return nil
	}
	_, err = of(routers.AddInterface(ctx, s.cloud.ServiceClient, status.RouterID, routers.AddInterfaceOpts{SubnetID: status.SubnetID}).Extract())
	if err != nil {
		return s.refused(ctx, err, "interface of the router")
	}
	return nil
}

func inSubnet(p ports.Port, subnet string) bool {
	return slices.ContainsFunc(p.FixedIPs, func(ip ports.IP) bool { return ip.SubnetID == subnet })
}
