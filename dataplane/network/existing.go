package network

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// again is how to get another network: that of a Cluster cannot be changed.
const again = "create the cluster again with"

// lookAtExisting finds out whether nodes can live in a network that is there already. It
// changes nothing of it.
func (s *scope) lookAtExisting(ctx context.Context) error {
	want, status := s.network.Spec.Existing, &s.network.Status
	n, err := s.cloud.getNetwork(ctx, want.NetworkID)
	if openstack.IsKind(err, openstack.NotFound) {
		return reconcile.UserError("NetworkNotFound", "there is no network %s that the credentials may see: have it shared with their project, or %s one of 'openstack network list'", want.NetworkID, again)
	} else if err != nil {
		return s.project.Outcome(err, "looking at the network")
	}
	subnet, err := s.cloud.getSubnet(ctx, want.SubnetID)
	if openstack.IsKind(err, openstack.NotFound) {
		return reconcile.UserError("SubnetNotFound", "there is no subnet %s that the credentials may see: %s one of 'openstack subnet list --network %s'", want.SubnetID, again, n.ID)
	} else if err != nil {
		return s.project.Outcome(err, "looking at the subnet")
	}
	switch {
	case subnet.NetworkID != n.ID:
		return reconcile.UserError("SubnetNotInNetwork", "the subnet %s is not in the network %s: %s one of 'openstack subnet list --network %s'", subnet.ID, n.ID, again, n.ID)
	case subnet.IPVersion != 4:
		return reconcile.UserError("SubnetNotIPv4", "the subnet %s is not of IPv4: %s one that is", subnet.ID, again)
	}
	for what, other := range map[string]string{"pods": s.network.Spec.PodCIDR, "services": s.network.Spec.ServiceCIDR} {
		if overlap(subnet.CIDR, other) {
			return reconcile.UserError("SubnetOverlaps", "the subnet %s has the range %s, which overlaps that of %s (%s): %s ranges that share no address", subnet.ID, subnet.CIDR, what, other, again)
		}
	}
	status.NetworkID, status.MTU = n.ID, int32(n.MTU)
	s.uses(subnet)
	return s.findRouter(ctx, n)
}

func overlap(a, b string) bool {
	x, errX := netip.ParsePrefix(a)
	y, errY := netip.ParsePrefix(b)
	return errX == nil && errY == nil && x.Overlaps(y)
}

// findRouter finds the router of the subnet. Whoever shares a network may not show it.
func (s *scope) findRouter(ctx context.Context, n *network) error {
	status := &s.network.Status
	found, err := s.cloud.ports(ctx, ports.ListOpts{NetworkID: n.ID, FixedIPs: []ports.FixedIPOpts{{SubnetID: status.SubnetID}}})
	if err != nil {
		return s.project.Outcome(err, "looking for the router of the subnet")
	}
	status.RouterID, status.ExternalNetworkID = "", ""
	at := slices.IndexFunc(found, func(p ports.Port) bool { return isInterface(p.DeviceOwner) })
	switch {
	case at < 0 && n.ProjectID != s.cloud.project:
		return nil
	case at < 0:
		return reconcile.UserError("RouterNotFound", "the subnet %s has no router, so that nodes would reach nothing: 'openstack router add subnet ROUTER %s'", status.SubnetID, status.SubnetID)
	}
	router, err := s.cloud.getRouter(ctx, found[at].DeviceID)
	if openstack.IsKind(err, openstack.NotFound) || openstack.IsKind(err, openstack.Forbidden) {
		return nil
	} else if err != nil {
		return s.project.Outcome(err, "looking at the router of the subnet")
	}
	status.RouterID, status.ExternalNetworkID = router.ID, router.GatewayInfo.NetworkID
	return nil
}

// isInterface reports whether a port is one of a router inside, of whatever sort that is.
func isInterface(owner string) bool {
	return strings.HasPrefix(owner, "network:router_interface") || owner == "network:ha_router_replicated_interface"
}
