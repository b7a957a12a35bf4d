package neutron

import (
	net2 "net"
	"net/http"
	"slices"
	"strings"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/e2e/openstacksim/state"
)

// The owners of ports that are not deleted by themselves.
const (
	ownerInterface = "network:router_interface"
	ownerGateway   = "network:router_gateway"
	ownerFloating  = "network:floatingip"
)

// ownerDHCP is that of a port that goes with its network.
const ownerDHCP = "network:dhcp"

// Port is a port.
type Port struct {
	common
	NetworkID      string    `json:"network_id"`
	AdminStateUp   bool      `json:"admin_state_up"`
	MAC            string    `json:"mac_address"`
	FixedIPs       []FixedIP `json:"fixed_ips"`
	DeviceID       string    `json:"device_id"`
	DeviceOwner    string    `json:"device_owner"`
	SecurityGroups []string  `json:"security_groups"`
	AddressPairs   []Pair    `json:"allowed_address_pairs"`
	PortSecurity   bool      `json:"port_security_enabled"`
	VNICType       string    `json:"binding:vnic_type"`
	Host           string    `json:"binding:host_id"`
	Profile        any       `json:"binding:profile"`
	ExtraDHCPOpts  []any     `json:"extra_dhcp_opts"`
	Status         string    `json:"status"`
}

// FixedIP is an address of a port.
type FixedIP struct {
	SubnetID  string `json:"subnet_id,omitempty"`
	IPAddress string `json:"ip_address,omitempty"`
}

// Pair is an address that a port may use besides its own.
type Pair struct {
	IPAddress string `json:"ip_address"`
	MAC       string `json:"mac_address,omitempty"`
}

func (n *Neutron) portKind() *kind[Port, *Port] {
	update := []string{"name", "description", "admin_state_up", "fixed_ips", "device_id", "device_owner", "security_groups", "allowed_address_pairs",
		"port_security_enabled", "binding:vnic_type", "binding:host_id", "binding:profile", "extra_dhcp_opts"}
	return &kind[Port, *Port]{
		n: n, name: "port", plural: "ports", notFound: "PortNotFound", says: "Port %s could not be found.", table: n.ports,
		required: []string{"network_id"}, create: append([]string{"network_id", "mac_address", "tags"}, update...), update: update,
		fresh: func() *Port {
			return &Port{AdminStateUp: true, VNICType: "normal", Status: "DOWN", AddressPairs: []Pair{}, Profile: map[string]any{}, ExtraDHCPOpts: []any{}}
		},
		prepare: n.preparePort,
		change:  n.changePort,
		remove:  n.removePort,
		private: []string{"binding:host_id", "binding:profile", "binding:vif_type", "binding:vif_details"},
		view: func(p *Port, v map[string]any) {
			v["binding:vif_type"] = "unbound"
			if p.Host != "" {
				v["binding:vif_type"] = "ovs"
			}
		},
	}
}

func (n *Neutron) preparePort(r *front.Request, p *Port, g given) error {
	net, ok := n.networks.Get(p.NetworkID)
	if !ok || (net.Project != r.Project() && !net.Shared && !net.External && !r.Caller.Admin) {
		return refuse(http.StatusNotFound, "NetworkNotFound", "Network %s could not be found.", p.NetworkID)
	}
	if net.External && !net.Shared && net.Project != r.Project() && !r.Caller.Admin {
		return refuse(http.StatusForbidden, "HTTPForbidden", "Tenant %s not allowed to create port on this network", r.Project())
	}
	if _, said := g["binding:host_id"]; said && !r.Caller.Admin {
		return notAllowed("create_port", "binding:host_id")
	}
	if _, err := net2.ParseMAC(p.MAC); p.MAC != "" && err != nil {
		return badRequest("Invalid input for mac_address. Reason: '%s' is not a valid MAC address.", p.MAC)
	}
	if _, said := g["port_security_enabled"]; !said {
		p.PortSecurity = net.PortSecurity
	}
	return n.complete(r, p)
}

// complete gives a port what it has if nothing is said of it, and checks what was said.
func (n *Neutron) complete(r *front.Request, p *Port) error {
	if p.SecurityGroups == nil {
		p.SecurityGroups = []string{}
		if p.PortSecurity && !strings.HasPrefix(p.DeviceOwner, "network:") {
			p.SecurityGroups = []string{n.DefaultGroup(p.Project).ID}
		}
	}
	if err := n.checkPort(r, p); err != nil {
		return err
	}
	ips, err := n.assign(p.NetworkID, p.FixedIPs)
	if err != nil {
		return err
	}
	p.FixedIPs = ips
	if p.MAC == "" {
		p.MAC = n.mac()
	}
	n.fillPairs(p)
	return nil
}

func (n *Neutron) fillPairs(p *Port) {
	for i := range p.AddressPairs {
		if p.AddressPairs[i].MAC == "" {
			p.AddressPairs[i].MAC = p.MAC
		}
	}
}

