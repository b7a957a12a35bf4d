package neutron

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/e2e/openstacksim/state"
)

// Network is a network.
type Network struct {
	common
	AdminStateUp bool     `json:"admin_state_up"`
	Shared       bool     `json:"shared"`
	External     bool     `json:"router:external"`
	MTU          int      `json:"mtu"`
	PortSecurity bool     `json:"port_security_enabled"`
	ZoneHints    []string `json:"availability_zone_hints"`
}

func (n *Neutron) networkKind() *kind[Network, *Network] {
	attributes := []string{"name", "description", "admin_state_up", "shared", "router:external", "mtu", "port_security_enabled"}
	// Only admins may share networks or make them external.
	policy := func(r *front.Request, made *Network, g given) error {
		_, external := g["router:external"]
		switch {
		case r.Caller.Admin:
		case made.Shared:
			return notAllowed("create_network", "shared")
		case external && made.External:
			return notAllowed("create_network", "router:external")
		}
		return nil
	}
	return &kind[Network, *Network]{
		n: n, name: "network", plural: "networks", notFound: "NetworkNotFound", says: "Network %s could not be found.", table: n.networks,
		create: append(attributes, "availability_zone_hints"), update: attributes,
		fresh: func() *Network {
			return &Network{AdminStateUp: true, MTU: 1450, PortSecurity: true, ZoneHints: []string{}}
		},
		prepare: policy,
		change:  func(r *front.Request, _, changed *Network, g given) error { return policy(r, changed, g) },
		remove:  n.removeNetwork,
		shared:  func(net *Network) bool { return net.Shared || net.External },
		view: func(net *Network, v map[string]any) {
			subnets := []any{}
			for _, s := range n.subnetsOf(net.ID) {
				subnets = append(subnets, s.ID)
			}
			v["status"], v["subnets"], v["availability_zones"] = "ACTIVE", subnets, toAny(n.Zones)
			v["ipv4_address_scope"], v["ipv6_address_scope"], v["is_default"] = nil, nil, false
		},
	}
}

func toAny(list []string) []any {
	out := []any{}
	for _, s := range list {
		out = append(out, s)
	}
	return out
}

func (n *Neutron) subnetsOf(network string) []*Subnet {
	return n.subnets.All(func(s *Subnet) bool { return s.NetworkID == network })
}

func (n *Neutron) removeNetwork(net *Network) error {
	var left []string
	all := n.ports.All(func(p *Port) bool { return p.NetworkID == net.ID })
	for _, p := range all {
		if p.DeviceOwner != ownerDHCP {
			left = append(left, p.ID)
		}
	}
	if len(left) > 0 {
		return refuse(http.StatusConflict, "NetworkInUse", "Unable to complete operation on network %s. There are one or more ports still in use on the network, id for these ports is: %s.", net.ID, strings.Join(left, ","))
	}
	for _, p := range all {
		n.DeletePort(p) // those of DHCP go with it
	}
	for _, s := range n.subnetsOf(net.ID) {
		n.subnets.Delete(s.ID)
	}
	return nil
}

// HasNetwork reports whether there is a network of a name.
func (n *Neutron) HasNetwork(name string) bool {
	return len(n.networks.All(func(n *Network) bool { return n.Name == name })) > 0
}

// AddNetwork adds a network with one subnet, for the test. It has no gateway port.
func (n *Neutron) AddNetwork(project, name string, external bool, cidr netip.Prefix) (*Network, *Subnet) {
	net := n.networkKind().fresh()
	net.Base, net.External, net.MTU = state.Base{Name: name, Project: project}, external, 1500
	n.networkKind().insert(net)
	s := n.subnetKind().fresh()
	s.Base, s.NetworkID, s.CIDR, s.EnableDHCP = state.Base{Name: name, Project: project}, net.ID, cidr.Masked().String(), !external
	gateway := cidr.Masked().Addr().Next().String()
	s.GatewayIP = &gateway
	s.complete()
	return net, n.subnetKind().insert(s)
}

// Subnet is a subnet.
type Subnet struct {
	common
	NetworkID       string   `json:"network_id"`
	CIDR            string   `json:"cidr"`
	IPVersion       int      `json:"ip_version"`
	GatewayIP       *string  `json:"gateway_ip"`
	EnableDHCP      bool     `json:"enable_dhcp"`
	AllocationPools []Pool   `json:"allocation_pools"`
	DNSNameservers  []string `json:"dns_nameservers"`
	HostRoutes      []any    `json:"host_routes"`
	IPv6AddressMode *string  `json:"ipv6_address_mode"`
	IPv6RAMode      *string  `json:"ipv6_ra_mode"`
}

// Pool is a range of addresses, both ends included.
type Pool struct {
	Start string `json:"start"`
	End   string `json:"end"`
}

func (n *Neutron) subnetKind() *kind[Subnet, *Subnet] {
	update := []string{"name", "description", "gateway_ip", "enable_dhcp", "allocation_pools", "dns_nameservers", "host_routes"}
	return &kind[Subnet, *Subnet]{
		n: n, name: "subnet", plural: "subnets", notFound: "SubnetNotFound", says: "Subnet %s could not be found.", table: n.subnets,
		required: []string{"network_id"},
		create:   append([]string{"network_id", "cidr", "ip_version", "ipv6_address_mode", "ipv6_ra_mode"}, update...), update: update,
		fresh: func() *Subnet {
			return &Subnet{IPVersion: 4, EnableDHCP: true, DNSNameservers: []string{}, HostRoutes: []any{}, AllocationPools: []Pool{}}
		},
		prepare: n.prepareSubnet,
		change: func(_ *front.Request, old, changed *Subnet, g given) error {
			if _, ok := g["gateway_ip"]; ok && old.GatewayIP != nil && n.holds(old, *old.GatewayIP) {
				return refuse(http.StatusConflict, "GatewayIpInUse", "Current gateway ip %s already in use by port. Unable to update.", *old.GatewayIP)
			}
			return nil
		},
		remove: n.removeSubnet,
		shared: func(s *Subnet) bool { net, ok := n.networks.Get(s.NetworkID); return ok && net.Shared },
		view: func(_ *Subnet, v map[string]any) {
			v["subnetpool_id"], v["service_types"] = nil, []any{}
		},
	}
}

