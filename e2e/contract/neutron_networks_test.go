package contract

import "github.com/marina-dev/marina/dataplane/openstack"

// key is an owner key, as the dataplane writes one.
var key = openstack.OwnerKey("11111111-2222-4333-8444-555555555555", "network")

func networks(s *session) {
	const net = openstack.Network
	of := func(pairs ...any) map[string]any { return object("network", pairs...) }
	find := path("GET /networks?description=%s&project_id=%s", "marina.dev%2Fcluster-uid%3D11111111-2222-4333-8444-555555555555+role%3Dnetwork", s.project)
	a := s.ask("made", net, "POST /networks", of("name", "one", "description", key), "network/@keys", "network/status", "network/subnets", "network/description", "network/project_id", "network/router:external", "network/shared")
	id := a.id("one")
	s.ask("found by its owner key", net, find, nil, "@keys", "networks/*/id", "networks/*/description")
	s.ask("found by a part of its key", net, "GET /networks?description=marina.dev", nil, "networks")
	s.ask("found by a key in other letters", net, "GET /networks?name=ONE", nil, "networks/*/name")
	s.ask("found in a project that is not there", net, "GET /networks?project_id="+nowhere, nil, "networks")
	s.ask("found by id", net, "GET /networks?id="+id, nil, "networks/*/name")
	s.ask("found by a filter that is not known", net, "GET /networks?colour=blue", nil, "networks/*/name")
	s.ask("found by tags", net, "GET /networks?tags=x", nil, "networks")
	s.ask("another of the same name and key", net, "POST /networks", of("name", "one", "description", key), "network/name")
	both := s.ask("both have the key", net, find, nil, "networks/#")
	ids, _ := at(both.json, "networks/*/id")
	for _, other := range ids.([]any) {
		if other != id {
			s.ask("deleted", net, "DELETE /networks/"+other.(string), nil)
		}
	}
	s.ask("marked again", net, "PUT /networks/"+id, of("description", "mine"), "network/description", "network/name")
	s.ask("one that is not there", net, "GET /networks/"+nowhere, nil)
	s.ask("one with an id that is none", net, "GET /networks/nothing", nil)
	s.ask("of the external network", net, "PUT /networks/"+s.meant("external network"), of("name", "mine"))
	s.ask("the external network deleted", net, "DELETE /networks/"+s.meant("external network"), nil)
	s.ask("the external network shown", net, "GET /networks/"+s.meant("external network"), nil, "network/router:external", "network/shared", "network/id")
	s.ask("one that is to be external", net, "POST /networks", of("name", "two", "router:external", true))
	s.ask("one that is to be shared", net, "POST /networks", of("name", "two", "shared", true))
	s.ask("with a field that is not known", net, "POST /networks", of("name", "two", "colour", "blue"))
	s.ask("with an MTU that is too small", net, "POST /networks", of("name", "small", "mtu", 1))
	for _, small := range s.all(net, "GET /networks?name=small", "networks/*/id") {
		s.do(net, "DELETE /networks/"+small, nil)
	}
	s.ask("with a body that is none", net, "POST /networks", "x")
	s.ask("with the wrong key", net, "POST /networks", object("net", "name", "x"))
	s.ask("for another project", net, "POST /networks", of("name", "two", "project_id", nowhere))
	s.ask("with a name that is too long", net, "POST /networks", of("name", long(256)))
	s.ask("a change of what cannot be changed", net, "PUT /networks/"+id, of("status", "DOWN"))
	s.ask("tagged", net, "PUT /networks/"+id+"/tags/x", nil)
	s.ask("found by its tag", net, "GET /networks?tags=x", nil, "networks/*/name")
	s.ask("a tag that is not there", net, "DELETE /networks/"+id+"/tags/y", nil)
	for _, name := range []string{"a", "b", "c"} {
		s.do(net, "POST /networks", of("name", name, "description", "page"))
	}
	s.ask("sorted", net, "GET /networks?description=page&sort_key=name&sort_dir=desc", nil, "networks/*/name")
	page := s.ask("a page", net, "GET /networks?description=page&sort_key=name&sort_dir=asc&limit=2", nil, "networks/*/name", "networks_links/*/rel")
	s.call(page.text("networks/1/id"), "b")
	page.link("a page: the next one", "networks_links/0/href")
	s.ask("a page after a marker", net, "GET /networks?description=page&sort_key=name&sort_dir=asc&limit=2&marker="+page.text("networks/1/id"), nil, "networks/*/name", "networks_links/*/rel")
	s.ask("a page after a marker that is not there", net, "GET /networks?limit=2&marker="+nowhere, nil)
	s.ask("only some fields", net, "GET /networks?description=page&sort_key=name&sort_dir=asc&fields=name", nil, "networks")
	all, _ := at(s.do(net, "GET /networks?description=page", nil).json, "networks/*/id")
	for _, one := range all.([]any) {
		s.do(net, "DELETE /networks/"+one.(string), nil)
	}
	s.subnets(id)
	s.ask("deleted with its subnet", net, "DELETE /networks/"+id, nil)
	s.ask("deleted twice", net, "DELETE /networks/"+id, nil)
}

