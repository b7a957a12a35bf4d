package contract

import "github.com/marina-dev/marina/dataplane/openstack"

func routers(s *session) {
	const net = openstack.Network
	external := s.meant("external network")
	network, subnet := s.lan("lan", "10.77.1.0/24")
	overlapping, same := s.lan("overlapping", "10.77.1.0/25")
	bare := s.do(net, "POST /networks", object("network", "name", "bare")).id("bare")
	headless := s.do(net, "POST /subnets", object("subnet", "network_id", bare, "cidr", "10.77.3.0/24", "ip_version", 4, "gateway_ip", nil, "enable_dhcp", false)).id("headless")
	of := func(pairs ...any) map[string]any { return object("router", pairs...) }
	out := map[string]any{"network_id": external}

	a := s.ask("made with a gateway", net, "POST /routers", of("name", "one", "description", key, "external_gateway_info", out),
		"router/@keys", "router/status", "router/external_gateway_info/@keys", "router/external_gateway_info/network_id", "router/external_gateway_info/external_fixed_ips/#", "router/external_gateway_info/enable_snat")
	id := a.id("router")
	s.ask("found by its owner key", net, path("GET /routers?description=%s&project_id=%s", "marina.dev%2Fcluster-uid%3D11111111-2222-4333-8444-555555555555+role%3Dnetwork", s.project), nil, "routers/*/id")
	s.ask("ports of the gateway, as its owner sees them", net, "GET /ports?device_id="+id, nil, "ports")
	a = s.ask("made without a gateway", net, "POST /routers", of("name", "two"), "router/external_gateway_info", "router/status", "router/routes")
	two := a.id("two")
	s.ask("with a gateway that is not there", net, "POST /routers", of("external_gateway_info", map[string]any{"network_id": nowhere}))
	s.ask("with a gateway that is not external", net, "POST /routers", of("external_gateway_info", map[string]any{"network_id": network}))
	s.ask("with a gateway that is none", net, "POST /routers", of("external_gateway_info", map[string]any{"network_id": "here"}))
	s.ask("given a gateway", net, "PUT /routers/"+two, of("external_gateway_info", out), "router/external_gateway_info/network_id")
	s.ask("its gateway taken", net, "PUT /routers/"+two, of("external_gateway_info", nil), "router/external_gateway_info")

	add, remove := path("PUT /routers/%s/add_router_interface", id), path("PUT /routers/%s/remove_router_interface", id)
	in := func(subnet string) map[string]any { return map[string]any{"subnet_id": subnet} }
	a = s.ask("interface: added", net, add, in(subnet), "@keys", "subnet_id", "subnet_ids", "id", "network_id")
	port := s.call(a.text("port_id"), "interface")
	s.ask("interface: its port", net, path("GET /ports?network_id=%s&device_id=%s", network, id), nil, "ports/*/device_owner", "ports/0/fixed_ips", "ports/*/id", "ports/0/security_groups")
	s.ask("interface: added twice", net, add, in(subnet))
	s.ask("interface: that overlaps", net, add, in(same))
	s.ask("interface: of a subnet without a gateway", net, add, in(headless))
	s.ask("interface: of a subnet that is not there", net, add, in(nowhere))
	s.ask("interface: of nothing", net, add, map[string]any{})
	s.ask("interface: of another router too", net, path("PUT /routers/%s/add_router_interface", two), in(subnet))
	s.ask("interface: its port deleted", net, "DELETE /ports/"+port, nil)
	s.ask("deleted with an interface", net, "DELETE /routers/"+id, nil)
	s.ask("subnet deleted with an interface", net, "DELETE /subnets/"+subnet, nil)
	s.ask("network deleted with an interface", net, "DELETE /networks/"+network, nil)

	float := s.do(net, "POST /floatingips", object("floatingip", "floating_network_id", external)).id("floating IP")
	inside := s.do(net, "POST /ports", object("port", "network_id", network, "fixed_ips", []any{map[string]any{"ip_address": "10.77.1.9"}})).id("port")
	s.do(net, "PUT /floatingips/"+float, object("floatingip", "port_id", inside))
	s.ask("interface: removed with a floating IP", net, remove, map[string]any{"port_id": port})
	s.ask("gateway taken with a floating IP", net, "PUT /routers/"+id, of("external_gateway_info", nil))
	s.do(net, "DELETE /floatingips/"+float, nil)
	s.do(net, "DELETE /ports/"+inside, nil)
	s.ask("interface: removed by its port", net, remove, map[string]any{"port_id": port}, "@keys", "subnet_id", "port_id")
	s.ask("interface: removed twice by its port", net, remove, map[string]any{"port_id": port})
	s.ask("interface: removed twice by its subnet", net, remove, in(subnet))
	s.ask("interface: of a port", net, "POST /ports", object("port", "network_id", network, "fixed_ips", []any{map[string]any{"ip_address": "10.77.1.77"}}), "port/fixed_ips/0/ip_address")
	own := s.do(net, "GET /ports?network_id="+network, nil).text("ports/0/id")
	s.call(own, "own port")
	s.ask("interface: added by a port", net, add, map[string]any{"port_id": own}, "port_id", "subnet_id")
	s.ask("interface: added by a port that is used", net, path("PUT /routers/%s/add_router_interface", two), map[string]any{"port_id": own})
	s.ask("interface: removed by its subnet", net, remove, in(subnet), "port_id")
	s.ask("interface: its port is gone", net, "GET /ports/"+own, nil)
	s.ask("interface: of a router that is not there", net, path("PUT /routers/%s/add_router_interface", nowhere), in(subnet))
	s.ask("deleted", net, "DELETE /routers/"+id, nil)
	s.ask("deleted twice", net, "DELETE /routers/"+id, nil)
	s.ask("one that is not there", net, "GET /routers/"+nowhere, nil)
	s.do(net, "DELETE /routers/"+two, nil)
	s.unlan(network, overlapping, bare)
}

