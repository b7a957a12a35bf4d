package nova

import (
	"encoding/json"
	"net/http"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
)

func (n *Nova) limitRoutes(s *front.Service) {
	s.Handle("GET", "/limits", http.StatusOK, n.limits)
	s.Handle("GET", "/os-quota-sets/{id}", http.StatusOK, func(r *front.Request) (any, error) { return n.quotaSet(r, false) })
	s.Handle("GET", "/os-quota-sets/{id}/detail", http.StatusOK, func(r *front.Request) (any, error) { return n.quotaSet(r, true) })
	s.Handle("PUT", "/os-quota-sets/{id}", http.StatusOK, n.setQuotas)
	s.Handle("DELETE", "/os-quota-sets/{id}", http.StatusAccepted, func(r *front.Request) (any, error) {
		if !r.Caller.Admin {
			return nil, notAllowed("delete")
		}
		n.Quotas.Reset(r.PathValue("id"))
		return nil, nil
	})
	s.Handle("GET", "/os-availability-zone", http.StatusOK, func(r *front.Request) (any, error) { return n.zoneList(r, false) })
	s.Handle("GET", "/os-availability-zone/detail", http.StatusOK, func(r *front.Request) (any, error) {
		if !r.Caller.Admin {
			return nil, front.Errorf(http.StatusForbidden, "Policy doesn't allow os_compute_api:os-availability-zone:detail to be performed.")
		}
		return n.zoneList(r, true)
	})
}

func (n *Nova) zoneList(_ *front.Request, detail bool) (any, error) {
	zones := []any{}
	for _, z := range n.zones {
		v := map[string]any{"zoneName": z.name, "zoneState": map[string]any{"available": z.available()}, "hosts": nil}
		if detail {
			v["hosts"] = map[string]any{}
		}
		zones = append(zones, v)
	}
	return map[string]any{"availabilityZoneInfo": zones}, nil
}

func (n *Nova) limits(r *front.Request) (any, error) {
	project := r.Project()
	if asked := r.URL.Query().Get("tenant_id"); asked != "" && r.Caller.Admin {
		project = asked
	}
	limit := func(resource string) int { return n.Quotas.Limit(project, resource) }
	absolute := map[string]any{
		"maxTotalInstances": limit("instances"), "maxTotalCores": limit("cores"), "maxTotalRAMSize": limit("ram"), "maxTotalKeypairs": limit("key_pairs"),
		"maxServerMeta": limit("metadata_items"), "maxServerGroups": limit("server_groups"), "maxServerGroupMembers": limit("server_group_members"),
		"totalInstancesUsed": n.used(project, "instances"), "totalCoresUsed": n.used(project, "cores"), "totalRAMUsed": n.used(project, "ram"),
		"totalServerGroupsUsed": n.used(project, "server_groups"),
	}
	if r.Minor < 39 {
		absolute["maxImageMeta"] = limit("metadata_items")
	}
	if r.Minor < 36 {
		absolute["maxSecurityGroups"], absolute["maxSecurityGroupRules"], absolute["maxTotalFloatingIps"] = -1, -1, -1
		absolute["totalSecurityGroupsUsed"], absolute["totalFloatingIpsUsed"] = 0, 0
	}
	if r.Minor < 57 {
		absolute["maxPersonality"], absolute["maxPersonalitySize"] = limit("injected_files"), limit("injected_file_content_bytes")
	}
	return map[string]any{"limits": map[string]any{"rate": []any{}, "absolute": absolute}}, nil
}

func notAllowed(what string) error {
	return front.Errorf(http.StatusForbidden, "Policy doesn't allow os_compute_api:os-quota-sets:%s to be performed.", what)
}

func (n *Nova) quotaSet(r *front.Request, detail bool) (any, error) {
	project := r.PathValue("id")
	if project != r.Project() && !r.Caller.Admin {
		return nil, notAllowed("show")
	}
	set := map[string]any{"id": project}
	for resource, limit := range n.Quotas.Limits(project) {
		if r.Minor >= 57 && (resource == "injected_files" || resource == "injected_file_content_bytes" || resource == "injected_file_path_bytes") {
			continue
		}
		if detail {
			used := n.used(project, resource)
			if resource == "key_pairs" {
				used = 0 // counted by user, and shown as none
			}
			set[resource] = map[string]any{"limit": limit, "in_use": used, "reserved": 0}
		} else {
			set[resource] = limit
		}
	}
	return map[string]any{"quota_set": set}, nil
}

func (n *Nova) setQuotas(r *front.Request) (any, error) {
	if !r.Caller.Admin {
		return nil, notAllowed("update")
	}
	keys, err := r.Keys("quota_set")
	if err != nil {
		return nil, err
	}
	project := r.PathValue("id")
	for key, value := range keys {
		var limit int
		if n.Quotas.Known(key) && json.Unmarshal(value, &limit) == nil {
			n.Quotas.Set(project, key, limit)
		}
	}
	set := map[string]any{}
	for resource, limit := range n.Quotas.Limits(project) {
		set[resource] = limit
	}
	return map[string]any{"quota_set": set}, nil
}
