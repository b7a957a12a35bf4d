package neutron

import (
	"net/http"
	"slices"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/e2e/openstacksim/state"
)

// FloatingIP is a floating IP.
type FloatingIP struct {
	common
	NetworkID string  `json:"floating_network_id"`
	Address   string  `json:"floating_ip_address"`
	PortID    *string `json:"port_id"`
	FixedIP   *string `json:"fixed_ip_address"`
	RouterID  *string `json:"router_id"`
	SubnetID  string  `json:"subnet_id,omitempty"`
	Status    string  `json:"status"`
}

func (n *Neutron) floatingKind() *kind[FloatingIP, *FloatingIP] {
	update := []string{"description", "port_id", "fixed_ip_address"}
	return &kind[FloatingIP, *FloatingIP]{
		n: n, name: "floatingip", plural: "floatingips", notFound: "FloatingIPNotFound", says: "Floating IP %s could not be found", table: n.floating,
		required: []string{"floating_network_id"}, create: append([]string{"floating_network_id", "floating_ip_address", "subnet_id"}, update...), update: update,
		fresh: func() *FloatingIP { return &FloatingIP{Status: "DOWN"} },
		prepare: func(r *front.Request, f *FloatingIP, _ given) error {
			if f.Address != "" && !r.Caller.Admin {
				return notAllowed("create_floatingip", "floating_ip_address")
			}
			net, ok := n.networks.Get(f.NetworkID)
			if !ok {
				return refuse(http.StatusNotFound, "NetworkNotFound", "Network %s could not be found.", f.NetworkID)
			}
			if !net.External {
				return bad("floatingip", "Network %s is not a valid external network", f.NetworkID)
			}
			f.ID = state.NewID()
			if err := n.allocate(f); err != nil || f.PortID == nil {
				return err
			}
			err := n.associate(f)
			if err != nil {
				n.unallocate(f)
			}
			return err
		},
		change: func(_ *front.Request, _, changed *FloatingIP, g given) error {
			if _, said := g["port_id"]; !said {
				return nil
			}
			if changed.PortID == nil || *changed.PortID == "" {
				n.release(changed)
				return nil
			}
			if _, said := g["fixed_ip_address"]; !said {
				changed.FixedIP = nil
			}
			return n.associate(changed)
		},
		remove: func(f *FloatingIP) error {
			n.unallocate(f)
			return nil
		},
		view: func(f *FloatingIP, v map[string]any) {
			delete(v, "name") // it has none
			delete(v, "subnet_id")
			v["port_details"] = nil
		},
	}
}

// allocate gives a floating IP its address, or the one that it asks for.
func (n *Neutron) allocate(f *FloatingIP) error {
	var asked []FixedIP
	if f.Address != "" || f.SubnetID != "" {
		asked = []FixedIP{{SubnetID: f.SubnetID, IPAddress: f.Address}}
	}
	p, err := n.CreatePort(Port{NetworkID: f.NetworkID, FixedIPs: asked, DeviceID: f.ID, DeviceOwner: ownerFloating})
	if err != nil {
		return err
	}
	if len(p.FixedIPs) == 0 {
		n.DeletePort(p)
		return bad("floatingip", "Network %s does not contain any IPv4 subnet", f.NetworkID)
	}
	f.Address = p.FixedIPs[0].IPAddress
	return nil
}

// unallocate gives the address of a floating IP back.
func (n *Neutron) unallocate(f *FloatingIP) {
	for _, p := range n.PortsOf(f.ID) {
		n.DeletePort(p)
	}
}

// associate leads a floating IP to the port that it names.
func (n *Neutron) associate(f *FloatingIP) error {
	p, ok := n.Port(*f.PortID, f.Project)
	if !ok {
		return refuse(http.StatusNotFound, "PortNotFound", "Port %s could not be found.", *f.PortID)
	}
	if len(p.FixedIPs) == 0 {
		return bad("floatingip", "Cannot add floating IP to port %s that has no fixed IPv4 addresses", p.ID)
	}
	if f.FixedIP == nil {
		if len(p.FixedIPs) > 1 {
			return bad("floatingip", "Port %s has multiple fixed IPv4 addresses.  Must provide a specific IPv4 address when assigning a floating IP", p.ID)
		}
		f.FixedIP = &p.FixedIPs[0].IPAddress
	}
	at := slices.IndexFunc(p.FixedIPs, func(ip FixedIP) bool { return ip.IPAddress == *f.FixedIP })
	if at < 0 {
		return bad("floatingip", "Port %s does not have fixed ip %s", p.ID, *f.FixedIP)
	}
	for _, other := range n.floating.All() {
		if other.ID != f.ID && other.PortID != nil && *other.PortID == p.ID && *other.FixedIP == *f.FixedIP {
			return refuse(http.StatusConflict, "FloatingIPPortAlreadyAssociated", "Cannot associate floating IP %s (%s) with port %s using fixed IP %s, as that fixed IP already has a floating IP on external network %s.", f.Address, f.ID, p.ID, *f.FixedIP, f.NetworkID)
		}
	}
	router, ok := n.route(p.FixedIPs[at].SubnetID, f.NetworkID)
	if !ok {
		return refuse(http.StatusNotFound, "ExternalGatewayForFloatingIPNotFound", "External network %s is not reachable from subnet %s.  Therefore, cannot associate Port %s with a Floating IP.", f.NetworkID, p.FixedIPs[at].SubnetID, p.ID)
	}
	f.RouterID, f.Status = &router.ID, "ACTIVE"
	return nil
}

// release leaves a floating IP without a port.
func (n *Neutron) release(f *FloatingIP) {
	f.PortID, f.FixedIP, f.RouterID, f.Status = nil, nil, nil, "DOWN"
}

// route is the router between a subnet and an external network.
func (n *Neutron) route(subnet, external string) (*Router, bool) {
	for _, router := range n.routers.All() {
		if router.Gateway == nil || router.Gateway.NetworkID != external {
			continue
		}
		if slices.ContainsFunc(n.interfaces(router.ID), func(p *Port) bool { return p.FixedIPs[0].SubnetID == subnet }) {
			return router, true
		}
	}
	return nil, false
}

// needed reports whether a floating IP goes through a router into a subnet.
func (n *Neutron) needed(router *Router, subnet string) bool {
	return len(n.floating.All(func(f *FloatingIP) bool {
		if f.RouterID == nil || *f.RouterID != router.ID {
			return false
		}
		p, ok := n.ports.Get(*f.PortID)
		return ok && slices.ContainsFunc(p.FixedIPs, func(ip FixedIP) bool { return ip.SubnetID == subnet })
	})) > 0
}

// FloatingTo are the addresses of floating IPs that lead to a port.
func (n *Neutron) FloatingTo(port string) []string {
	var found []string
	for _, f := range n.floating.All(func(f *FloatingIP) bool { return f.PortID != nil && *f.PortID == port }) {
		found = append(found, f.Address)
	}
	return found
}