func floating(s *session) {
	const net = openstack.Network
	external := s.meant("external network")
	network, subnet := s.lan("lan", "10.77.1.0/24")
	unrouted, _ := s.lan("unrouted", "10.77.2.0/24")
	router := s.do(net, "POST /routers", object("router", "external_gateway_info", map[string]any{"network_id": external})).id("router")
	s.do(net, path("PUT /routers/%s/add_router_interface", router), map[string]any{"subnet_id": subnet})
	made := func(name, network, address string) string {
		return s.do(net, "POST /ports", object("port", "network_id", network, "fixed_ips", []any{map[string]any{"ip_address": address}})).id(name)
	}
	port, second, outside := made("port", network, "10.77.1.9"), made("second port", network, "10.77.1.10"), made("unrouted port", unrouted, "10.77.2.9")
	of := func(pairs ...any) map[string]any { return object("floatingip", pairs...) }

	a := s.ask("made for a port", net, "POST /floatingips", of("floating_network_id", external, "port_id", port, "description", key),
		"floatingip/@keys", "floatingip/port_id", "floatingip/router_id", "floatingip/fixed_ip_address", "floatingip/description", "floatingip/floating_network_id")
	id := a.id("floating IP")
	s.until(net, "GET /floatingips/"+id, "floatingip/port_id", port)
	s.ask("found by its key", net, path("GET /floatingips?description=%s&project_id=%s", "marina.dev%2Fcluster-uid%3D11111111-2222-4333-8444-555555555555+role%3Dnetwork", s.project), nil, "floatingips/*/id")
	a = s.ask("a second one", net, "POST /floatingips", of("floating_network_id", external), "floatingip/port_id", "floatingip/router_id", "floatingip/fixed_ip_address", "floatingip/status")
	two := a.id("second")
	s.ask("a second one for the same port", net, "PUT /floatingips/"+two, of("port_id", port))
	s.ask("made for the same port", net, "POST /floatingips", of("floating_network_id", external, "port_id", port))
	s.ask("for a port that no router leads to", net, "PUT /floatingips/"+two, of("port_id", outside))
	s.ask("for a port that is not there", net, "PUT /floatingips/"+two, of("port_id", nowhere))
	s.ask("moved to another port", net, "PUT /floatingips/"+id, of("port_id", second), "floatingip/port_id", "floatingip/fixed_ip_address", "floatingip/router_id")
	s.ask("taken from its port", net, "PUT /floatingips/"+id, of("port_id", nil), "floatingip/port_id", "floatingip/fixed_ip_address", "floatingip/router_id")
	s.ask("marked", net, "PUT /floatingips/"+id, of("description", "mine"), "floatingip/description")
	s.ask("given to a port again", net, "PUT /floatingips/"+id, of("port_id", port), "floatingip/port_id")
	s.do(net, "DELETE /ports/"+port, nil)
	s.ask("whose port was deleted", net, "GET /floatingips/"+id, nil, "floatingip/port_id", "floatingip/fixed_ip_address", "floatingip/router_id", "floatingip/description")
	s.ask("in a network that is not external", net, "POST /floatingips", of("floating_network_id", network))
	s.ask("in a network that is not there", net, "POST /floatingips", of("floating_network_id", nowhere))
	s.ask("without a network", net, "POST /floatingips", of("description", "x"))
	s.ask("with an address of one's own", net, "POST /floatingips", of("floating_network_id", external, "floating_ip_address", "10.77.9.9"))
	s.ask("one that is not there", net, "GET /floatingips/"+nowhere, nil)
	s.ask("deleted", net, "DELETE /floatingips/"+id, nil)
	s.ask("deleted twice", net, "DELETE /floatingips/"+id, nil)
	s.do(net, "DELETE /floatingips/"+two, nil)
	s.do(net, "DELETE /ports/"+second, nil)
	s.do(net, "DELETE /ports/"+outside, nil)
	s.do(net, path("PUT /routers/%s/remove_router_interface", router), map[string]any{"subnet_id": subnet})
	s.do(net, "DELETE /routers/"+router, nil)
	s.unlan(network, unrouted)
}
