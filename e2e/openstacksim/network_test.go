package openstacksim_test

import (
	"testing"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/layer3/floatingips"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/layer3/routers"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/security/groups"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/security/rules"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/networks"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/subnets"

	"github.com/marina-dev/marina/e2e/openstacksim"
)

// wired is a network with a router to outside and a port.
type wired struct {
	*cloud
	network, subnet string
	router          *routers.Router
	port            *ports.Port
	group           *groups.SecGroup
}

func wire(t *testing.T) wired {
	t.Helper()
	c := start(t, openstacksim.Options{})
	w := wired{cloud: c}
	w.network, w.subnet = c.lan(t, "nodes", "10.0.0.0/24")
	var err error
	w.router, err = routers.Create(t.Context(), c.network, routers.CreateOpts{Name: "r", GatewayInfo: &routers.GatewayInfo{NetworkID: c.external}}).Extract()
	check(t, err)
	_, err = routers.AddInterface(t.Context(), c.network, w.router.ID, routers.AddInterfaceOpts{SubnetID: w.subnet}).Extract()
	check(t, err)
	w.group, err = groups.Create(t.Context(), c.network, groups.CreateOpts{Name: "nodes", Description: "owner=1"}).Extract()
	check(t, err)
	w.port, err = ports.Create(t.Context(), c.network, ports.CreateOpts{NetworkID: w.network, Name: "p", Description: "owner=1", SecurityGroups: &[]string{w.group.ID}}).Extract()
	check(t, err)
	return w
}

func neutronError(kind, message string) string {
	return `{"NeutronError":{"detail":"","message":"` + message + `","type":"` + kind + `"}}`
}

