// Package keystone is the simulator's identity service, version 3: tokens by password and
// by application credential, scoped to a project, and the catalog.
package keystone

import (
	"net/http"
	"slices"
	"time"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/e2e/openstacksim/state"
)

// Region is the only region.
const Region = "RegionOne"

// domain is the only domain.
var domain = map[string]any{"id": "default", "name": "Default"}

// Endpoint is a service in the catalog. In its Path, {project} is the project's id.
type Endpoint struct{ Type, Name, Path string }

// Keystone holds users, projects and tokens. Besides its handlers, its methods are called
// under the lock of the state.
type Keystone struct {
	// TokenLifetime is how long new tokens live.
	TokenLifetime time.Duration
	// Hidden are types of services that are not in the catalog.
	Hidden []string

	state       *state.State
	catalog     []Endpoint
	projects    *state.Table[*project]
	users       *state.Table[*user]
	credentials *state.Table[*credential]
	tokens      map[string]*token
	grants      map[grant][]string
}

type project struct{ state.Base }

type user struct {
	state.Base
	password string
}

type grant struct{ user, project string }

// credential is an application credential. Its Project is that of the objects of its user.
type credential struct {
	state.Base
	user, secret string
	roles        []string
	expires      time.Time
	unrestricted *bool
	description  *string
}

type token struct {
	id, user, project, credential string
	method                        string
	roles                         []string
	issued, expires               time.Time
}

// New adds the service to a front.
func New(s *state.State, f *front.Front, catalog []Endpoint) *Keystone {
	k := &Keystone{
		TokenLifetime: time.Hour,
		state:         s,
		catalog:       catalog,
		projects:      state.NewTable[*project](s, ""),
		users:         state.NewTable[*user](s, ""),
		credentials:   state.NewTable[*credential](s, "application credential"),
		tokens:        map[string]*token{},
		grants:        map[grant][]string{},
	}
	s.Keep("tokens", &k.tokens)
	s.Keep("grants", &k.grants)
	f.Authenticate(k.caller)
	service := f.Add(&front.Service{Name: "identity", Prefix: "/identity/v3", Error: render})
	k.routes(service)
	return k
}

func render(e *front.Error) front.Reply {
	return front.JSON(e.Status, map[string]any{"error": map[string]any{"code": e.Status, "message": e.Message, "title": http.StatusText(e.Status)}})
}

// AddProject makes a project and returns its id.
func (k *Keystone) AddProject(name string) string {
	return k.projects.Insert(&project{Base: state.Base{Name: name}}).ID
}

// AddUser makes a user and returns its id.
func (k *Keystone) AddUser(name, password string) string {
	return k.users.Insert(&user{Base: state.Base{Name: name}, password: password}).ID
}

// Account finds a project and a user by their names, and the user's password.
func (k *Keystone) Account(project, user string) (projectID, userID, password string, ok bool) {
	p, hasProject := find(k.projects, named{Name: project, Domain: inDefault})
	u, hasUser := find(k.users, named{Name: user, Domain: inDefault})
	if !hasProject || !hasUser {
		return "", "", "", false
	}
	return p.ID, u.ID, u.password, true
}

// Grant gives a user roles in a project, in place of those that it had; none takes all.
func (k *Keystone) Grant(userID, projectID string, roles ...string) {
	k.grants[grant{userID, projectID}] = roles
}

// SetPassword changes a password, which revokes the user's tokens.
func (k *Keystone) SetPassword(userID, password string) {
	if u, ok := k.users.Get(userID); ok {
		u.password = password
	}
	k.revoke(func(t *token) bool { return t.user == userID && t.credential == "" })
}

// AddCredential makes an application credential of a user for a project, with the user's
// roles there. The zero time is no end.
func (k *Keystone) AddCredential(userID, projectID, name string, expires time.Time) (id, secret string) {
	c := k.credentials.Insert(&credential{
		Base: state.Base{Name: name, Project: projectID}, user: userID, secret: state.NewID(),
		roles: k.grants[grant{userID, projectID}], expires: expires,
	})
	return c.ID, c.secret
}

// DeleteCredential deletes an application credential and revokes its tokens.
func (k *Keystone) DeleteCredential(id string) {
	k.credentials.Delete(id)
	k.revoke(func(t *token) bool { return t.credential == id })
}

// ExpireCredential lets an application credential end now, and revokes its tokens.
func (k *Keystone) ExpireCredential(id string) {
	if c, ok := k.credentials.Get(id); ok {
		c.expires = k.state.Now()
	}
	k.revoke(func(t *token) bool { return t.credential == id })
}

// RevokeTokens revokes all tokens of a project, or all if it is empty.
func (k *Keystone) RevokeTokens(projectID string) {
	k.revoke(func(t *token) bool { return projectID == "" || t.project == projectID })
}

func (k *Keystone) revoke(which func(*token) bool) {
	for id, t := range k.tokens {
		if which(t) {
			delete(k.tokens, id)
		}
	}
}

// live finds a token that is valid now.
func (k *Keystone) live(id string) (*token, bool) {
	t, ok := k.tokens[id]
	return t, ok && k.state.Now().Before(t.expires)
}

func (k *Keystone) caller(id string) (front.Caller, bool) {
	t, ok := k.live(id)
	if !ok {
		return front.Caller{}, false
	}
	caller := front.Caller{UserID: t.user, ProjectID: t.project, Roles: t.roles, Admin: slices.Contains(t.roles, "admin")}
	if u, ok := k.users.Get(t.user); ok {
		caller.UserName = u.Name
	}
	if p, ok := k.projects.Get(t.project); ok {
		caller.ProjectName = p.Name
	}
	return caller, true
}

// restricted reports whether a credential may not make others.
func (c *credential) restricted() bool { return c.unrestricted == nil || !*c.unrestricted }
