// Package octavia is the simulator's load balancing service, version 2.
package octavia

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/e2e/openstacksim/neutron"
	"github.com/marina-dev/marina/e2e/openstacksim/state"
)

// Octavia holds the load balancers. Besides its handlers, its methods are called under the
// lock of the state.
type Octavia struct {
	// Delay is how long a change is pending.
	Delay time.Duration
	// Quotas are by project: load_balancer, listener, pool, member, health_monitor.
	Quotas *state.Quotas

	state   *state.State
	neutron *neutron.Neutron
	tables  map[string]*state.Table[*object]
}

// object is a load balancer or a part of one.
type object struct {
	state.Base
	kind           *kind `state:"-"`
	attributes     map[string]any
	provisioning   string
	operating      string
	balancer       string
	parent         string // of a member or monitor: its pool
	listener, pool string // of a pool: its listener; of a listener: its default pool
}

// kind is a kind of object: its key in bodies, what it is called, and its attributes.
type kind struct {
	key, plural, quota, human string
	required                  []string
	defaults                  map[string]any
	fixed                     []string // may not be changed
}

var (
	balancers = &kind{key: "loadbalancer", plural: "loadbalancers", quota: "load_balancer", human: "Load Balancer",
		defaults: map[string]any{"vip_address": nil, "vip_subnet_id": nil, "vip_network_id": nil, "vip_port_id": nil, "vip_qos_policy_id": nil,
			"provider": "amphora", "flavor_id": nil, "availability_zone": nil, "additional_vips": []any{}},
		fixed: []string{"vip_address", "vip_subnet_id", "vip_network_id", "vip_port_id", "provider", "flavor_id", "availability_zone"}}
	listeners = &kind{key: "listener", plural: "listeners", quota: "listener", human: "Listener", required: []string{"protocol", "protocol_port", "loadbalancer_id"},
		defaults: map[string]any{"protocol": nil, "protocol_port": nil, "connection_limit": -1, "allowed_cidrs": nil, "timeout_client_data": 50000, "timeout_member_connect": 5000,
			"timeout_member_data": 50000, "timeout_tcp_inspect": 0, "insert_headers": map[string]any{}, "default_tls_container_ref": nil, "sni_container_refs": []any{}, "l7policies": []any{}, "alpn_protocols": nil,
			"client_authentication": "NONE", "client_ca_tls_container_ref": nil, "client_crl_container_ref": nil, "tls_ciphers": nil, "tls_versions": nil},
		fixed: []string{"protocol", "protocol_port", "loadbalancer_id"}}
	pools = &kind{key: "pool", plural: "pools", quota: "pool", human: "Pool", required: []string{"protocol", "lb_algorithm"},
		defaults: map[string]any{"protocol": nil, "lb_algorithm": nil, "session_persistence": nil, "tls_enabled": false, "alpn_protocols": nil, "ca_tls_container_ref": nil,
			"crl_container_ref": nil, "tls_ciphers": nil, "tls_container_ref": nil, "tls_versions": nil},
		fixed: []string{"protocol", "loadbalancer_id", "listener_id"}}
	members = &kind{key: "member", plural: "members", quota: "member", human: "Member", required: []string{"address", "protocol_port"},
		defaults: map[string]any{"address": nil, "protocol_port": nil, "weight": 1, "subnet_id": nil, "backup": false, "monitor_address": nil, "monitor_port": nil},
		fixed:    []string{"address", "protocol_port", "subnet_id"}}
	monitors = &kind{key: "healthmonitor", plural: "healthmonitors", quota: "health_monitor", human: "Health Monitor", required: []string{"pool_id", "type", "delay", "timeout", "max_retries"},
		defaults: map[string]any{"type": nil, "delay": nil, "timeout": nil, "max_retries": nil, "max_retries_down": 3, "http_method": nil, "url_path": nil, "expected_codes": nil, "domain_name": nil, "http_version": nil},
		fixed:    []string{"pool_id", "type"}}
	kinds = []*kind{balancers, listeners, pools, members, monitors}
)

// New adds the service to a front.
func New(s *state.State, f *front.Front, n *neutron.Neutron) *Octavia {
	o := &Octavia{state: s, neutron: n, tables: map[string]*state.Table[*object]{}}
	limits := map[string]int{}
	for _, k := range kinds {
		o.tables[k.key] = state.NewTable[*object](s, strings.ToLower(k.human))
		limits[k.quota] = -1
	}
	limits["l7policy"], limits["l7rule"] = -1, -1
	o.Quotas = state.NewQuotas(s, "load-balancer", limits, func(project, resource string) int {
		for _, k := range kinds {
			if k.quota == resource {
				return o.tables[k.key].Count(project)
			}
		}
		return 0
	})
	service := f.Add(&front.Service{Name: "load-balancer", Prefix: "/load-balancer/v2.0", Error: render, Nowhere: nowhere})
	o.routes(service)
	return o
}

// Restored completes what was read from the file.
func (o *Octavia) Restored() {
	for _, k := range kinds {
		for _, t := range o.tables[k.key].All() {
			t.kind = k
		}
	}
}

