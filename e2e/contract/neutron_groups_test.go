package contract

import "github.com/marina-dev/marina/dataplane/openstack"

func securityGroups(s *session) {
	const net = openstack.Network
	of := func(pairs ...any) map[string]any { return object("security_group", pairs...) }
	a := s.ask("the default one", net, "GET /security-groups?name=default&project_id="+s.project, nil, "security_groups/*/name", "security_groups/0/@keys", "security_groups/0/security_group_rules/#", "security_groups/0/description")
	first := s.call(a.text("security_groups/0/id"), "default")
	a = s.ask("made", net, "POST /security-groups", of("name", "nodes", "description", key), "security_group/@keys", "security_group/description",
		"security_group/security_group_rules/*/direction", "security_group/security_group_rules/0/@keys")
	id := a.id("group")
	s.ask("found by its key", net, path("GET /security-groups?description=%s&project_id=%s", "marina.dev%2Fcluster-uid%3D11111111-2222-4333-8444-555555555555+role%3Dnetwork", s.project), nil, "security_groups/*/id", "security_groups/0/security_group_rules/#")
	a = s.ask("of the same name", net, "POST /security-groups", of("name", "nodes"), "security_group/name", "security_group/description")
	same := a.id("second group")
	s.ask("marked", net, "PUT /security-groups/"+id, of("description", "mine"), "security_group/description")
	s.ask("called default", net, "POST /security-groups", of("name", "default"))
	s.ask("default, deleted", net, "DELETE /security-groups/"+first, nil)
	s.ask("default, renamed", net, "PUT /security-groups/"+first, of("name", "mine"))
	s.ask("without a name", net, "POST /security-groups", of("description", "x"), "security_group/name")
	for _, unnamed := range s.all(net, "GET /security-groups?description=x", "security_groups/*/id") {
		s.do(net, "DELETE /security-groups/"+unnamed, nil)
	}
	s.rules(id)
	s.ask("one that is not there", net, "GET /security-groups/"+nowhere, nil)
	s.ask("deleted", net, "DELETE /security-groups/"+id, nil)
	s.ask("deleted twice", net, "DELETE /security-groups/"+id, nil)
	s.do(net, "DELETE /security-groups/"+same, nil)
}

// all are the ids in a list.
func (s *session) all(service, request, see string) []string {
	s.Helper()
	var ids []string
	list, _ := at(s.do(service, request, nil).json, see)
	for _, id := range list.([]any) {
		ids = append(ids, id.(string))
	}
	return ids
}

func (s *session) rules(group string) {
	const net, post = openstack.Network, "POST /security-group-rules"
	one := func(pairs ...any) map[string]any {
		return object("security_group_rule", append([]any{"security_group_id", group, "direction", "ingress", "ethertype", "IPv4"}, pairs...)...)
	}
	tcp := []any{"protocol", "tcp", "port_range_min", 30000, "port_range_max", 32767, "description", key}
	a := s.ask("rule: made", net, post, one(tcp...), "security_group_rule/@keys", "security_group_rule/direction", "security_group_rule/ethertype", "security_group_rule/protocol",
		"security_group_rule/port_range_min", "security_group_rule/port_range_max", "security_group_rule/remote_group_id", "security_group_rule/remote_ip_prefix", "security_group_rule/description")
	rule := a.id("rule")
	s.ask("rule: the same once more", net, post, one(tcp...))
	s.ask("rule: the same with another description", net, post, one(append(tcp[:6:6], "description", "x")...))
	list := func(names ...any) map[string]any { return map[string]any{"security_group_rules": names} }
	group6 := one("ethertype", "IPv6", "remote_group_id", group)["security_group_rule"]
	icmp := one("protocol", "icmp")["security_group_rule"]
	s.ask("rules: several at once", net, post, list(group6, icmp), "@keys", "security_group_rules/*/ethertype", "security_group_rules/*/protocol")
	s.ask("rules: several at once, one there already", net, post, list(one("protocol", "udp")["security_group_rule"], icmp))
	s.ask("rules: of several that failed none is there", net, "GET /security-group-rules?protocol=udp&security_group_id="+group, nil, "security_group_rules")
	s.ask("rule: what every group has", net, post, one("direction", "egress"))
	s.ask("rule: by a number of a protocol", net, post, one("protocol", "6", "port_range_min", 1, "port_range_max", 2), "security_group_rule/protocol")
	s.ask("rule: with a prefix of all", net, post, one("protocol", "sctp", "remote_ip_prefix", "0.0.0.0/0"), "security_group_rule/remote_ip_prefix")
	s.ask("rule: with ports and no protocol", net, post, one("port_range_min", 1, "port_range_max", 2))
	s.ask("rule: with ports the wrong way round", net, post, one("protocol", "tcp", "port_range_min", 2, "port_range_max", 1))
	s.ask("rule: of a protocol that is none", net, post, one("protocol", "magic"))
	s.ask("rule: of a direction that is none", net, post, one("direction", "sideways"))
	s.ask("rule: with a group and a prefix", net, post, one("remote_group_id", group, "remote_ip_prefix", "10.77.0.0/16"))
	s.ask("rule: with a group that is not there", net, post, one("remote_group_id", nowhere))
	s.ask("rule: with a prefix of the other version", net, post, one("remote_ip_prefix", "fd00::/64"))
	s.ask("rule: in a group that is not there", net, post, object("security_group_rule", "security_group_id", nowhere, "direction", "ingress"))
	s.ask("rules: of a group", net, "GET /security-group-rules?direction=ingress&security_group_id="+group, nil, "@keys", "security_group_rules/#")
	s.ask("rule: deleted", net, "DELETE /security-group-rules/"+rule, nil)
	s.ask("rule: deleted twice", net, "DELETE /security-group-rules/"+rule, nil)
	s.ask("rule: that is not there", net, "GET /security-group-rules/"+nowhere, nil)
}

