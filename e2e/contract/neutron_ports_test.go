package contract

import "github.com/marina-dev/marina/dataplane/openstack"

func ports(s *session) {
	const net = openstack.Network
	network, subnet := s.lan("lan", "10.77.1.0/24")
	other, _ := s.lan("other", "10.77.2.0/29")
	bare := s.do(net, "POST /networks", object("network", "name", "bare")).id("bare")
	group := s.do(net, "POST /security-groups", object("security_group", "name", "nodes")).id("group")
	of := func(pairs ...any) map[string]any {
		return object("port", append([]any{"network_id", network}, pairs...)...)
	}
	ip := func(address string) []any { return []any{map[string]any{"subnet_id": subnet, "ip_address": address}} }

	a := s.ask("made", net, "POST /ports", of("name", "one", "description", key, "fixed_ips", ip("10.77.1.10"), "security_groups", []string{group}, "device_id", "x", "device_owner", "compute:nova"),
		"port/@keys", "port/status", "port/fixed_ips", "port/security_groups", "port/device_owner", "port/device_id", "port/allowed_address_pairs", "port/binding:vnic_type", "port/admin_state_up", "port/port_security_enabled")
	one := a.id("one")
	a = s.ask("without anything", net, "POST /ports", of(), "port/name", "port/device_id", "port/device_owner", "port/fixed_ips/#", "port/security_groups/#", "port/description")
	two := a.id("two")
	a = s.ask("in a network without a subnet", net, "POST /ports", object("port", "network_id", bare), "port/fixed_ips")
	three := a.id("three")
	s.ask("of an address that is taken", net, "POST /ports", of("fixed_ips", ip("10.77.1.10")))
	s.ask("of an address outside", net, "POST /ports", of("fixed_ips", ip("10.77.9.1")))
	s.ask("of an address in no subnet", net, "POST /ports", of("fixed_ips", []any{map[string]any{"ip_address": "10.77.9.1"}}))
	s.ask("of an address that is none", net, "POST /ports", of("fixed_ips", ip("here")))
	s.ask("of a subnet that is not there", net, "POST /ports", of("fixed_ips", []any{map[string]any{"subnet_id": nowhere}}))
	s.ask("of another network's subnet", net, "POST /ports", object("port", "network_id", other, "fixed_ips", []any{map[string]any{"subnet_id": subnet}}))
	s.ask("in a network that is not there", net, "POST /ports", object("port", "network_id", nowhere))
	s.ask("with a group that is not there", net, "POST /ports", of("security_groups", []string{nowhere}))
	s.ask("in the external network", net, "POST /ports", object("port", "network_id", s.meant("external network")))
	s.ask("with a MAC that is none", net, "POST /ports", of("mac_address", "here"))
	s.ask("that says where it is bound", net, "POST /ports", of("binding:host_id", "somewhere"))
	s.ask("with an owner of a network's", net, "POST /ports", of("device_owner", "network:dhcp"))
	a = s.ask("with pairs", net, "POST /ports", of("allowed_address_pairs", []any{map[string]any{"ip_address": "10.77.60.0/24"}}), "port/allowed_address_pairs/0/ip_address", "port/allowed_address_pairs/0/@keys")
	pairs := a.id("pairs")
	a = s.ask("several at once", net, "POST /ports", map[string]any{"ports": []any{of("name", "a", "fixed_ips", ip("10.77.1.20"))["port"], of("name", "b", "fixed_ips", ip("10.77.1.21"))["port"]}}, "@keys", "ports/*/name")
	several, _ := at(a.json, "ports/*/id")
	s.ask("several at once, one of them wrong", net, "POST /ports", map[string]any{"ports": []any{of("name", "c", "fixed_ips", ip("10.77.1.30"))["port"], of("name", "d", "fixed_ips", ip("10.77.1.10"))["port"]}})
	s.ask("none of several that failed is there", net, "GET /ports?name=c", nil, "ports")

	s.ask("of a device", net, path("GET /ports?device_id=x&network_id=%s", network), nil, "ports/*/id")
	s.ask("with a group", net, path("GET /ports?security_groups=%s", group), nil, "ports/*/id")
	s.ask("in a subnet", net, path("GET /ports?network_id=%s&fixed_ips=subnet_id%%3D%s&name=one", network, subnet), nil, "ports/*/id")
	s.ask("with an address", net, path("GET /ports?network_id=%s&fixed_ips=ip_address%%3D10.77.1.20", network), nil, "ports/*/name")
	s.ask("with an owner", net, "GET /ports?device_owner=compute:nova", nil, "ports/*/id")
	s.ask("with one of several owners", net, "GET /ports?device_owner=compute:nova&device_owner=x", nil, "ports/*/id")
	s.ask("with an owner key", net, "GET /ports?description=marina.dev%2Fcluster-uid%3D11111111-2222-4333-8444-555555555555+role%3Dnetwork", nil, "ports/*/id")
	s.ask("with a state", net, path("GET /ports?status=DOWN&name=one&admin_state_up=true&network_id=%s", network), nil, "ports/*/id")
	s.ask("by a filter that is not known", net, "GET /ports?colour=blue", nil)

	s.ask("another group", net, "PUT /ports/"+one, object("port", "security_groups", []string{}), "port/security_groups")
	s.ask("another address", net, "PUT /ports/"+one, object("port", "fixed_ips", ip("10.77.1.11")), "port/fixed_ips/0/ip_address")
	s.ask("an address of another", net, "PUT /ports/"+one, object("port", "fixed_ips", ip("10.77.1.20")))
	s.ask("another network", net, "PUT /ports/"+one, object("port", "network_id", other))
	s.ask("group deleted that a port has", net, "PUT /ports/"+one, object("port", "security_groups", []string{group}), "port/security_groups")
	s.ask("group deleted that a port has: refused", net, "DELETE /security-groups/"+group, nil)
	s.ask("one that is not there", net, "GET /ports/"+nowhere, nil)
	s.full(other)
	for _, id := range append(several.([]any), one, two, three, pairs) {
		s.do(net, "DELETE /ports/"+id.(string), nil)
	}
	s.ask("deleted twice", net, "DELETE /ports/"+one, nil)
	s.do(net, "DELETE /security-groups/"+group, nil)
	s.unlan(network, other, bare)
}

// full uses up a subnet of five addresses.
func (s *session) full(network string) {
	const net = openstack.Network
	var all []string
	for range 5 {
		all = append(all, s.do(net, "POST /ports", object("port", "network_id", network)).text("port/id"))
	}
	s.ask("in a subnet that is full", net, "POST /ports", object("port", "network_id", network))
	for _, id := range all {
		s.do(net, "DELETE /ports/"+id, nil)
	}
}
