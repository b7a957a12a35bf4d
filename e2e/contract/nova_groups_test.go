package contract

import "github.com/marina-dev/marina/dataplane/openstack"

func serverGroups(s *session) {
	b := s.base()
	const post = "POST /os-server-groups"
	of := func(pairs ...any) map[string]any { return object("server_group", pairs...) }
	a := s.ask("made", compute, post, of("name", "hard", "policy", "anti-affinity"), "server_group/@keys", "server_group/members", "server_group/policy", "server_group/rules", "server_group/name")
	hard := a.id("hard")
	a = s.ask("soft", compute, post, of("name", "soft", "policy", "soft-anti-affinity"), "server_group/policy", "server_group/rules")
	soft := a.id("soft")
	a = s.ask("of the same name", compute, post, of("name", "soft", "policy", "soft-affinity"), "server_group/name")
	same := a.id("same")
	a = s.ask("with a limit", compute, post, of("name", "limited", "policy", "anti-affinity", "rules", map[string]any{"max_server_per_host": 2}), "server_group/rules")
	limited := a.id("limited")
	a = s.ask("in an old microversion", compute+"@2.15", post, of("name", "old", "policies", []string{"affinity"}), "server_group/@keys", "server_group/policies")
	old := a.id("old")
	s.ask("with a limit and another policy", compute, post, of("name", "x", "policy", "affinity", "rules", map[string]any{"max_server_per_host": 2}))
	s.ask("with a limit of 0", compute, post, of("name", "x", "policy", "anti-affinity", "rules", map[string]any{"max_server_per_host": 0}))
	s.ask("with a rule that is not known", compute, post, of("name", "x", "policy", "anti-affinity", "rules", map[string]any{"colour": "blue"}))
	s.ask("of a policy that is none", compute, post, of("name", "x", "policy", "magic"))
	s.ask("without a policy", compute, post, of("name", "x"))
	s.ask("without a name", compute, post, of("policy", "affinity"))
	s.ask("with policies", compute, post, of("name", "x", "policies", []string{"affinity"}))
	s.ask("with a policy in an old microversion", compute+"@2.15", post, of("name", "x", "policy", "affinity"))
	s.ask("one that is not there", compute, "GET /os-server-groups/"+nowhere, nil)
	s.ask("deleted that is not there", compute, "DELETE /os-server-groups/"+nowhere, nil)
	s.ask("list", compute, "GET /os-server-groups", nil, "@keys", "server_groups/#", "server_groups/0/@keys")
	s.ask("list with a limit", compute, "GET /os-server-groups?limit=2&offset=1", nil, "server_groups/#")
	s.ask("list of all projects without the right to", compute, "GET /os-server-groups?all_projects=1", nil, "server_groups/#")

	in := func(name, group string) map[string]any {
		body := b.server(name)
		body["os:scheduler_hints"] = map[string]any{"group": group}
		return body
	}
	var members []string
	for i := range s.cloud.computes() {
		id := s.do(compute, "POST /servers", in(path("m%d", i), hard)).text("server/id")
		members = append(members, id)
		if i == 0 {
			s.call(id, "first member")
			s.ask("a member while it is built", compute, "GET /os-server-groups/"+hard, nil, "server_group/members")
		}
		s.until(compute, "GET /servers/"+id, "server/status", "ACTIVE")
	}
	s.ask("a member knows its group", compute+"@2.71", "GET /servers/"+members[0], nil, "server/server_groups")
	more := s.ask("one member too many", compute, "POST /servers", in("more", hard), "server/@keys").id("more")
	s.settled("one member too many: in the end", compute, "GET /servers/"+more, "server/status", "server/fault/@keys", "server/fault/code", "server/fault/message", "server/OS-EXT-STS:vm_state", "server/OS-EXT-STS:task_state", "server/hostId", "server/addresses", "server/@keys")
	fault := s.send(s.admin, compute, "GET /servers/"+more, nil)
	s.record("one member too many: as its operator sees it", fault.fact(compute, []string{"server/fault/@keys"}))
	s.ask("one member too many: its ports", openstack.Network, "GET /ports?device_id="+more, nil, "ports")
	v, _ := at(s.do(compute, "GET /os-server-groups/"+hard, nil).json, "server_group/members/#")
	s.record("one member too many: members beyond the hosts", shown(v.(float64)-float64(s.cloud.computes()), true))
	b.end(more)
	v, _ = at(s.do(compute, "GET /os-server-groups/"+hard, nil).json, "server_group/members/#")
	s.record("members without one that was deleted, beyond the hosts", shown(v.(float64)-float64(s.cloud.computes()), true))
	s.ask("deleted with members", compute, "DELETE /os-server-groups/"+hard, nil)
	s.ask("a member knows no group that was deleted", compute+"@2.71", "GET /servers/"+members[0], nil, "server/server_groups")
	s.ask("deleted twice", compute, "DELETE /os-server-groups/"+hard, nil)
	b.end(members...)
	apart := s.do(compute, "POST /servers", in("apart", soft)).id("apart")
	s.settled("a member of a soft group", compute, "GET /servers/"+apart, "server/status")
	b.limits(in, soft)
	b.end(apart)
	for _, id := range []string{soft, same, limited, old} {
		s.do(compute, "DELETE /os-server-groups/"+id, nil)
	}
	b.remove()
}