// networkQuotas are those of Neutron. The details are what a preflight reads.
func networkQuotas(s *session) {
	const net = openstack.Network
	quota := func(kind string, limit int) {
		s.asAdmin(net, "PUT /quotas/"+s.project, object("quota", kind, limit))
	}
	for _, kind := range []string{"network", "subnet", "port", "router", "floatingip", "security_group", "security_group_rule"} {
		s.ask("details of "+kind, net, "GET /quotas/"+s.project+"/details.json", nil, "@keys", "quota/"+kind+"/@keys", "quota/"+kind+"/limit", "quota/"+kind+"/used", "quota/"+kind+"/reserved")
	}
	s.ask("limits", net, "GET /quotas/"+s.project, nil, "quota/network", "quota/port")
	s.ask("those of another project", net, "GET /quotas/"+nowhere+"/details.json", nil)
	s.ask("set without the right to", net, "PUT /quotas/"+s.project, object("quota", "network", 1))
	network, subnet := s.lan("lan", "10.77.1.0/24")
	external := s.meant("external network")
	for _, one := range []struct {
		kind, path string
		used       int
		body       map[string]any
	}{
		{"network", "/networks", 1, object("network", "name", "x")},
		{"subnet", "/subnets", 1, object("subnet", "network_id", network, "cidr", "10.77.9.0/24", "ip_version", 4)},
		{"port", "/ports", 0, object("port", "network_id", network)},
		{"router", "/routers", 0, object("router", "name", "x")},
		{"floatingip", "/floatingips", 0, object("floatingip", "floating_network_id", external)},
		{"security_group", "/security-groups", 1, object("security_group", "name", "x")},
	} {
		quota(one.kind, one.used)
		s.ask("over that of "+one.kind, net, "POST "+one.path, one.body)
		quota(one.kind, 50)
	}
	group := s.do(net, "POST /security-groups", object("security_group", "name", "x")).id("group")
	quota("security_group_rule", 6)
	s.ask("over that of security_group_rule", net, "POST /security-group-rules", object("security_group_rule", "security_group_id", group, "direction", "ingress", "protocol", "tcp"))
	s.ask("over that of security_group_rule, by a new group", net, "POST /security-groups", object("security_group", "name", "y"))
	quota("security_group_rule", 100)
	for _, left := range s.all(net, "GET /security-groups?name=y", "security_groups/*/id") {
		s.do(net, "DELETE /security-groups/"+left, nil)
	}
	s.do(net, "DELETE /security-groups/"+group, nil)
	quota("port", 1)
	s.ask("several ports over the quota", net, "POST /ports", map[string]any{"ports": []any{map[string]any{"network_id": network}, map[string]any{"network_id": network}}})
	s.ask("several ports over the quota: none is there", net, "GET /ports?network_id="+network, nil, "ports")
	quota("port", 0)
	router := s.ask("a router with a gateway needs no port of the quota", net, "POST /routers", object("router", "external_gateway_info", map[string]any{"network_id": external}), "router/status").id("router")
	s.ask("neither does an interface", net, path("PUT /routers/%s/add_router_interface", router), map[string]any{"subnet_id": subnet})
	s.ask("it is counted though", net, "GET /quotas/"+s.project+"/details.json", nil, "quota/port/used", "quota/port/limit")
	s.send(s.client, net, path("PUT /routers/%s/remove_router_interface", router), map[string]any{"subnet_id": subnet})
	quota("port", 500)
	s.do(net, "DELETE /routers/"+router, nil)
	s.unlan(network)
	quota("network", -1)
	s.ask("no limit", net, "GET /quotas/"+s.project+"/details.json", nil, "quota/network/limit")
	quota("network", 100)
}

// plain are what a cloud has of Neutron.
func plain(s *session) {
	const net = openstack.Network
	s.ask("version", net, "GET /", nil, "@keys", "resources/0/@keys")
	a := s.ask("extensions", net, "GET /extensions", nil, "@keys", "extensions/0/@keys")
	aliases, _ := at(a.json, "extensions/*/alias")
	for _, alias := range []string{
		"allowed-address-pairs", "availability_zone", "external-net", "filter-validation", "net-mtu", "pagination", "port-security", "quota_details", "quotas", "router", "security-group",
		"sorting", "standard-attr-description", "standard-attr-tag", "standard-attr-timestamp", "project-id", "security-groups-shared-filtering", "stateful-security-group", "port-security-groups-filtering", "fip-port-details",
	} {
		s.record("extension "+alias, map[bool]string{true: "there", false: "none"}[len(only(aliases, alias)) == 1])
	}
	s.ask("an extension", net, "GET /extensions/quotas", nil, "extension/alias")
	s.ask("an extension that is not there", net, "GET /extensions/magic", nil)
	s.ask("a path that is none", net, "GET /magic", nil)
}
