package neutron

import (
	"net/http"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/e2e/openstacksim/state"
)

// SecurityGroup is a security group.
type SecurityGroup struct {
	common
	Stateful bool `json:"stateful"`
}

// Rule is a rule of a security group.
type Rule struct {
	common
	GroupID        string  `json:"security_group_id"`
	Direction      string  `json:"direction"`
	EtherType      string  `json:"ethertype"`
	Protocol       *string `json:"protocol"`
	PortRangeMin   *int    `json:"port_range_min"`
	PortRangeMax   *int    `json:"port_range_max"`
	RemoteIPPrefix *string `json:"remote_ip_prefix"`
	RemoteGroupID  *string `json:"remote_group_id"`
	AddressGroupID *string `json:"remote_address_group_id"`
}

func (n *Neutron) groupKind() *kind[SecurityGroup, *SecurityGroup] {
	rules := n.ruleKind()
	return &kind[SecurityGroup, *SecurityGroup]{
		n: n, name: "security_group", plural: "security_groups", path: "security-groups", notFound: "SecurityGroupNotFound", says: "Security group %s does not exist", table: n.groups,
		create: []string{"name", "description", "stateful"}, update: []string{"name", "description", "stateful"},
		fresh: func() *SecurityGroup { return &SecurityGroup{Stateful: true} },
		prepare: func(_ *front.Request, g *SecurityGroup, _ given) error {
			if g.Name == "default" {
				return refuse(http.StatusConflict, "SecurityGroupDefaultAlreadyExists", "Default security group already exists.")
			}
			if err := n.checkQuota(g.Project, "security_group_rule", 2); err != nil {
				return err
			}
			g.ID = state.NewID()
			n.outward(g)
			return nil
		},
		change: func(_ *front.Request, old, _ *SecurityGroup, g given) error {
			if _, renamed := g["name"]; renamed && old.Name == "default" {
				return refuse(http.StatusConflict, "SecurityGroupCannotUpdateDefault", "Updating default security group not allowed.")
			}
			return nil
		},
		remove: n.removeGroup,
		view: func(g *SecurityGroup, v map[string]any) {
			views := []any{}
			for _, rule := range n.rulesOf(g.ID) {
				v := rules.show(rule)
				v["tags"], v["standard_attr_id"] = []any{}, 0
				views = append(views, v)
			}
			v["security_group_rules"], v["shared"] = views, false
		},
	}
}

// outward adds the rules that every group begins with.
func (n *Neutron) outward(g *SecurityGroup) {
	for _, ether := range []string{"IPv6", "IPv4"} {
		n.ruleKind().insert(&Rule{common: common{Base: state.Base{Project: g.Project}}, GroupID: g.ID, Direction: "egress", EtherType: ether})
	}
}

func (n *Neutron) rulesOf(group string) []*Rule {
	return n.rules.All(func(r *Rule) bool { return r.GroupID == group })
}

// DefaultGroup is a project's default group, which is there from the first request on.
func (n *Neutron) DefaultGroup(project string) *SecurityGroup {
	for _, g := range n.groups.Of(project) {
		if g.Name == "default" {
			return g
		}
	}
	g := n.groupKind().fresh()
	g.ID, g.Name, g.Project, g.Description = state.NewID(), "default", project, "Default security group"
	n.outward(g)
	for _, ether := range []string{"IPv4", "IPv6"} {
		n.ruleKind().insert(&Rule{common: common{Base: state.Base{Project: project}}, GroupID: g.ID, Direction: "ingress", EtherType: ether, RemoteGroupID: &g.ID})
	}
	n.state.IsSetUp(g.ID)
	return n.groupKind().insert(g)
}

// Group finds a project's security group by its id or name, as Nova and its errors do.
func (n *Neutron) Group(idOrName, project string) (*SecurityGroup, *front.Error) {
	if g, ok := n.groups.Visible(idOrName, project, false); ok {
		return g, nil
	}
	named := n.groups.All(state.In[*SecurityGroup](project), func(g *SecurityGroup) bool { return g.Name == idOrName })
	switch len(named) {
	case 0:
		return nil, front.Errorf(http.StatusNotFound, "Unable to find security_group with name or id '%s'", idOrName)
	case 1:
		return named[0], nil
	}
	return nil, front.Errorf(http.StatusConflict, "Multiple security_group matches found for name '%s', use an ID to be more specific.", idOrName)
}

// SetGroups sets the security groups of a port.
func (n *Neutron) SetGroups(p *Port, groups []string) {
	p.SecurityGroups = groups
	n.portKind().touch(p)
}

// GroupName is the name of a security group.
func (n *Neutron) GroupName(id string) string {
	if g, ok := n.groups.Get(id); ok {
		return g.Name
	}
	return ""
}

func (n *Neutron) removeGroup(g *SecurityGroup) error {
	if g.Name == "default" {
		return refuse(http.StatusConflict, "SecurityGroupCannotRemoveDefault", "Insufficient rights for removing default security group.")
	}
	if len(n.ports.All(func(p *Port) bool { return slices.Contains(p.SecurityGroups, g.ID) })) > 0 {
		return refuse(http.StatusConflict, "SecurityGroupInUse", "Security Group %s in use.", g.ID)
	}
	for _, rule := range n.rules.All() {
		if rule.GroupID == g.ID || (rule.RemoteGroupID != nil && *rule.RemoteGroupID == g.ID) {
			n.rules.Delete(rule.ID)
		}
	}
	return nil
}