// limits of server groups.
func (b *base) limits(in func(name, group string) map[string]any, group string) {
	quota := func(kind string, limit int) {
		b.asAdmin(compute, "PUT /os-quota-sets/"+b.project, object("quota_set", kind, limit))
	}
	quota("server_group_members", 1)
	b.ask("over the quota of members", compute, "POST /servers", in("x", group))
	quota("server_group_members", 10)
	quota("server_groups", 4)
	b.ask("over the quota of groups", compute, "POST /os-server-groups", object("server_group", "name", "x", "policy", "affinity"))
	quota("server_groups", 10)
}

// computeQuotas are those of Nova.
func computeQuotas(s *session) {
	b := s.base()
	quota := func(kind string, limit int) {
		s.asAdmin(compute, "PUT /os-quota-sets/"+s.project, object("quota_set", kind, limit))
	}
	s.ask("limits", compute, "GET /limits", nil, "@keys", "limits/@keys", "limits/rate", "limits/absolute/@keys", "limits/absolute/maxTotalInstances", "limits/absolute/maxTotalCores", "limits/absolute/maxTotalRAMSize",
		"limits/absolute/totalInstancesUsed", "limits/absolute/totalCoresUsed", "limits/absolute/totalRAMUsed", "limits/absolute/maxServerGroups")
	s.ask("limits in an old microversion", compute+"@2.1", "GET /limits", nil, "limits/absolute/@keys")
	s.ask("quota set", compute, "GET /os-quota-sets/"+s.project, nil, "quota_set/@keys", "quota_set/instances")
	s.ask("quota set in detail", compute, "GET /os-quota-sets/"+s.project+"/detail", nil, "quota_set/instances")
	s.ask("quota set of another project", compute, "GET /os-quota-sets/"+nowhere, nil)
	s.ask("quota set without the right to", compute, "PUT /os-quota-sets/"+s.project, object("quota_set", "instances", 1))
	id := b.run("one")
	s.ask("limits with a server", compute, "GET /limits", nil, "limits/absolute/totalInstancesUsed", "limits/absolute/totalCoresUsed", "limits/absolute/totalRAMUsed")
	for _, one := range []struct {
		kind  string
		limit int
	}{{"instances", 1}, {"cores", 1}, {"ram", 100}} {
		quota(one.kind, one.limit)
		s.ask("over the quota of "+one.kind, compute, "POST /servers", b.server("x"))
		quota(one.kind, map[string]int{"instances": 10, "cores": 20, "ram": 51200}[one.kind])
	}
	quota("instances", 1)
	quota("ram", 100)
	s.ask("over several quotas", compute, "POST /servers", b.server("x"))
	quota("instances", 10)
	quota("ram", 51200)
	quota("metadata_items", 1)
	s.ask("over the quota of metadata", compute, "POST /servers", b.server("x"))
	quota("metadata_items", 128)
	quota("instances", -1)
	s.ask("no limit", compute, "GET /limits", nil, "limits/absolute/maxTotalInstances")
	quota("instances", 10)

	s.asAdmin(openstack.Network, "PUT /quotas/"+s.project, object("quota", "port", 1))
	s.ask("over the quota of ports", compute, "POST /servers", b.server("x"))
	s.asAdmin(openstack.Network, "PUT /quotas/"+s.project, object("quota", "port", 500))
	b.end(id)
	s.ask("limits without a server", compute, "GET /limits", nil, "limits/absolute/totalInstancesUsed", "limits/absolute/totalCoresUsed", "limits/absolute/totalRAMUsed")
	b.remove()
}