func TestNetworksAreWired(t *testing.T) {
	w := wire(t)
	ctx, client := t.Context(), w.clients.network
	if w.port.FixedIPs[0].IPAddress != "10.0.0.2" || w.port.Status != "DOWN" || w.router.GatewayInfo.ExternalFixedIPs[0].IPAddress != "203.0.113.2" {
		t.Errorf("the port is %+v, the gateway %+v", w.port, w.router.GatewayInfo)
	}
	fip, err := floatingips.Create(ctx, client, floatingips.CreateOpts{FloatingNetworkID: w.external, PortID: w.port.ID, Description: "owner=1"}).Extract()
	check(t, err)
	if fip.FloatingIP != "203.0.113.3" || fip.FixedIP != "10.0.0.2" || fip.RouterID != w.router.ID || fip.Status != "ACTIVE" {
		t.Errorf("the floating IP is %+v", fip)
	}
	pages, err := ports.List(client, ports.ListOpts{FixedIPs: []ports.FixedIPOpts{{IPAddress: "10.0.0.2"}}, Description: "owner=1"}).AllPages(ctx)
	check(t, err)
	if found, _ := ports.ExtractPorts(pages); len(found) != 1 || found[0].ID != w.port.ID {
		t.Errorf("found %v by address and description", found)
	}
	check(t, ports.Delete(ctx, client, w.port.ID).ExtractErr())
	fip, err = floatingips.Get(ctx, client, fip.ID).Extract()
	check(t, err)
	if fip.PortID != "" || fip.Status != "DOWN" {
		t.Errorf("without its port the floating IP is %+v", fip)
	}
	_, err = routers.RemoveInterface(ctx, client, w.router.ID, routers.RemoveInterfaceOpts{SubnetID: w.subnet}).Extract()
	check(t, err)
	for _, err := range []error{
		floatingips.Delete(ctx, client, fip.ID).ExtractErr(), routers.Delete(ctx, client, w.router.ID).ExtractErr(),
		subnets.Delete(ctx, client, w.subnet).ExtractErr(), networks.Delete(ctx, client, w.network).ExtractErr(), groups.Delete(ctx, client, w.group.ID).ExtractErr(),
	} {
		check(t, err)
	}
	if left := w.Leaks(w.project.ID); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestNeutronRefuses(t *testing.T) {
	w := wire(t)
	ctx, client := t.Context(), w.clients.network
	fip, err := floatingips.Create(ctx, client, floatingips.CreateOpts{FloatingNetworkID: w.external, PortID: w.port.ID}).Extract()
	check(t, err)
	lonely, subnet := w.lan(t, "lonely", "10.9.0.0/30")
	far, err := ports.Create(ctx, client, ports.CreateOpts{NetworkID: lonely}).Extract()
	check(t, err)
	pages, err := ports.List(client, ports.ListOpts{DeviceID: w.router.ID, DeviceOwner: "network:router_interface"}).AllPages(ctx)
	check(t, err)
	inside, err := ports.ExtractPorts(pages)
	check(t, err)
	pages, err = groups.List(client, groups.ListOpts{Name: "default"}).AllPages(ctx)
	check(t, err)
	standard, err := groups.ExtractGroups(pages)
	check(t, err)
	ingress := rules.CreateOpts{SecGroupID: w.group.ID, Direction: rules.DirIngress, EtherType: rules.EtherType4, Protocol: rules.ProtocolTCP, PortRangeMin: 22, PortRangeMax: 22}
	first, err := rules.Create(ctx, client, ingress).Extract()
	check(t, err)

	create := func(p ports.CreateOpts) error { _, err := ports.Create(ctx, client, p).Extract(); return err }
	for name, test := range map[string]struct {
		err           error
		status        int
		kind, message string
	}{
		"network that is not there": {func() error { _, err := networks.Get(ctx, client, "x").Extract(); return err }(), 404, "NetworkNotFound", "Network x could not be found."},
		"group that is not there":   {groups.Delete(ctx, client, "x").ExtractErr(), 404, "SecurityGroupNotFound", "Security group x does not exist"},
		"network with ports": {networks.Delete(ctx, client, w.network).ExtractErr(), 409, "NetworkInUse",
			"Unable to complete operation on network " + w.network + ". There are one or more ports still in use on the network, id for these ports is: " + inside[0].ID + "," + w.port.ID + "."},
		"subnet with ports": {subnets.Delete(ctx, client, w.subnet).ExtractErr(), 409, "SubnetInUse",
			"Unable to complete operation on subnet " + w.subnet + ": One or more ports have an IP allocation from this subnet."},
		"router with interfaces": {routers.Delete(ctx, client, w.router.ID).ExtractErr(), 409, "RouterInUse", "Router " + w.router.ID + " has ports still attached: " + inside[0].ID},
		"interface that a floating IP needs": {func() error {
			_, err := routers.RemoveInterface(ctx, client, w.router.ID, routers.RemoveInterfaceOpts{SubnetID: w.subnet}).Extract()
			return err
		}(), 409, "RouterInterfaceInUseByFloatingIP", "Router interface for subnet " + w.subnet + " on router " + w.router.ID + " cannot be deleted, as it is required by one or more floating IPs."},
		"interface that is not there": {func() error {
			_, err := routers.RemoveInterface(ctx, client, w.router.ID, routers.RemoveInterfaceOpts{SubnetID: subnet}).Extract()
			return err
		}(), 404, "RouterInterfaceNotFoundForSubnet", "Router " + w.router.ID + " has no interface on subnet " + subnet},
		"interface twice": {func() error {
			_, err := routers.AddInterface(ctx, client, w.router.ID, routers.AddInterfaceOpts{SubnetID: w.subnet}).Extract()
			return err
		}(), 400, "BadRequest", "Bad router request: Router already has a port on subnet " + w.subnet + "."},
		"gateway that a floating IP needs": {func() error {
			_, err := routers.Update(ctx, client, w.router.ID, routers.UpdateOpts{GatewayInfo: &routers.GatewayInfo{}}).Extract()
			return err
		}(), 409, "RouterExternalGatewayInUseByFloatingIp", "Gateway cannot be updated for router " + w.router.ID + ", since a gateway to external network " + w.external + " is required by one or more floating IPs."},
		"port of a router": {ports.Delete(ctx, client, inside[0].ID).ExtractErr(), 409, "ServicePortInUse",
			"Port " + inside[0].ID + " cannot be deleted directly via the port API: has device owner network:router_interface."},
		"group in use":    {groups.Delete(ctx, client, w.group.ID).ExtractErr(), 409, "SecurityGroupInUse", "Security Group " + w.group.ID + " in use."},
		"default group":   {groups.Delete(ctx, client, standard[0].ID).ExtractErr(), 409, "SecurityGroupCannotRemoveDefault", "Insufficient rights for removing default security group."},
		"rule twice":      {func() error { _, err := rules.Create(ctx, client, ingress).Extract(); return err }(), 409, "SecurityGroupRuleExists", "Security group rule already exists. Rule id is " + first.ID + "."},
		"address in use":  {create(ports.CreateOpts{NetworkID: w.network, FixedIPs: []ports.IP{{SubnetID: w.subnet, IPAddress: "10.0.0.2"}}}), 409, "IpAddressAlreadyAllocated", "IP address 10.0.0.2 already allocated in subnet " + w.subnet},
		"no address left": {create(ports.CreateOpts{NetworkID: lonely}), 409, "IpAddressGenerationFailure", "No more IP addresses available on network " + lonely + "."},
		"unknown group":   {create(ports.CreateOpts{NetworkID: w.network, SecurityGroups: &[]string{"x"}}), 404, "SecurityGroupNotFound", "Security group x does not exist"},
		"overlapping subnet": {func() error {
			_, err := subnets.Create(ctx, client, subnets.CreateOpts{NetworkID: w.network, CIDR: "10.0.0.128/25", IPVersion: 4}).Extract()
			return err
		}(), 400, "InvalidInput", "Invalid input for operation: Requested subnet with cidr: 10.0.0.128/25 for network: " + w.network + " overlaps with another subnet."},
		"second floating IP of a port": {func() error {
			_, err := floatingips.Create(ctx, client, floatingips.CreateOpts{FloatingNetworkID: w.external, PortID: w.port.ID}).Extract()
			return err
		}(),
			409, "FloatingIPPortAlreadyAssociated", ""},
		"floating IP without a router": {func() error {
			_, err := floatingips.Update(ctx, client, fip.ID, floatingips.UpdateOpts{PortID: &far.ID}).Extract()
			return err
		}(), 404, "ExternalGatewayForFloatingIPNotFound",
			"External network " + w.external + " is not reachable from subnet " + subnet + ".  Therefore, cannot associate Port " + far.ID + " with a Floating IP."},
		"floating IP of an inner network": {func() error {
			_, err := floatingips.Create(ctx, client, floatingips.CreateOpts{FloatingNetworkID: lonely}).Extract()
			return err
		}(), 400, "BadRequest", "Bad floatingip request: Network " + lonely + " is not a valid external network."},
		"filter that Neutron does not know": {func() error {
			_, err := client.Get(ctx, client.ServiceURL("ports")+"?colour=red", nil, nil)
			return err
		}(), 400, "HTTPBadRequest", "['colour'] is invalid attribute for filtering"},
		"attribute that is fixed": {func() error {
			_, err := client.Put(ctx, client.ServiceURL("subnets", w.subnet), map[string]any{"subnet": map[string]any{"cidr": "10.0.0.0/8"}}, nil, nil)
			return err
		}(), 400, "HTTPBadRequest", "Cannot update read-only attribute cidr"},
		"external network as a user": {networks.Delete(ctx, client, w.external).ExtractErr(), 403, "PolicyNotAuthorized", "rule:delete_network is disallowed by policy"},
	} {
		t.Run(name, func(t *testing.T) {
			if test.message == "" { // has the new floating IP's id in it
				if !gophercloud.ResponseCodeIs(test.err, test.status) {
					t.Errorf("got %v, want %d", test.err, test.status)
				}
				return
			}
			refused(t, test.err, test.status, neutronError(test.kind, test.message))
		})
	}
	unchanged, err := subnets.Get(ctx, client, w.subnet).Extract()
	check(t, err)
	if unchanged.CIDR != "10.0.0.0/24" {
		t.Errorf("a refused change made the subnet %s", unchanged.CIDR)
	}
}