// meant is what a name in the facts stands for.
func (s *session) meant(name string) string {
	for value, has := range s.names {
		if has == name {
			return value
		}
	}
	s.Fatalf("nothing is called %s", name)
	return ""
}

func long(n int) string {
	all := make([]byte, n)
	for i := range all {
		all[i] = 'x'
	}
	return string(all)
}

func (s *session) subnets(network string) {
	const net, post = openstack.Network, "POST /subnets"
	of := func(pairs ...any) map[string]any {
		return object("subnet", append([]any{"network_id", network, "ip_version", 4, "enable_dhcp", false}, pairs...)...)
	}
	a := s.ask("subnet: made", net, post, of("cidr", "10.77.2.0/24", "name", "one", "description", key, "dns_nameservers", []string{"10.77.9.9"}),
		"subnet/@keys", "subnet/cidr", "subnet/gateway_ip", "subnet/allocation_pools", "subnet/dns_nameservers", "subnet/host_routes", "subnet/ip_version", "subnet/description")
	id := a.id("subnet")
	s.ask("subnet: found by its owner key", net, path("GET /subnets?description=%s&project_id=%s&network_id=%s", "marina.dev%2Fcluster-uid%3D11111111-2222-4333-8444-555555555555+role%3Dnetwork", s.project, network), nil, "subnets/*/id")
	s.ask("subnet: that overlaps", net, post, of("cidr", "10.77.2.128/25"))
	s.ask("subnet: with host bits", net, post, of("cidr", "10.77.3.7/24"), "subnet/cidr", "subnet/gateway_ip")
	s.ask("subnet: of a CIDR that is none", net, post, of("cidr", "10.77.0.0/33"))
	s.ask("subnet: of the wrong version", net, post, of("cidr", "fd00::/64"))
	s.ask("subnet: without a CIDR", net, post, of("name", "x"))
	s.ask("subnet: without a network", net, post, object("subnet", "cidr", "10.77.4.0/24", "ip_version", 4))
	s.ask("subnet: in a network that is not there", net, post, object("subnet", "cidr", "10.77.4.0/24", "ip_version", 4, "network_id", nowhere))
	s.ask("subnet: in the external network", net, post, object("subnet", "cidr", "10.77.4.0/24", "ip_version", 4, "network_id", s.meant("external network")))
	s.ask("subnet: with a gateway outside", net, post, of("cidr", "10.77.4.0/24", "gateway_ip", "10.77.5.1"), "subnet/gateway_ip")
	s.ask("subnet: with a gateway that is none", net, post, of("cidr", "10.77.6.0/24", "gateway_ip", "here"))
	s.ask("subnet: with the network address as gateway", net, post, of("cidr", "10.77.6.0/24", "gateway_ip", "10.77.6.0"))
	s.ask("subnet: with a pool outside", net, post, of("cidr", "10.77.6.0/24", "allocation_pools", []any{map[string]any{"start": "10.77.7.1", "end": "10.77.7.9"}}))
	s.ask("subnet: with a DNS server that is none", net, post, of("cidr", "10.77.6.0/24", "dns_nameservers", []string{"here"}))
	s.ask("subnet: without a gateway", net, post, of("cidr", "10.77.6.0/29", "gateway_ip", nil), "subnet/gateway_ip", "subnet/allocation_pools")
	s.ask("subnet: a /32", net, post, of("cidr", "10.77.8.1/32"), "subnet/gateway_ip", "subnet/allocation_pools")
	s.ask("subnet: other DNS servers", net, "PUT /subnets/"+id, object("subnet", "dns_nameservers", []string{"10.77.9.8", "10.77.9.7"}), "subnet/dns_nameservers")
	s.ask("subnet: another CIDR", net, "PUT /subnets/"+id, object("subnet", "cidr", "10.77.20.0/24"))
	s.ask("subnet: that is not there", net, "GET /subnets/"+nowhere, nil)
	port := s.do(net, "POST /ports", object("port", "network_id", network, "fixed_ips", []any{map[string]any{"subnet_id": id, "ip_address": "10.77.2.5"}})).id("port")
	s.ask("subnet: deleted with a port in it", net, "DELETE /subnets/"+id, nil)
	s.ask("deleted with a port in it", net, "DELETE /networks/"+network, nil)
	s.do(net, "DELETE /ports/"+port, nil)
	s.ask("subnet: deleted", net, "DELETE /subnets/"+id, nil)
	s.ask("subnet: deleted twice", net, "DELETE /subnets/"+id, nil)
	s.subnetWithDHCP(network)
}

// subnetWithDHCP is one as the dataplane makes it: Neutron has a port of its own in it then,
// which it removes itself.
func (s *session) subnetWithDHCP(network string) {
	const net = openstack.Network
	s.ask("subnet: as the dataplane makes it", net, "POST /subnets", object("subnet", "network_id", network, "cidr", "10.77.30.0/24", "ip_version", 4), "subnet/enable_dhcp", "subnet/gateway_ip", "subnet/allocation_pools")
}
