package nova

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
)

func (n *Nova) serverRoutes(s *front.Service) {
	s.Handle("GET", "/servers", http.StatusOK, func(r *front.Request) (any, error) { return n.list(r, false) })
	s.Handle("GET", "/servers/detail", http.StatusOK, func(r *front.Request) (any, error) { return n.list(r, true) })
	s.Handle("POST", "/servers", http.StatusAccepted, n.create)
	s.Handle("GET", "/servers/{id}", http.StatusOK, func(r *front.Request) (any, error) {
		s, err := n.own(r)
		if err != nil {
			return nil, err
		}
		return map[string]any{"server": n.view(r, s)}, nil
	})
	s.Handle("PUT", "/servers/{id}", http.StatusOK, n.update)
	s.Handle("DELETE", "/servers/{id}", http.StatusNoContent, n.delete)
	s.Handle("POST", "/servers/{id}/action", http.StatusAccepted, n.action)
}

func (n *Nova) update(r *front.Request) (any, error) {
	s, err := n.own(r)
	if err != nil {
		return nil, err
	}
	in := struct{ Name, Description *string }{}
	if err := r.Decode("server", &in); err != nil {
		return nil, err
	}
	if in.Name != nil {
		s.Name = *in.Name
	}
	if in.Description != nil {
		s.Description = in.Description
	}
	n.servers.Touch(s)
	v := brief(n.view(r, s))
	delete(v, "key_name")
	return map[string]any{"server": v}, nil
}

// brief is a server as changes of it show it.
func brief(v map[string]any) map[string]any {
	maps.DeleteFunc(v, func(key string, _ any) bool {
		return strings.HasPrefix(key, "OS-EXT-") || strings.HasPrefix(key, "OS-SRV-") || slices.Contains([]string{"os-extended-volumes:volumes_attached", "config_drive", "security_groups"}, key)
	})
	return v
}

// statuses are those that the status filter knows, with the later microversions refusing
// all others.
var statuses = []string{
	"ACTIVE", "BUILD", "DELETED", "ERROR", "HARD_REBOOT", "MIGRATING", "PASSWORD", "PAUSED", "REBOOT", "REBUILD", "RESCUE", "RESIZE", "REVERT_RESIZE",
	"SHELVED", "SHELVED_OFFLOADED", "SHUTOFF", "SOFT_DELETED", "SUSPENDED", "UNKNOWN", "VERIFY_RESIZE",
}

func (n *Nova) list(r *front.Request, detail bool) (any, error) {
	q := r.URL.Query()
	keep, err := n.filters(r, q)
	if err != nil {
		return nil, err
	}
	all := slices.Clone(n.servers.All())
	if since := q.Get("changes-since"); since != "" {
		at, err := parseTime(since)
		if err != nil {
			return nil, front.Errorf(http.StatusBadRequest, "Invalid input for query parameters changes-since. Value: %s. '%s' is not a 'date-time'", since, since)
		}
		// Also those that have been deleted since.
		all = slices.DeleteFunc(append(all, n.deleted...), func(s *Server) bool { return s.Updated.Before(at) })
	}
	everybody := r.Caller.Admin && r.Flag("all_tenants")
	if r.Flag("all_tenants") && !r.Caller.Admin {
		which := map[bool]string{true: "detail", false: "index"}[detail]
		return nil, front.Errorf(http.StatusForbidden, "Policy doesn't allow os_compute_api:servers:%s:get_all_tenants to be performed.", which)
	}
	views := []map[string]any{}
	for _, s := range slices.Backward(all) {
		if (everybody || s.Project == r.Project()) && keep(s) {
			views = append(views, n.view(r, s))
		}
	}
	by, err := sorting(q)
	if err != nil {
		return nil, err
	}
	front.Sort(views, by)
	page, next, err := front.Page(views, q, 1000, unknownMarker)
	if err != nil {
		return nil, err
	}
	path := "servers/detail"
	if !detail {
		path = "servers"
		for i, v := range page {
			page[i] = map[string]any{"id": v["id"], "name": v["name"], "links": v["links"]}
		}
	}
	if q.Get("limit") == "0" {
		page, next = page[:0], ""
	}
	return paged(r, "servers", path, page, next), nil
}

