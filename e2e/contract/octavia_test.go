package contract

import "github.com/marina-dev/marina/dataplane/openstack"

const lb = openstack.LoadBalancer

// active waits until a load balancer has no change pending.
func (s *session) active(id string) {
	s.Helper()
	s.until(lb, "GET /lbaas/loadbalancers/"+id, "loadbalancer/provisioning_status", "ACTIVE")
}

// whilePending records what is answered to a request about a load balancer that is being made:
// one of its own, and another where the first was made before the request was answered, for then
// the answer says nothing.
func (s *session) whilePending(name, subnet string, request func(id string) (string, any)) {
	s.Helper()
	for range 10 {
		id := s.do(lb, "POST /lbaas/loadbalancers", object("loadbalancer", "vip_subnet_id", subnet, "provider", "amphora")).id("balancer")
		line, body := request(id)
		a := s.send(s.client, lb, line, body)
		pending := s.send(s.client, lb, "GET /lbaas/loadbalancers/"+id, nil).text("loadbalancer/provisioning_status") == "PENDING_CREATE"
		if s.until(lb, "GET /lbaas/loadbalancers/"+id, "loadbalancer/provisioning_status", "ACTIVE", "DELETED", gone).text("loadbalancer/provisioning_status") == "ACTIVE" {
			s.do(lb, "DELETE /lbaas/loadbalancers/"+id+"?cascade=true", nil)
			s.until(lb, "GET /lbaas/loadbalancers/"+id, "loadbalancer/provisioning_status", gone, "DELETED")
		}
		s.withoutPort(id)
		if pending {
			s.record(name, a.fact(lb, nil))
			return
		}
	}
	s.Fatalf("%s: ten load balancers were not pending any more when this was answered", name)
}

// withoutPort removes the port of a load balancer that was deleted, which is no fact: workers
// that know no network leave it.
func (s *session) withoutPort(id string) {
	s.Helper()
	for _, port := range s.all(openstack.Network, "GET /ports?device_id=lb-"+id, "ports/*/id") {
		s.do(openstack.Network, "DELETE /ports/"+port, nil)
	}
}

func balancers(s *session) {
	network, subnet := s.lan("lan", "10.77.1.0/24")
	of := func(pairs ...any) map[string]any {
		return object("loadbalancer", append([]any{"vip_subnet_id", subnet, "provider", "amphora"}, pairs...)...)
	}
	s.ask("none", lb, "GET /lbaas/loadbalancers", nil, "@keys", "loadbalancers")
	s.whilePending("changed while it is pending", subnet, func(id string) (string, any) {
		return "PUT /lbaas/loadbalancers/" + id, object("loadbalancer", "name", "two")
	})
	s.whilePending("deleted while it is pending", subnet, func(id string) (string, any) {
		return "DELETE /lbaas/loadbalancers/" + id, nil
	})
	s.ask("providers", lb, "GET /lbaas/providers", nil, "@keys", "providers/0/@keys")
	a := s.ask("made", lb, "POST /lbaas/loadbalancers", of("name", "one", "description", key, "tags", []string{"x"}), "loadbalancer/@keys", "loadbalancer/provisioning_status", "loadbalancer/operating_status",
		"loadbalancer/vip_subnet_id", "loadbalancer/vip_network_id", "loadbalancer/description", "loadbalancer/tags", "loadbalancer/provider", "loadbalancer/listeners", "loadbalancer/pools", "loadbalancer/admin_state_up")
	id := a.id("balancer")
	s.call(a.text("loadbalancer/vip_port_id"), "VIP port")
	s.call(a.text("loadbalancer/vip_address"), "VIP")
	one := "/lbaas/loadbalancers/" + id
	s.active(id)
	s.ask("in the end", lb, "GET "+one, nil, "loadbalancer/provisioning_status", "loadbalancer/operating_status")
	s.ask("VIP port", openstack.Network, "GET /ports/"+s.meant("VIP port"), nil, "port/device_owner", "port/name", "port/admin_state_up", "port/status", "port/project_id", "port/device_id")
	s.ask("by its name", lb, "GET /lbaas/loadbalancers?name=one", nil, "loadbalancers/*/id")
	s.ask("by another name", lb, "GET /lbaas/loadbalancers?name=two", nil, "loadbalancers")
	s.ask("by its tag", lb, "GET /lbaas/loadbalancers?tags=x", nil, "loadbalancers/*/id")
	s.ask("by another tag", lb, "GET /lbaas/loadbalancers?tags=y", nil, "loadbalancers")
	s.ask("by its description", lb, "GET /lbaas/loadbalancers?description=none", nil, "loadbalancers")
	s.ask("by its VIP's subnet", lb, "GET /lbaas/loadbalancers?vip_subnet_id="+subnet, nil, "loadbalancers/*/id")
	s.ask("by a filter that is not known", lb, "GET /lbaas/loadbalancers?colour=blue", nil, "loadbalancers/*/id")
	s.ask("renamed", lb, "PUT "+one, object("loadbalancer", "name", "two"), "loadbalancer/provisioning_status")
	s.active(id)
	s.ask("renamed: in the end", lb, "GET "+one, nil, "loadbalancer/name")
	s.ask("what cannot be changed", lb, "PUT "+one, object("loadbalancer", "vip_subnet_id", nowhere))
	s.ask("status", lb, "GET "+one+"/status", nil, "statuses/loadbalancer/@keys")
	s.ask("its network deleted", openstack.Network, "DELETE /subnets/"+subnet, nil)
	s.ask("its VIP port deleted", openstack.Network, "GET /ports?network_id="+network, nil, "ports/*/device_owner")

	s.ask("in a subnet that is not there", lb, "POST /lbaas/loadbalancers", object("loadbalancer", "vip_subnet_id", nowhere))
	s.ask("in no subnet", lb, "POST /lbaas/loadbalancers", object("loadbalancer", "name", "x"))
	s.ask("of a provider that is not there", lb, "POST /lbaas/loadbalancers", of("provider", "magic"))
	s.ask("of a flavor that is not there", lb, "POST /lbaas/loadbalancers", of("flavor_id", nowhere))
	s.ask("with an address that is taken", lb, "POST /lbaas/loadbalancers", of("vip_address", a.text("loadbalancer/vip_address")))
	s.ask("with a key that is not known", lb, "POST /lbaas/loadbalancers", of("colour", "blue"))
	s.ask("one that is not there", lb, "GET /lbaas/loadbalancers/"+nowhere, nil)
	s.ask("one with an id that is none", lb, "GET /lbaas/loadbalancers/nothing", nil)
	s.ask("deleted that is not there", lb, "DELETE /lbaas/loadbalancers/"+nowhere, nil)
	s.ask("a path that is none", lb, "GET /lbaas/magic", nil)
	s.ask("quota", lb, "GET /lbaas/quotas/"+s.project, nil, "@keys", "quota/@keys")
	s.ask("quota of another project", lb, "GET /lbaas/quotas/"+nowhere, nil)
	s.asAdmin(lb, "PUT /lbaas/quotas/"+s.project, object("quota", "loadbalancer", 1))
	s.ask("over the quota", lb, "POST /lbaas/loadbalancers", of("name", "three"))
	s.asAdmin(lb, "PUT /lbaas/quotas/"+s.project, object("quota", "loadbalancer", 10))

	s.ask("deleted", lb, "DELETE "+one, nil)
	s.until(lb, "GET "+one, "loadbalancer/provisioning_status", gone, "DELETED")
	s.ask("deleted: shown", lb, "GET "+one, nil, "loadbalancer/provisioning_status")
	s.ask("deleted: listed", lb, "GET /lbaas/loadbalancers", nil, "loadbalancers")
	s.withoutPort(id)
	s.unlan(network)
}

