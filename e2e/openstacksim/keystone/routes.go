package keystone

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/e2e/openstacksim/state"
)

func (k *Keystone) routes(s *front.Service) {
	s.Open("GET", "/identity", "/", http.StatusMultipleChoices, func(r *front.Request) (any, error) {
		reply := front.JSON(http.StatusMultipleChoices, map[string]any{"versions": map[string]any{"values": []any{version(r)}}})
		reply.Header.Set("Location", r.Base()+"/identity/v3/")
		return reply, nil
	})
	s.Open("GET", "/identity/v3", "/", http.StatusOK, func(r *front.Request) (any, error) {
		return map[string]any{"version": version(r)}, nil
	})
	s.Open("POST", "/identity/v3", "/auth/tokens", http.StatusCreated, k.authenticate)
	s.Handle("GET", "/auth/tokens", http.StatusOK, k.validate)
	s.Handle("DELETE", "/auth/tokens", http.StatusNoContent, k.revokeToken)
	s.Handle("GET", "/auth/catalog", http.StatusOK, func(r *front.Request) (any, error) {
		return map[string]any{"catalog": k.catalogOf(r.Base(), r.Project()), "links": self(r, "auth/catalog")}, nil
	})
	s.Handle("GET", "/auth/projects", http.StatusOK, k.ownProjects)
	s.Handle("GET", "/projects/{id}", http.StatusOK, k.getProject)
	s.Handle("GET", "/users/{id}", http.StatusOK, k.getUser)
	s.Handle("GET", "/users/{id}/projects", http.StatusOK, k.ownProjects)
	s.Handle("GET", "/role_assignments", http.StatusOK, k.assignments)
	s.Handle("GET", "/users/{id}/application_credentials", http.StatusOK, k.listCredentials)
	s.Handle("POST", "/users/{id}/application_credentials", http.StatusCreated, k.createCredential)
	s.Handle("GET", "/users/{id}/application_credentials/{credential}", http.StatusOK, k.getCredential)
	s.Handle("DELETE", "/users/{id}/application_credentials/{credential}", http.StatusNoContent, k.deleteCredential)
}

func version(r *front.Request) map[string]any {
	return map[string]any{
		"id": "v3.14", "status": "stable", "updated": "2020-04-07T00:00:00Z",
		"links":       []any{map[string]any{"rel": "self", "href": r.Base() + "/identity/v3/"}},
		"media-types": []any{map[string]any{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}},
	}
}

// mayNot is what a policy answers.
func mayNot(action string) *front.Error {
	return front.Errorf(http.StatusForbidden, "You are not authorized to perform the requested action: %s.", action)
}

// self is where something is.
func self(r *front.Request, path string) map[string]any {
	return map[string]any{"self": r.Base() + "/identity/v3/" + path}
}

func (k *Keystone) ownProjects(r *front.Request) (any, error) {
	views := []any{}
	for _, p := range k.projects.All(func(p *project) bool { return len(k.grants[grant{r.Caller.UserID, p.ID}]) > 0 }) {
		views = append(views, projectView(r, p))
	}
	return map[string]any{"projects": views, "links": map[string]any{"next": nil}}, nil
}

func (k *Keystone) getProject(r *front.Request) (any, error) {
	p, ok := k.projects.Get(r.PathValue("id"))
	if !ok || (p.ID != r.Project() && !r.Caller.Admin) {
		return nil, mayNot("identity:get_project")
	}
	return map[string]any{"project": projectView(r, p)}, nil
}

func projectView(r *front.Request, p *project) map[string]any {
	return map[string]any{"links": self(r, "projects/"+p.ID), "id": p.ID, "name": p.Name, "description": "", "enabled": true, "is_domain": false, "domain_id": "default", "parent_id": "default", "tags": []any{}, "options": map[string]any{}}
}

func (k *Keystone) getUser(r *front.Request) (any, error) {
	u, ok := k.users.Get(r.PathValue("id"))
	if !ok || (u.ID != r.Caller.UserID && !r.Caller.Admin) {
		return nil, mayNot("identity:get_user")
	}
	return map[string]any{"user": map[string]any{
		"id": u.ID, "name": u.Name, "enabled": true, "domain_id": "default", "options": map[string]any{}, "default_project_id": nil, "password_expires_at": nil, "links": self(r, "users/"+u.ID),
	}}, nil
}

