package neutron

import (
	"encoding/json"
	"net/http"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
)

// extensions are the aliases that clients look for.
var extensions = []string{
	"address-scope", "allowed-address-pairs", "availability_zone", "binding", "ext-gw-mode", "external-net", "extra_dhcp_opt", "filter-validation", "fip-port-details",
	"net-mtu", "net-mtu-writable", "network_availability_zone", "pagination", "port-security", "port-security-groups-filtering", "project-id", "quota_details", "quotas", "router", "router_availability_zone",
	"security-group", "security-groups-shared-filtering", "stateful-security-group", "sorting", "standard-attr-description", "standard-attr-revisions", "standard-attr-tag", "standard-attr-timestamp", "tag-ports-during-bulk-creation",
}

func (n *Neutron) plainRoutes(s *front.Service) {
	s.Handle("GET", "/", http.StatusOK, func(r *front.Request) (any, error) {
		all := []any{}
		for _, name := range []string{"network", "subnet", "port", "router", "floatingip"} {
			all = append(all, map[string]any{"name": name, "collection": name + "s", "links": []any{map[string]any{"rel": "self", "href": r.Base() + "/network/v2.0/" + name + "s"}}})
		}
		return map[string]any{"resources": all}, nil
	})
	s.Handle("GET", "/extensions", http.StatusOK, func(*front.Request) (any, error) {
		views := []any{}
		for _, alias := range extensions {
			views = append(views, extension(alias))
		}
		return map[string]any{"extensions": views}, nil
	})
	s.Handle("GET", "/extensions/{alias}", http.StatusOK, func(r *front.Request) (any, error) {
		for _, alias := range extensions {
			if alias == r.PathValue("alias") {
				return map[string]any{"extension": extension(alias)}, nil
			}
		}
		return front.Plain(http.StatusNotFound, "The resource could not be found.<br /><br />\nExtension with alias "+r.PathValue("alias")+" does not exist\n\n"), nil
	})
	s.Handle("GET", "/availability_zones", http.StatusOK, func(*front.Request) (any, error) {
		views := []any{}
		for _, zone := range n.Zones {
			for _, resource := range []string{"network", "router"} {
				views = append(views, map[string]any{"name": zone, "resource": resource, "state": "available"})
			}
		}
		return map[string]any{"availability_zones": views}, nil
	})
	s.Handle("GET", "/quotas/{project}", http.StatusOK, n.getQuotas)
	s.Handle("GET", "/quotas/{project}/details", http.StatusOK, n.quotaDetails)
	s.Handle("GET", "/quotas/{project}/details.json", http.StatusOK, n.quotaDetails)
	s.Handle("PUT", "/quotas/{project}", http.StatusOK, n.setQuotas)
	s.Handle("DELETE", "/quotas/{project}", http.StatusNoContent, func(r *front.Request) (any, error) {
		if !r.Caller.Admin {
			return nil, adminOnly
		}
		n.Quotas.Reset(r.PathValue("project"))
		return nil, nil
	})
}

var adminOnly = refuse(http.StatusForbidden, "PolicyNotAuthorized", "rule:update_quota is disallowed by policy")

func extension(alias string) map[string]any {
	return map[string]any{"alias": alias, "name": alias, "description": "", "updated": "2016-01-01T00:00:00-00:00", "links": []any{}}
}

// mayRead is the project in the path if the caller may read its quotas.
func mayRead(r *front.Request) (string, error) {
	project := r.PathValue("project")
	if project != r.Project() && !r.Caller.Admin {
		return "", refuse(http.StatusForbidden, "AdminRequired", "User does not have admin privileges: Only admin is authorized to access quotas for another project.")
	}
	return project, nil
}

func (n *Neutron) getQuotas(r *front.Request) (any, error) {
	project, err := mayRead(r)
	if err != nil {
		return nil, err
	}
	return map[string]any{"quota": n.Quotas.Limits(project)}, nil
}

func (n *Neutron) quotaDetails(r *front.Request) (any, error) {
	project, err := mayRead(r)
	if err != nil {
		return nil, err
	}
	details := map[string]any{}
	for resource, limit := range n.Quotas.Limits(project) {
		details[resource] = map[string]any{"limit": limit, "used": n.used(project, resource), "reserved": 0}
	}
	return map[string]any{"quota": details}, nil
}

func (n *Neutron) setQuotas(r *front.Request) (any, error) {
	if !r.Caller.Admin {
		return nil, adminOnly
	}
	keys, err := r.Keys("quota")
	if err != nil {
		return nil, err
	}
	for key, value := range keys {
		var limit int
		if !n.Quotas.Known(key) || json.Unmarshal(value, &limit) != nil {
			return nil, badRequest("Unrecognized attribute(s) '%s'", key)
		}
		n.Quotas.Set(r.PathValue("project"), key, limit)
	}
	return map[string]any{"quota": n.Quotas.Limits(r.PathValue("project"))}, nil
}