// parts are those of a load balancer.
func parts(s *session) {
	network, subnet := s.lan("lan", "10.77.1.0/24")
	s.whilePending("listener of one that is pending", subnet, func(id string) (string, any) {
		return "POST /lbaas/listeners", object("listener", "loadbalancer_id", id, "protocol", "TCP", "protocol_port", 80)
	})
	id := s.do(lb, "POST /lbaas/loadbalancers", object("loadbalancer", "vip_subnet_id", subnet, "provider", "amphora")).id("balancer")
	listener := func(pairs ...any) map[string]any {
		return object("listener", append([]any{"loadbalancer_id", id, "protocol", "TCP", "protocol_port", 80}, pairs...)...)
	}
	s.active(id)
	a := s.ask("listener", lb, "POST /lbaas/listeners", listener("name", "l"), "listener/@keys", "listener/provisioning_status", "listener/default_pool_id", "listener/loadbalancers", "listener/connection_limit")
	l := a.id("listener")
	s.active(id)
	s.ask("listener of a port that is taken", lb, "POST /lbaas/listeners", listener())
	s.ask("listener of a protocol that is none", lb, "POST /lbaas/listeners", listener("protocol", "MAGIC"))
	s.ask("listener of a port that is none", lb, "POST /lbaas/listeners", listener("protocol_port", 70000))
	s.ask("listener of a load balancer that is not there", lb, "POST /lbaas/listeners", listener("loadbalancer_id", nowhere))
	pool := func(pairs ...any) map[string]any {
		return object("pool", append([]any{"listener_id", l, "protocol", "TCP", "lb_algorithm", "ROUND_ROBIN"}, pairs...)...)
	}
	a = s.ask("pool", lb, "POST /lbaas/pools", pool("name", "p"), "pool/@keys", "pool/provisioning_status", "pool/listeners", "pool/members", "pool/healthmonitor_id", "pool/loadbalancers")
	p := a.id("pool")
	s.active(id)
	s.ask("pool: a second one of the listener", lb, "POST /lbaas/pools", pool())
	s.ask("pool of an algorithm that is none", lb, "POST /lbaas/pools", pool("lb_algorithm", "MAGIC"))
	s.ask("pool of a listener that is not there", lb, "POST /lbaas/pools", pool("listener_id", nowhere))
	member := func(address string) map[string]any {
		return object("member", "address", address, "protocol_port", 30080, "subnet_id", subnet)
	}
	at1 := path("/lbaas/pools/%s/members", p)
	a = s.ask("member", lb, "POST "+at1, member("10.77.1.20"), "member/@keys", "member/provisioning_status", "member/operating_status", "member/weight")
	m := a.id("member")
	s.active(id)
	s.ask("member twice", lb, "POST "+at1, member("10.77.1.20"))
	s.ask("member of an address that is none", lb, "POST "+at1, member("here"))
	s.ask("member of a pool that is not there", lb, path("POST /lbaas/pools/%s/members", nowhere), member("10.77.1.21"))
	s.ask("members replaced", lb, "PUT "+at1, map[string]any{"members": []any{member("10.77.1.21")["member"], member("10.77.1.22")["member"]}})
	s.active(id)
	s.ask("members replaced: in the end", lb, "GET "+at1+"?sort_key=address", nil, "members/*/address")
	s.ask("member that is not there", lb, "GET "+at1+"/"+m, nil)
	a = s.ask("monitor", lb, "POST /lbaas/healthmonitors", object("healthmonitor", "pool_id", p, "type", "TCP", "delay", 5, "timeout", 3, "max_retries", 2), "healthmonitor/@keys", "healthmonitor/provisioning_status", "healthmonitor/max_retries_down")
	h := a.id("monitor")
	s.active(id)
	s.ask("monitor: a second one", lb, "POST /lbaas/healthmonitors", object("healthmonitor", "pool_id", p, "type", "TCP", "delay", 5, "timeout", 3, "max_retries", 2))
	s.ask("monitor of a type that is none", lb, "POST /lbaas/healthmonitors", object("healthmonitor", "pool_id", p, "type", "MAGIC", "delay", 5, "timeout", 3, "max_retries", 2))
	s.ask("listeners of a load balancer", lb, "GET /lbaas/listeners?loadbalancer_id="+id, nil, "listeners/*/id")
	s.ask("pools of a load balancer", lb, "GET /lbaas/pools?loadbalancer_id="+id, nil, "pools/*/id")
	s.ask("load balancer with parts deleted", lb, "DELETE /lbaas/loadbalancers/"+id, nil)
	s.ask("monitor deleted", lb, "DELETE /lbaas/healthmonitors/"+h, nil)
	s.active(id)
	s.ask("pool deleted", lb, "DELETE /lbaas/pools/"+p, nil)
	s.active(id)
	s.ask("pool deleted: its listener", lb, "GET /lbaas/listeners/"+l, nil, "listener/default_pool_id", "listener/provisioning_status")
	s.ask("load balancer with parts deleted, cascading", lb, "DELETE /lbaas/loadbalancers/"+id+"?cascade=true", nil)
	s.until(lb, "GET /lbaas/loadbalancers/"+id, "loadbalancer/provisioning_status", gone, "DELETED")
	s.ask("listener of one that was deleted", lb, "GET /lbaas/listeners/"+l, nil)
	s.withoutPort(id)
	s.whole(subnet)
	s.unlan(network)
}