// sorting takes Nova's names of what to sort by for the fields that they mean.
func sorting(q url.Values) (url.Values, error) {
	by := url.Values{"sort_dir": q["sort_dir"]}
	for _, key := range q["sort_key"] {
		field, ok := sortKeys[key]
		if !ok {
			return nil, invalidQuery("sort_key", key, "'%s' is not one of %s", key, oneOf(slices.Sorted(maps.Keys(sortKeys))...))
		}
		by.Add("sort_key", field)
	}
	return by, nil
}

func invalidQuery(name, value, reason string, args ...any) error {
	return front.Errorf(http.StatusBadRequest, "Invalid input for query parameters %s. Value: %s. %s", name, value, fmt.Sprintf(reason, args...))
}

func parseTime(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Parse("2006-01-02", text)
}

// filters make one condition of the filters that Nova lets users ask for; it ignores all
// others, metadata among them.
func (n *Nova) filters(r *front.Request, q url.Values) (func(*Server) bool, error) {
	var conditions []func(*Server) bool
	add := func(c func(*Server) bool) { conditions = append(conditions, c) }
	for _, filter := range []string{"name", "ip"} {
		if q.Get(filter) == "" {
			continue
		}
		expression, err := regexp.Compile("(?i)" + q.Get(filter)) // as MySQL compares
		if err != nil {
			return nil, front.Errorf(http.StatusBadRequest, "Invalid input for query parameters %s. Value: %s. '%s' is not a 'regex'", filter, q.Get(filter), q.Get(filter))
		}
		if filter == "name" {
			add(func(s *Server) bool { return expression.MatchString(s.Name) })
		} else {
			add(func(s *Server) bool {
				return slices.ContainsFunc(n.addresses(s), func(a Address) bool { return !a.Floating && expression.MatchString(a.IP) })
			})
		}
	}
	if asked := q["status"]; len(asked) > 0 {
		for i := range asked {
			asked[i] = strings.ToUpper(asked[i])
		}
		if !slices.ContainsFunc(asked, func(s string) bool { return slices.Contains(statuses, s) }) && r.Minor >= 38 {
			return nil, front.Errorf(http.StatusBadRequest, "Invalid status value")
		}
		add(func(s *Server) bool { return slices.Contains(asked, s.Status) })
	}
	if image := q.Get("image"); image != "" {
		add(func(s *Server) bool { return s.ImageID == image })
	}
	if flavor := q.Get("flavor"); flavor != "" {
		add(func(s *Server) bool { return s.flavor.ID == flavor })
	}
	if zone := q.Get("availability_zone"); zone != "" && (r.Minor >= 83 || r.Caller.Admin) {
		add(func(s *Server) bool { return s.Zone == zone })
	}
	if host := q.Get("host"); host != "" && r.Caller.Admin {
		add(func(s *Server) bool { return s.Host == host })
	}
	if r.Minor >= 26 {
		add(tagFilter(q))
	}
	return func(s *Server) bool {
		return !slices.ContainsFunc(conditions, func(holds func(*Server) bool) bool { return !holds(s) })
	}, nil
}

func tagFilter(q url.Values) func(*Server) bool {
	return func(s *Server) bool {
		for _, filter := range []string{"tags", "tags-any", "not-tags", "not-tags-any"} {
			if q.Get(filter) == "" {
				continue
			}
			asked := strings.Split(q.Get(filter), ",")
			has := func(tag string) bool { return slices.Contains(s.Tags, tag) }
			any := slices.ContainsFunc(asked, has)
			all := !slices.ContainsFunc(asked, func(tag string) bool { return !has(tag) })
			if !map[string]bool{"tags": all, "tags-any": any, "not-tags": !all, "not-tags-any": !any}[filter] {
				return false
			}
		}
		return true
	}
}