// render is an error as Octavia sends it.
func render(e *front.Error) front.Reply {
	side := "Client"
	if e.Status >= http.StatusInternalServerError {
		side = "Server"
	}
	return front.JSON(e.Status, map[string]any{"faultcode": side, "faultstring": e.Message, "debuginfo": nil})
}

func nowhere() front.Reply {
	return front.JSON(http.StatusNotFound, map[string]any{"code": http.StatusNotFound, "title": "Not Found", "description": ""})
}

func invalid(format string, args ...any) error {
	return front.Errorf(http.StatusBadRequest, "Validation failure: %s", fmt.Sprintf(format, args...))
}

func (o *Octavia) find(r *front.Request, k *kind, id string) (*object, error) {
	t, ok := o.tables[k.key].Visible(id, r.Project(), r.Caller.Admin)
	if !ok {
		return nil, front.Errorf(http.StatusNotFound, "%s %s not found.", k.human, id)
	}
	return t, nil
}

// change begins a change of something of a load balancer, which must not be changing; it
// is done after the delay.
func (o *Octavia) change(balancer string, pending map[*object]string, then func()) error {
	lb, ok := o.tables[balancers.key].Get(balancer)
	if !ok {
		return front.Errorf(http.StatusNotFound, "%s %s not found.", balancers.human, balancer)
	}
	if strings.HasPrefix(lb.provisioning, "PENDING_") || lb.provisioning == "ERROR" {
		return front.Errorf(http.StatusConflict, "%s %s is immutable and cannot be updated.", balancers.human, balancer)
	}
	lb.provisioning = "PENDING_UPDATE"
	for t, status := range pending {
		t.provisioning = status
	}
	o.state.After(o.Delay, func() {
		lb.provisioning = "ACTIVE"
		for t := range pending {
			t.provisioning, t.operating = "ACTIVE", "ONLINE"
			o.tables[t.kind.key].Touch(t)
		}
		o.tables[balancers.key].Touch(lb)
		if then != nil {
			then()
		}
	})
	return nil
}

// of are the objects of a kind for which a condition holds.
func (o *Octavia) of(k *kind, holds func(*object) bool) []*object { return o.tables[k.key].All(holds) }

func refs(objects []*object) []any {
	ids := []any{}
	for _, t := range objects {
		ids = append(ids, map[string]any{"id": t.ID})
	}
	return ids
}

func (o *Octavia) view(t *object) map[string]any {
	v := front.Fields(t.attributes)
	v["id"], v["name"], v["project_id"], v["tenant_id"] = t.ID, t.Name, t.Project, t.Project
	v["provisioning_status"], v["operating_status"] = t.provisioning, t.operating
	v["created_at"], v["updated_at"] = t.Created.Format("2006-01-02T15:04:05"), t.Updated.Format("2006-01-02T15:04:05")
	lb := []any{map[string]any{"id": t.balancer}}
	switch t.kind {
	case balancers:
		v["listeners"] = refs(o.of(listeners, func(l *object) bool { return l.balancer == t.ID }))
		v["pools"] = refs(o.of(pools, func(p *object) bool { return p.balancer == t.ID }))
	case listeners:
		v["loadbalancers"], v["default_pool_id"] = lb, nil
		if t.pool != "" {
			v["default_pool_id"] = t.pool
		}
	case pools:
		v["loadbalancers"] = lb // and no monitor, if there is none
		v["listeners"] = refs(o.of(listeners, func(l *object) bool { return l.pool == t.ID }))
		v["members"] = refs(o.of(members, func(m *object) bool { return m.parent == t.ID }))
		for _, m := range o.of(monitors, func(m *object) bool { return m.parent == t.ID }) {
			v["healthmonitor_id"] = m.ID
		}
	case monitors:
		delete(v, "description")
		v["pools"] = []any{map[string]any{"id": t.parent}}
	}
	return v
}

// remove removes an object with all below it.
func (o *Octavia) remove(t *object) {
	below := func(k *kind, holds func(*object) bool) {
		for _, child := range o.of(k, holds) {
			o.remove(child)
		}
	}
	switch t.kind {
	case balancers:
		below(listeners, func(l *object) bool { return l.balancer == t.ID })
		below(pools, func(p *object) bool { return p.balancer == t.ID })
		for _, p := range o.neutron.PortsOf("lb-" + t.ID) {
			o.neutron.DeletePort(p)
		}
	case pools:
		below(members, func(m *object) bool { return m.parent == t.ID })
		below(monitors, func(m *object) bool { return m.parent == t.ID })
		for _, l := range o.of(listeners, func(l *object) bool { return l.pool == t.ID }) {
			l.pool = ""
		}
	}
	o.tables[t.kind.key].Delete(t.ID)
}

// Fail puts a load balancer into ERROR, as when its provider fails.
func (o *Octavia) Fail(id string) {
	if lb, ok := o.tables[balancers.key].Get(id); ok {
		lb.provisioning = "ERROR"
	}
}

func has(list []string, s string) bool { return slices.Contains(list, s) }