func (n *Neutron) prepareSubnet(r *front.Request, s *Subnet, g given) error {
	if err := checkSubnet(s); err != nil {
		return err
	}
	net, ok := n.networks.Get(s.NetworkID)
	if !ok || (net.Project != r.Project() && !net.Shared && !net.External && !r.Caller.Admin) {
		return refuse(http.StatusNotFound, "NetworkNotFound", "Network %s could not be found.", s.NetworkID)
	}
	if net.Project != r.Project() && !r.Caller.Admin {
		return refuse(http.StatusForbidden, "HTTPForbidden", "Tenant %s not allowed to create subnet on this network", r.Project())
	}
	if s.CIDR == "" {
		return bad("subnets", "a subnetpool must be specified in the absence of a cidr")
	}
	prefix, err := netip.ParsePrefix(s.CIDR)
	if err != nil {
		return invalid("%s is not in a CIDR format", s.CIDR)
	}
	if prefix.Addr().Is4() != (s.IPVersion == 4) {
		return invalid("cidr '%s' does not match the ip_version '%d'", s.CIDR, s.IPVersion)
	}
	s.CIDR = prefix.Masked().String()
	for _, other := range n.subnetsOf(s.NetworkID) {
		if netip.MustParsePrefix(other.CIDR).Overlaps(prefix) {
			return invalid("Requested subnet with cidr: %s for network: %s overlaps with another subnet", s.CIDR, s.NetworkID)
		}
	}
	if _, said := g["gateway_ip"]; !said {
		gateway := prefix.Masked().Addr().Next().String()
		s.GatewayIP = &gateway
	} else if s.GatewayIP != nil && (*s.GatewayIP == prefix.Masked().Addr().String() || *s.GatewayIP == lastOf(prefix).String()) && prefix.Bits() < 31 {
		return invalid("Gateway is not valid on subnet")
	}
	for _, pool := range s.AllocationPools {
		start, err1 := netip.ParseAddr(pool.Start)
		end, err2 := netip.ParseAddr(pool.End)
		if err1 == nil && err2 == nil && (!prefix.Contains(start) || !prefix.Contains(end)) {
			return refuse(http.StatusBadRequest, "OutOfBoundsAllocationPool", "The allocation pool %s-%s spans beyond the subnet cidr %s.", pool.Start, pool.End, s.CIDR)
		}
		if err1 != nil || err2 != nil || end.Less(start) {
			return refuse(http.StatusBadRequest, "InvalidAllocationPool", "The allocation pool %s-%s is not valid.", pool.Start, pool.End)
		}
	}
	s.complete()
	return nil
}

// checkSubnet checks the addresses that are said of a subnet.
func checkSubnet(s *Subnet) error {
	if s.GatewayIP != nil {
		if _, err := netip.ParseAddr(*s.GatewayIP); err != nil {
			return badRequest("Invalid input for gateway_ip. Reason: '%s' is not a valid IP address.", *s.GatewayIP)
		}
	}
	for _, server := range s.DNSNameservers {
		if _, err := netip.ParseAddr(server); err != nil {
			return badRequest("Invalid input for dns_nameservers. Reason: '%s' is not a valid nameserver. '%s' is not a valid IP address.", server, server)
		}
	}
	return nil
}

func (n *Neutron) removeSubnet(s *Subnet) error {
	in := func(p *Port) bool {
		return slices.ContainsFunc(p.FixedIPs, func(ip FixedIP) bool { return ip.SubnetID == s.ID })
	}
	if len(n.ports.All(in, func(p *Port) bool { return p.DeviceOwner != ownerDHCP })) > 0 {
		return refuse(http.StatusConflict, "SubnetInUse", "Unable to complete operation on subnet %s: One or more ports have an IP allocation from this subnet.", s.ID)
	}
	return nil
}

// NetworkName is the name of a network.
func (n *Neutron) NetworkName(id string) string {
	if net, ok := n.networks.Get(id); ok {
		return net.Name
	}
	return ""
}

// NetworkFor is a network that a project sees.
func (n *Neutron) NetworkFor(id, project string) (*Network, bool) {
	net, ok := n.networks.Get(id)
	return net, ok && (net.Project == project || net.Shared || net.External)
}

// HasSubnet reports whether a network has a subnet.
func (n *Neutron) HasSubnet(network string) bool { return len(n.subnetsOf(network)) > 0 }

// NetworksOf are the networks of a project.
func (n *Neutron) NetworksOf(project string) []*Network { return n.networks.Of(project) }

// NetworkOf is the network of a subnet.
func (n *Neutron) NetworkOf(subnet string) (string, bool) {
	s, ok := n.subnets.Get(subnet)
	if !ok {
		return "", false
	}
	return s.NetworkID, true
}

// IsExternal reports whether a network is external, and not shared: no server may be in it.
func (n *Neutron) IsExternal(id string) bool {
	net, ok := n.networks.Get(id)
	return ok && net.External && !net.Shared
}