func (k *Keystone) assignments(r *front.Request) (any, error) {
	if !r.Caller.Admin {
		return nil, mayNot("identity:list_role_assignments")
	}
	q, views := r.URL.Query(), []any{}
	for g, roles := range k.grants {
		if (q.Get("user.id") != "" && q.Get("user.id") != g.user) || (q.Get("scope.project.id") != "" && q.Get("scope.project.id") != g.project) {
			continue
		}
		for _, role := range roles {
			views = append(views, map[string]any{"role": map[string]any{"id": role, "name": role}, "user": map[string]any{"id": g.user}, "scope": map[string]any{"project": map[string]any{"id": g.project}}})
		}
	}
	return map[string]any{"role_assignments": views, "links": map[string]any{"next": nil}}, nil
}

// own are the application credentials of the user in the path, who must be the caller.
func (k *Keystone) own(r *front.Request) ([]*credential, error) {
	if r.PathValue("id") != r.Caller.UserID {
		return nil, mayNot("identity:list_application_credentials")
	}
	return k.credentials.All(func(c *credential) bool { return c.user == r.Caller.UserID }), nil
}

func (k *Keystone) listCredentials(r *front.Request) (any, error) {
	own, err := k.own(r)
	views, name := []any{}, r.URL.Query().Get("name")
	for _, c := range own {
		if name == "" || c.Name == name {
			views = append(views, credentialView(r, c))
		}
	}
	return map[string]any{"application_credentials": views, "links": map[string]any{"next": nil}}, err
}

func (k *Keystone) createCredential(r *front.Request) (any, error) {
	own, err := k.own(r)
	if err != nil {
		return nil, err
	}
	if t, ok := k.live(r.Header.Get("X-Auth-Token")); ok && t.credential != "" {
		if c, ok := k.credentials.Get(t.credential); !ok || c.restricted() {
			return nil, mayNot("Using method 'application_credential' is not allowed for managing additional application credentials.")
		}
	}
	var in struct {
		Name, Secret string
		Description  *string
		Roles        []named
		Unrestricted *bool
		ExpiresAt    string `json:"expires_at"`
	}
	if err := r.Decode("application_credential", &in); err != nil {
		return nil, err
	}
	if in.Name == "" {
		return nil, front.Errorf(http.StatusBadRequest, "'name' is a required property")
	}
	if slices.ContainsFunc(own, func(c *credential) bool { return c.Name == in.Name }) {
		return nil, front.Errorf(http.StatusConflict, "Conflict occurred attempting to store application_credential - Duplicate entry found with name %s.", in.Name)
	}
	c := &credential{Base: state.Base{Name: in.Name, Project: r.Project()}, user: r.Caller.UserID, secret: in.Secret, roles: r.Caller.Roles, unrestricted: in.Unrestricted, description: in.Description}
	if in.ExpiresAt != "" {
		at, err := time.Parse("2006-01-02T15:04:05", in.ExpiresAt[:min(len(in.ExpiresAt), 19)])
		if err != nil {
			return nil, malformed("Timestamp not in expected format.")
		}
		if at.Before(k.state.Now()) {
			return nil, malformed("The 'expires_at' must not be before now.")
		}
		c.expires = at
	}
	if c.secret == "" {
		c.secret = state.NewID()
	}
	if len(in.Roles) > 0 {
		c.roles = nil
		for _, role := range in.Roles {
			if id := cmp.Or(role.ID, role.Name); !slices.Contains(r.Caller.Roles, id) {
				return nil, front.Errorf(http.StatusBadRequest, "Invalid application credential: Cannot create an application credential with unassigned role")
			}
			c.roles = append(c.roles, cmp.Or(role.ID, role.Name))
		}
	}
	view := credentialView(r, k.credentials.Insert(c))
	view["secret"] = c.secret // only ever shown here
	return map[string]any{"application_credential": view}, nil
}

func (k *Keystone) ownCredential(r *front.Request) (*credential, error) {
	own, err := k.own(r)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(own, func(c *credential) bool { return c.ID == r.PathValue("credential") })
	if at < 0 {
		return nil, noCredential(r.PathValue("credential"))
	}
	return own[at], nil
}

func (k *Keystone) getCredential(r *front.Request) (any, error) {
	c, err := k.ownCredential(r)
	if err != nil {
		return nil, err
	}
	return map[string]any{"application_credential": credentialView(r, c)}, nil
}

func (k *Keystone) deleteCredential(r *front.Request) (any, error) {
	c, err := k.ownCredential(r)
	if err == nil {
		k.DeleteCredential(c.ID)
	}
	return nil, err
}

func credentialView(r *front.Request, c *credential) map[string]any {
	return map[string]any{
		"links": self(r, "users/"+c.user+"/application_credentials/"+c.ID), "system": nil,
		"id": c.ID, "name": c.Name, "description": c.description, "project_id": c.Project, "user_id": c.user,
		"roles": roleViews(c.roles), "expires_at": formatTime(c.expires), "unrestricted": c.unrestricted,
	}
}