func (n *Neutron) ruleKind() *kind[Rule, *Rule] {
	return &kind[Rule, *Rule]{
		n: n, name: "security_group_rule", plural: "security_group_rules", path: "security-group-rules", notFound: "SecurityGroupRuleNotFound", says: "Security group rule %s does not exist", table: n.rules,
		required: []string{"security_group_id", "direction"},
		create:   []string{"security_group_id", "direction", "ethertype", "protocol", "port_range_min", "port_range_max", "remote_ip_prefix", "remote_group_id", "description"},
		update:   []string{"description"},
		fresh:    func() *Rule { return &Rule{EtherType: "IPv4"} },
		prepare:  n.prepareRule,
		change:   func(*front.Request, *Rule, *Rule, given) error { return nil },
		remove:   func(*Rule) error { return nil },
		view: func(rule *Rule, v map[string]any) {
			delete(v, "name")
			delete(v, "tags")
			v["normalized_cidr"] = rule.RemoteIPPrefix
		},
	}
}

func (n *Neutron) prepareRule(r *front.Request, rule *Rule, _ given) error {
	g, ok := n.groups.Visible(rule.GroupID, r.Project(), r.Caller.Admin)
	if !ok {
		return refuse(http.StatusNotFound, "SecurityGroupNotFound", "Security group %s does not exist", rule.GroupID)
	}
	rule.Project = g.Project
	if rule.Direction != "ingress" && rule.Direction != "egress" {
		return badRequest("Invalid input for direction. Reason: %s is not in valid_values.", rule.Direction)
	}
	if rule.EtherType != "IPv4" && rule.EtherType != "IPv6" {
		return invalid("Security group rule for ethertype '%s' not supported. Allowed values are ['IPv4', 'IPv6']", rule.EtherType)
	}
	if rule.RemoteIPPrefix != nil && rule.RemoteGroupID != nil {
		return refuse(http.StatusBadRequest, "SecurityGroupMultipleRemoteEntites", "Only one of remote_ip_prefix or remote_group_id or remote_address_group_id may be provided.")
	}
	if rule.RemoteGroupID != nil {
		if _, ok := n.groups.Visible(*rule.RemoteGroupID, r.Project(), r.Caller.Admin); !ok {
			return refuse(http.StatusNotFound, "SecurityGroupNotFound", "Security group %s does not exist", *rule.RemoteGroupID)
		}
	}
	if rule.RemoteIPPrefix != nil {
		prefix, err := netip.ParsePrefix(*rule.RemoteIPPrefix)
		if address, bare := netip.ParseAddr(*rule.RemoteIPPrefix); bare == nil {
			prefix, err = netip.PrefixFrom(address, address.BitLen()), nil
		}
		if err != nil {
			return badRequest("Invalid input for remote_ip_prefix. Reason: '%s' is not a valid IP subnet.", *rule.RemoteIPPrefix)
		}
		if prefix.Addr().Is4() != (rule.EtherType == "IPv4") {
			return refuse(http.StatusBadRequest, "SecurityGroupRuleParameterConflict", "Conflicting value ethertype %s for CIDR %s", rule.EtherType, *rule.RemoteIPPrefix)
		}
		text := prefix.String()
		rule.RemoteIPPrefix = &text
	}
	if err := checkPorts(rule); err != nil {
		return err
	}
	for _, other := range n.rulesOf(rule.GroupID) {
		if same(other, rule) {
			return refuse(http.StatusConflict, "SecurityGroupRuleExists", "Security group rule already exists. Rule id is %s.", other.ID)
		}
	}
	return nil
}

var protocols = []string{
	"ah", "dccp", "egp", "esp", "gre", "hopopt", "icmp", "igmp", "ip", "ipip", "ipv6-encap", "ipv6-frag", "ipv6-icmp", "icmpv6", "ipv6-nonxt", "ipv6-opts", "ipv6-route",
	"ospf", "pgm", "rsvp", "sctp", "tcp", "udp", "udplite", "vrrp",
}

func checkPorts(rule *Rule) error {
	if rule.Protocol == nil {
		if rule.PortRangeMin != nil || rule.PortRangeMax != nil {
			return refuse(http.StatusBadRequest, "SecurityGroupProtocolRequiredWithPorts", "Must also specify protocol if port range is given.")
		}
		return nil
	}
	number, err := strconv.Atoi(*rule.Protocol)
	if !slices.Contains(protocols, *rule.Protocol) && (err != nil || number < 0 || number > 255) {
		return refuse(http.StatusBadRequest, "SecurityGroupRuleInvalidProtocol", "Security group rule protocol %s not supported. Only protocol values [None, '%s'] and integer representations [0 to 255] are supported.", *rule.Protocol, strings.Join(protocols, "', '"))
	}
	if slices.Contains([]string{"tcp", "udp", "6", "17"}, *rule.Protocol) && rule.PortRangeMin != nil && rule.PortRangeMax != nil && *rule.PortRangeMin > *rule.PortRangeMax {
		return refuse(http.StatusBadRequest, "SecurityGroupInvalidPortRange", "For TCP/UDP protocols, port_range_min must be <= port_range_max")
	}
	return nil
}

// same reports whether two rules allow the same.
func same(a, b *Rule) bool {
	x, y := *a, *b
	x.common, y.common = common{}, common{}
	return reflect.DeepEqual(x, y)
}
