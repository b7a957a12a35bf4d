package neutron

import (
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/e2e/openstacksim/state"
)

// Router is a router.
type Router struct {
	common
	AdminStateUp bool     `json:"admin_state_up"`
	Gateway      *Gateway `json:"external_gateway_info"`
	ZoneHints    []string `json:"availability_zone_hints"`
	Routes       []any    `json:"routes"`
}

// Gateway is where a router leads to.
type Gateway struct {
	NetworkID  string    `json:"network_id"`
	EnableSNAT *bool     `json:"enable_snat"`
	ExternalIP []FixedIP `json:"external_fixed_ips"`
}

func (n *Neutron) routerKind() *kind[Router, *Router] {
	update := []string{"name", "description", "admin_state_up", "external_gateway_info", "routes"}
	return &kind[Router, *Router]{
		n: n, name: "router", plural: "routers", notFound: "RouterNotFound", says: "Router %s could not be found", table: n.routers,
		create: append([]string{"availability_zone_hints"}, update...), update: update,
		fresh: func() *Router { return &Router{AdminStateUp: true, ZoneHints: []string{}, Routes: []any{}} },
		prepare: func(r *front.Request, router *Router, _ given) error {
			router.ID = state.NewID() // the gateway's port needs it
			if router.Gateway == nil {
				return nil
			}
			if err := n.checkGateway(router); err != nil {
				return err
			}
			return n.connect(router)
		},
		change: func(_ *front.Request, old, changed *Router, g given) error {
			if _, said := g["external_gateway_info"]; said {
				return n.changeGateway(old, changed)
			}
			return nil
		},
		remove: n.removeRouter,
		view: func(_ *Router, v map[string]any) {
			v["status"], v["availability_zones"], v["flavor_id"] = "ACTIVE", toAny(n.Zones), nil
		},
	}
}

var isUUID = regexp.MustCompile(`^[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}$`).MatchString

// checkGateway checks the network that a router is to lead to.
func (n *Neutron) checkGateway(router *Router) error {
	if router.Gateway.NetworkID == "" {
		return badRequest("Invalid input for external_gateway_info. Reason: Validation of dictionary's keys failed. Expected keys: {'network_id'}.")
	}
	if !isUUID(router.Gateway.NetworkID) {
		return badRequest("Invalid input for external_gateway_info. Reason: '%s' is not a valid UUID.", router.Gateway.NetworkID)
	}
	net, ok := n.networks.Get(router.Gateway.NetworkID)
	if !ok {
		return refuse(http.StatusNotFound, "NetworkNotFound", "Network %s could not be found.", router.Gateway.NetworkID)
	}
	if !net.External {
		return bad("router", "Network %s is not an external network", net.ID)
	}
	return nil
}

// connect makes the gateway's port. It belongs to no project.
func (n *Neutron) connect(router *Router) error {
	if router.Gateway == nil {
		return nil
	}
	p, err := n.CreatePort(Port{NetworkID: router.Gateway.NetworkID, FixedIPs: router.Gateway.ExternalIP, DeviceID: router.ID, DeviceOwner: ownerGateway})
	if err != nil {
		return err
	}
	router.Gateway.ExternalIP = p.FixedIPs
	if router.Gateway.EnableSNAT == nil {
		snat := true
		router.Gateway.EnableSNAT = &snat
	}
	return nil
}

func (n *Neutron) changeGateway(old, changed *Router) error {
	if changed.Gateway != nil && changed.Gateway.NetworkID == "" {
		changed.Gateway = nil // "{}" takes the gateway as null does
	}
	if changed.Gateway != nil {
		if err := n.checkGateway(changed); err != nil {
			return err
		}
		if old.Gateway != nil && old.Gateway.NetworkID == changed.Gateway.NetworkID {
			changed.Gateway.ExternalIP = old.Gateway.ExternalIP
			return nil
		}
	}
	if old.Gateway != nil {
		if len(n.floating.All(func(f *FloatingIP) bool { return f.RouterID != nil && *f.RouterID == old.ID })) > 0 {
			return refuse(http.StatusConflict, "RouterExternalGatewayInUseByFloatingIp", "Gateway cannot be updated for router %s, since a gateway to external network %s is required by one or more floating IPs.", old.ID, old.Gateway.NetworkID)
		}
		n.removeGateway(old)
	}
	return n.connect(changed)
}

func (n *Neutron) removeGateway(router *Router) {
	for _, p := range n.PortsOf(router.ID) {
		if p.DeviceOwner == ownerGateway {
			n.DeletePort(p)
		}
	}
}

func (n *Neutron) removeRouter(router *Router) error {
	var attached []string
	for _, p := range n.interfaces(router.ID) {
		attached = append(attached, p.ID)
	}
	if len(attached) > 0 {
		return refuse(http.StatusConflict, "RouterInUse", "Router %s has ports still attached: %s", router.ID, strings.Join(attached, ", "))
	}
	n.removeGateway(router)
	return nil
}

// interfaces are the ports of a router inside.
func (n *Neutron) interfaces(router string) []*Port {
	return slices.DeleteFunc(n.PortsOf(router), func(p *Port) bool { return p.DeviceOwner != ownerInterface })
}

