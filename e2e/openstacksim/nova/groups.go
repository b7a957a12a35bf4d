package nova

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/e2e/openstacksim/state"
)

// group is a server group.
type group struct {
	state.Base
	user, policy string
	perHost      int // 0 if no rule was given
	servers      []string
}

func (n *Nova) groupRoutes(s *front.Service) {
	s.Handle("GET", "/os-server-groups", http.StatusOK, func(r *front.Request) (any, error) {
		views := []map[string]any{}
		for _, g := range n.groups.All() {
			if g.Project == r.Project() || r.Caller.Admin && r.Flag("all_projects") {
				views = append(views, n.groupView(r, g))
			}
		}
		if offset, err := strconv.Atoi(r.URL.Query().Get("offset")); err == nil {
			views = views[min(max(offset, 0), len(views)):] // no markers here
		}
		page, _, err := front.Page(views, r.URL.Query(), 1000, unknownMarker)
		return map[string]any{"server_groups": page}, err
	})
	s.Handle("POST", "/os-server-groups", http.StatusOK, n.createGroup)
	s.Handle("GET", "/os-server-groups/{id}", http.StatusOK, func(r *front.Request) (any, error) {
		g, err := n.ownGroup(r)
		if err != nil {
			return nil, err
		}
		return map[string]any{"server_group": n.groupView(r, g)}, nil
	})
	s.Handle("DELETE", "/os-server-groups/{id}", http.StatusNoContent, func(r *front.Request) (any, error) {
		g, err := n.ownGroup(r)
		if err == nil {
			n.groups.Delete(g.ID)
			for _, s := range n.servers.All(func(s *Server) bool { return s.group == g.ID }) {
				s.group = ""
			}
		}
		return nil, err
	})
}

func (n *Nova) ownGroup(r *front.Request) (*group, error) {
	g, ok := n.groups.Visible(r.PathValue("id"), r.Project(), r.Caller.Admin)
	if !ok {
		return nil, front.Errorf(http.StatusNotFound, "Instance group %s could not be found.", r.PathValue("id"))
	}
	return g, nil
}

// policies are the allowed ones; the soft ones came with 2.15.
var policies = []string{"anti-affinity", "affinity", "soft-anti-affinity", "soft-affinity"}

func (n *Nova) createGroup(r *front.Request) (any, error) {
	var in struct {
		Name     string
		Policy   *string
		Policies []string
		Rules    map[string]any
	}
	if err := r.Decode("server_group", &in); err != nil {
		return nil, err
	}
	if in.Name == "" {
		return nil, invalidInput("server_group", said(r, "server_group"), "'name' is a required property")
	}
	g := &group{Base: state.Base{Name: in.Name, Project: r.Project()}, user: r.Caller.UserID}
	if r.Minor >= 64 {
		if in.Policies != nil {
			return nil, invalidInput("server_group", said(r, "server_group"), "'policy' is a required property")
		}
		if in.Policy == nil {
			return nil, invalidInput("server_group", said(r, "server_group"), "'policy' is a required property")
		}
		g.policy = *in.Policy
		for key := range in.Rules {
			if key != "max_server_per_host" {
				return nil, invalidInput("rules", python(in.Rules), "Additional properties are not allowed ('%s' was unexpected)", key)
			}
		}
		if limit := in.Rules["max_server_per_host"]; limit != nil {
			perHost, ok := number(limit)
			if !ok || perHost < 1 {
				return nil, invalidInput("max_server_per_host", limit, "%v is less than the minimum of 1", limit)
			}
			if g.policy != "anti-affinity" {
				return nil, front.Errorf(http.StatusBadRequest, "Only anti-affinity policy supports rules.")
			}
			g.perHost = perHost
		}
	} else {
		if in.Policy != nil || in.Rules != nil {
			return nil, invalidInput("server_group", said(r, "server_group"), "'policies' is a required property")
		}
		if len(in.Policies) != 1 {
			return nil, invalidInput("policies", in.Policies, "%v is too short", in.Policies)
		}
		g.policy = in.Policies[0]
	}
	if at := slices.Index(policies, g.policy); at < 0 || at > 1 && r.Minor < 15 {
		return nil, invalidInput("policy", g.policy, "'%s' is not one of %s", g.policy, oneOf(policies...))
	}
	if n.Quotas.Over(r.Project(), "server_groups", 1) {
		return nil, front.Errorf(http.StatusForbidden, "Quota exceeded, too many server groups.")
	}
	return map[string]any{"server_group": n.groupView(r, n.groups.Insert(g))}, nil
}

func (n *Nova) groupView(r *front.Request, g *group) map[string]any {
	v := map[string]any{"id": g.ID, "name": g.Name, "members": append([]string{}, n.members(g)...)}
	if r.Minor >= 64 {
		v["policy"], v["rules"] = g.policy, map[string]any{}
		if g.perHost > 0 {
			v["rules"] = map[string]any{"max_server_per_host": g.perHost}
		}
	} else {
		v["policies"], v["metadata"] = []string{g.policy}, map[string]any{}
	}
	if r.Minor >= 13 {
		v["project_id"], v["user_id"] = g.Project, g.user
	}
	return v
}

// members are the servers of a group that are there.
func (n *Nova) members(g *group) []string {
	return slices.DeleteFunc(slices.Clone(g.servers), func(id string) bool { _, ok := n.servers.Get(id); return !ok })
}

func (n *Nova) join(s *Server) {
	if g, ok := n.groups.Get(s.group); ok {
		g.servers = append(g.servers, s.ID)
	}
}

func (n *Nova) leave(s *Server) {
	if g, ok := n.groups.Get(s.group); ok {
		g.servers = slices.DeleteFunc(g.servers, func(id string) bool { return id == s.ID })
	}
}

// allows reports whether a hard policy lets one more onto a host, with how many members
// are on which host.
func (g *group) allows(with map[string]int, host string) bool {
	switch g.policy {
	case "anti-affinity":
		return with[host] < max(g.perHost, 1)
	case "affinity":
		return len(with) == 0 || with[host] > 0
	}
	return true
}

// likes is the lower the better a soft policy likes a host with so many members.
func (g *group) likes(members int) int {
	switch g.policy {
	case "soft-anti-affinity":
		return members
	case "soft-affinity":
		return -members
	}
	return 0
}