// whole is a load balancer that is made with all its parts at once.
func (s *session) whole(subnet string) {
	member := map[string]any{"address": "10.77.1.20", "protocol_port": 30080, "subnet_id": subnet}
	pool := map[string]any{"name": "p", "protocol": "TCP", "lb_algorithm": "ROUND_ROBIN", "members": []any{member},
		"healthmonitor": map[string]any{"type": "TCP", "delay": 5, "timeout": 3, "max_retries": 2}}
	body := object("loadbalancer", "vip_subnet_id", subnet, "provider", "amphora", "name", "whole", "listeners", []any{map[string]any{"protocol": "TCP", "protocol_port": 80, "name": "l", "default_pool": pool}})
	id := s.ask("whole: made", lb, "POST /lbaas/loadbalancers", body, "loadbalancer/@keys", "loadbalancer/provisioning_status", "loadbalancer/listeners/#", "loadbalancer/pools/#", "loadbalancer/listeners/0/name").id("whole")
	s.active(id)
	s.ask("whole: in the end", lb, "GET /lbaas/loadbalancers/"+id, nil, "loadbalancer/listeners/#", "loadbalancer/pools/#", "loadbalancer/listeners/0/@keys")
	s.ask("whole: its members", lb, path("GET /lbaas/pools/%s/members", s.all(lb, "GET /lbaas/pools?loadbalancer_id="+id, "pools/*/id")[0]), nil, "members/*/address")
	s.do(lb, "DELETE /lbaas/loadbalancers/"+id+"?cascade=true", nil)
	s.until(lb, "GET /lbaas/loadbalancers/"+id, "loadbalancer/provisioning_status", gone, "DELETED")
	s.withoutPort(id)
}