func (n *Neutron) checkPort(r *front.Request, p *Port) error {
	for _, id := range p.SecurityGroups {
		g, ok := n.groups.Get(id)
		if !ok || (g.Project != p.Project && (r == nil || !r.Caller.Admin)) {
			return refuse(http.StatusNotFound, "SecurityGroupNotFound", "Security group %s does not exist", id)
		}
	}
	if !p.PortSecurity && len(p.SecurityGroups) > 0 {
		return refuse(http.StatusBadRequest, "PortSecurityAndIPRequiredForSecurityGroups", "Port security must be enabled and port must have an IP address in order to use security groups.")
	}
	if !p.PortSecurity && len(p.AddressPairs) > 0 {
		return refuse(http.StatusConflict, "AddressPairAndPortSecurityRequired", "Port Security must be enabled in order to have allowed address pairs on a port.")
	}
	return nil
}

func (n *Neutron) changePort(r *front.Request, old, changed *Port, g given) error {
	if changed.SecurityGroups == nil {
		changed.SecurityGroups = []string{}
	}
	if err := n.checkPort(r, changed); err != nil {
		return err
	}
	if _, said := g["fixed_ips"]; said {
		var keep, ask []FixedIP
		for _, want := range changed.FixedIPs {
			at := slices.IndexFunc(old.FixedIPs, func(have FixedIP) bool {
				return have.IPAddress == want.IPAddress && (want.SubnetID == "" || have.SubnetID == want.SubnetID)
			})
			if at >= 0 {
				keep = append(keep, old.FixedIPs[at])
			} else {
				ask = append(ask, want)
			}
		}
		got, err := n.assign(old.NetworkID, append([]FixedIP{}, ask...))
		if err != nil {
			return err
		}
		changed.FixedIPs = append(append([]FixedIP{}, keep...), got...)
	}
	n.fillPairs(changed)
	return nil
}

func (n *Neutron) removePort(p *Port) error {
	if owner := p.DeviceOwner; owner == ownerInterface || owner == ownerGateway || owner == ownerFloating {
		return refuse(http.StatusConflict, "ServicePortInUse", "Port %s cannot be deleted directly via the port API: has device owner %s.", p.ID, owner)
	}
	n.DeletePort(p)
	return nil
}

// Port is a port of a project.
func (n *Neutron) Port(id, project string) (*Port, bool) { return n.ports.Visible(id, project, false) }

// PortsOf are the ports of a device.
func (n *Neutron) PortsOf(device string) []*Port {
	return n.ports.All(func(p *Port) bool { return p.DeviceID == device })
}

// CreatePort makes a port for a service: Nova, Octavia, a router. It counts in the quota, which
// Neutron does not ask about ports that it makes itself.
func (n *Neutron) CreatePort(p Port) (*Port, error) {
	if p.Project != "" && !strings.HasPrefix(p.DeviceOwner, "network:") {
		if err := n.checkQuota(p.Project, "port", 1); err != nil {
			return nil, err
		}
	}
	made := n.portKind().fresh()
	common, network, ips := p.common, p.NetworkID, p.FixedIPs
	made.common, made.NetworkID, made.FixedIPs = common, network, ips
	made.DeviceID, made.DeviceOwner, made.SecurityGroups, made.Host = p.DeviceID, p.DeviceOwner, p.SecurityGroups, p.Host
	if net, ok := n.networks.Get(network); ok {
		made.PortSecurity = net.PortSecurity && !strings.HasPrefix(p.DeviceOwner, "network:")
	}
	if err := n.complete(nil, made); err != nil {
		return nil, err
	}
	if made.Host != "" || strings.HasPrefix(made.DeviceOwner, "network:router") {
		made.Status = "ACTIVE"
	}
	return n.portKind().insert(made), nil
}

// NewPort is what CreatePort takes, for other packages.
func NewPort(project, name, network, device, owner string, groups []string) Port {
	return Port{common: common{Base: state.Base{Project: project, Name: name}}, NetworkID: network, DeviceID: device, DeviceOwner: owner, SecurityGroups: groups}
}

// Bind binds a port to a device on a host.
func (n *Neutron) Bind(p *Port, device, owner, host string) {
	p.DeviceID, p.DeviceOwner, p.Host, p.Status = device, owner, host, "ACTIVE"
	n.portKind().touch(p)
}

// Unbind takes a port from its device.
func (n *Neutron) Unbind(p *Port) {
	p.DeviceID, p.DeviceOwner, p.Host, p.Status = "", "", "", "DOWN"
	n.portKind().touch(p)
}

// DeletePort deletes a port; its floating IPs are left without one.
func (n *Neutron) DeletePort(p *Port) {
	for _, f := range n.floating.All(func(f *FloatingIP) bool { return f.PortID != nil && *f.PortID == p.ID }) {
		n.release(f)
	}
	n.ports.Delete(p.ID)
}

// Holder is the device that has an address in a network.
func (n *Neutron) Holder(network, address string) string {
	for _, p := range n.ports.All(func(p *Port) bool { return p.NetworkID == network }) {
		if slices.ContainsFunc(p.FixedIPs, func(ip FixedIP) bool { return ip.IPAddress == address }) {
			return p.DeviceID
		}
	}
	return ""
}