func (n *Neutron) routerActions(s *front.Service) {
	s.Handle("PUT", "/routers/{id}/add_router_interface", http.StatusOK, n.addInterface)
	s.Handle("PUT", "/routers/{id}/remove_router_interface", http.StatusOK, n.removeInterface)
}

// interfaceRequest names an interface by its subnet or its port.
type interfaceRequest struct {
	SubnetID string `json:"subnet_id"`
	PortID   string `json:"port_id"`
}

func (n *Neutron) addInterface(r *front.Request) (any, error) {
	router, in, err := n.interfaceRequest(r)
	if err != nil {
		return nil, err
	}
	if in.PortID != "" {
		p, ok := n.Port(in.PortID, r.Project())
		if !ok {
			return nil, refuse(http.StatusNotFound, "PortNotFound", "Port %s could not be found.", in.PortID)
		}
		if p.DeviceID != "" {
			return nil, refuse(http.StatusConflict, "PortInUse", "Unable to complete operation on port %s for network %s. Port already has an attached device %s.", p.ID, p.NetworkID, p.DeviceID)
		}
		if len(p.FixedIPs) == 0 {
			return nil, bad("router", "Router port must have at least one fixed IP")
		}
		s, _ := n.subnets.Get(p.FixedIPs[0].SubnetID)
		if err := n.checkInterface(router, s); err != nil {
			return nil, err
		}
		n.Bind(p, router.ID, ownerInterface, "")
		return interfaceView(router, p), nil
	}
	s, ok := n.subnets.Visible(in.SubnetID, r.Project(), r.Caller.Admin)
	if !ok {
		return nil, refuse(http.StatusNotFound, "SubnetNotFound", "Subnet %s could not be found.", in.SubnetID)
	}
	if s.GatewayIP == nil {
		return nil, bad("router", "Subnet for router interface must have a gateway IP")
	}
	if err := n.checkInterface(router, s); err != nil {
		return nil, err
	}
	if n.holds(s, *s.GatewayIP) {
		return nil, refuse(http.StatusConflict, "IpAddressAlreadyAllocated", "IP address %s already allocated in subnet %s", *s.GatewayIP, s.ID)
	}
	owned := NewPort(router.Project, "", s.NetworkID, router.ID, ownerInterface, nil)
	owned.FixedIPs = []FixedIP{{SubnetID: s.ID, IPAddress: *s.GatewayIP}}
	p, err := n.CreatePort(owned)
	if err != nil {
		return nil, err
	}
	return interfaceView(router, p), nil
}

// interfaceRequest reads whose interface is asked for, and which.
func (n *Neutron) interfaceRequest(r *front.Request) (router *Router, in interfaceRequest, err error) {
	if router, err = n.routerKind().find(r, "update"); err != nil {
		return nil, in, err
	}
	r.Body = append(append([]byte(`{"interface":`), r.Body...), '}')
	if err := r.Decode("interface", &in); err != nil {
		return nil, in, err
	}
	if in.SubnetID == "" && in.PortID == "" {
		return nil, in, bad("router", "Either subnet_id or port_id must be specified")
	}
	return router, in, nil
}

// checkInterface checks that a router may have an interface in a subnet.
func (n *Neutron) checkInterface(router *Router, s *Subnet) error {
	for _, p := range n.interfaces(router.ID) {
		for _, ip := range p.FixedIPs {
			if ip.SubnetID == s.ID {
				return bad("router", "Router already has a port on subnet %s", s.ID)
			}
			other, ok := n.subnets.Get(ip.SubnetID)
			if ok && netip.MustParsePrefix(other.CIDR).Overlaps(netip.MustParsePrefix(s.CIDR)) {
				return bad("router", "Cidr %s of subnet %s overlaps with cidr %s of subnet %s", s.CIDR, s.ID, other.CIDR, other.ID)
			}
		}
	}
	return nil
}

func (n *Neutron) removeInterface(r *front.Request) (any, error) {
	router, in, err := n.interfaceRequest(r)
	if err != nil {
		return nil, err
	}
	for _, p := range n.interfaces(router.ID) {
		subnet := p.FixedIPs[0].SubnetID
		if p.ID != in.PortID && (in.PortID != "" || subnet != in.SubnetID) {
			continue
		}
		if n.needed(router, subnet) {
			return nil, refuse(http.StatusConflict, "RouterInterfaceInUseByFloatingIP", "Router interface for subnet %s on router %s cannot be deleted, as it is required by one or more floating IPs.", subnet, router.ID)
		}
		n.DeletePort(p)
		return interfaceView(router, p), nil
	}
	if in.PortID != "" {
		return nil, refuse(http.StatusNotFound, "RouterInterfaceNotFound", "Router %s does not have an interface with id %s", router.ID, in.PortID)
	}
	return nil, refuse(http.StatusNotFound, "RouterInterfaceNotFoundForSubnet", "Router %s has no interface on subnet %s", router.ID, in.SubnetID)
}

func interfaceView(router *Router, p *Port) map[string]any {
	subnet := p.FixedIPs[0].SubnetID
	return map[string]any{
		"id": router.ID, "tenant_id": router.Project, "port_id": p.ID, "network_id": p.NetworkID,
		"subnet_id": subnet, "subnet_ids": []string{subnet},
	}
}
