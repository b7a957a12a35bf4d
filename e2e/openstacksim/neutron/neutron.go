// Package neutron is the simulator's network service, version 2.0.
package neutron

import (
	"fmt"
	"net/http"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/e2e/openstacksim/state"
)

// Neutron holds the networks. Besides its handlers, its methods are called under the lock
// of the state.
type Neutron struct {
	// Quotas are by project, under the names of Neutron's API: network, port, ...
	Quotas *state.Quotas
	// Zones are the availability zones.
	Zones []string

	state    *state.State
	networks *state.Table[*Network]
	subnets  *state.Table[*Subnet]
	ports    *state.Table[*Port]
	routers  *state.Table[*Router]
	groups   *state.Table[*SecurityGroup]
	rules    *state.Table[*Rule]
	floating *state.Table[*FloatingIP]
	macs     int
}

// New adds the service to a front.
func New(s *state.State, f *front.Front) *Neutron {
	n := &Neutron{
		Zones:    []string{"nova"},
		state:    s,
		networks: state.NewTable[*Network](s, "network"),
		subnets:  state.NewTable[*Subnet](s, "subnet"),
		ports:    state.NewTable[*Port](s, "port"),
		routers:  state.NewTable[*Router](s, "router"),
		groups:   state.NewTable[*SecurityGroup](s, "security group"),
		rules:    state.NewTable[*Rule](s, ""), // they go with their group
		floating: state.NewTable[*FloatingIP](s, "floating IP"),
	}
	s.Keep("macs", &n.macs)
	n.Quotas = state.NewQuotas(s, "network", map[string]int{
		"network": 100, "subnet": 100, "port": 500, "router": 10, "floatingip": 50, "security_group": 10, "security_group_rule": 100,
		"subnetpool": -1, "rbac_policy": 10,
	}, n.used)
	service := f.Add(&front.Service{Name: "network", Prefix: "/network/v2.0", Error: render, Nowhere: nowhere, Before: func(r *front.Request) error {
		if r.Project() != "" {
			n.DefaultGroup(r.Project())
		}
		return nil
	}})
	service.Open("GET", "/network", "/", http.StatusOK, versions)
	n.networkKind().routes(service)
	n.subnetKind().routes(service)
	n.portKind().routes(service)
	n.routerKind().routes(service)
	n.groupKind().routes(service)
	n.ruleKind().routes(service)
	n.floatingKind().routes(service)
	n.routerActions(service)
	n.plainRoutes(service)
	return n
}

func versions(r *front.Request) (any, error) {
	return map[string]any{"versions": []any{map[string]any{"id": "v2.0", "status": "CURRENT", "links": []any{map[string]any{"rel": "self", "href": r.Base() + "/network/v2.0/"}}}}}, nil
}

// render is an error as Neutron sends it.
func render(e *front.Error) front.Reply {
	kind := e.Type
	if kind == "" {
		kind = "HTTPBadRequest"
	}
	return front.JSON(e.Status, map[string]any{"NeutronError": map[string]any{"type": kind, "message": e.Message, "detail": ""}})
}

func nowhere() front.Reply {
	return render(refuse(http.StatusNotFound, "HTTPNotFound", "The resource could not be found."))
}

// refuse makes an error with Neutron's name for it.
func refuse(status int, kind, format string, args ...any) *front.Error {
	return &front.Error{Status: status, Type: kind, Message: fmt.Sprintf(format, args...)}
}

func badRequest(format string, args ...any) *front.Error {
	return refuse(http.StatusBadRequest, "HTTPBadRequest", format, args...)
}

// notAllowed is what a policy for an attribute answers.
func notAllowed(rule, attribute string) *front.Error {
	return refuse(http.StatusForbidden, "PolicyNotAuthorized", "(rule:%s and rule:%s:%s) is disallowed by policy", rule, rule, attribute)
}

func invalid(format string, args ...any) *front.Error {
	return refuse(http.StatusBadRequest, "InvalidInput", "Invalid input for operation: "+format+".", args...)
}

// bad is Neutron's BadRequest of one resource.
func bad(resource, format string, args ...any) *front.Error {
	return refuse(http.StatusBadRequest, "BadRequest", "Bad %s request: %s.", resource, fmt.Sprintf(format, args...))
}

func (n *Neutron) used(project, resource string) int {
	tables := map[string]interface{ Count(project string) int }{
		"network": n.networks, "subnet": n.subnets, "port": n.ports, "router": n.routers,
		"security_group": n.groups, "security_group_rule": n.rules, "floatingip": n.floating,
	}
	if table, ok := tables[resource]; ok {
		return table.Count(project)
	}
	return 0
}

func (n *Neutron) checkQuota(project, resource string, more int) error {
	if n.Quotas.Over(project, resource, more) {
		return refuse(http.StatusConflict, "OverQuota", "Quota exceeded for resources: ['%s'].", resource)
	}
	return nil
}
