package keystone

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/e2e/openstacksim/state"
)

// timeFormat is how Keystone writes times.
const timeFormat = "2006-01-02T15:04:05.000000Z"

var unauthorized = &front.Error{Status: http.StatusUnauthorized, Message: "The request you have made requires authentication."}

// named names a user or a project by its id, or by its name in the domain.
type named struct {
	ID, Name string
	Domain   struct{ ID, Name string }
}

// inDefault is the domain that there is.
var inDefault = struct{ ID, Name string }{ID: "default"}

type authRequest struct {
	Identity struct {
		Methods  []string
		Password struct {
			User struct {
				named
				Password string
			}
		}
		Token                 struct{ ID string }
		ApplicationCredential struct {
			named
			Secret string
			User   named
		} `json:"application_credential"`
	}
	Scope *struct{ Project named }
}

func (k *Keystone) authenticate(r *front.Request) (any, error) {
	var auth authRequest
	if !bytes.Contains(r.Body, []byte(`"auth"`)) {
		return nil, malformed("Expecting to find auth in request body.")
	}
	if err := r.Decode("auth", &auth); err != nil {
		return nil, err
	}
	if len(auth.Identity.Methods) != 1 {
		return nil, unauthorized
	}
	t := &token{id: state.NewID(), method: auth.Identity.Methods[0], issued: k.state.Now()}
	t.expires = t.issued.Add(k.TokenLifetime)
	switch t.method {
	case "password":
		u, ok := find(k.users, auth.Identity.Password.User.named)
		if !ok || u.password != auth.Identity.Password.User.Password {
			return nil, unauthorized
		}
		t.user = u.ID
	case "token":
		old, ok := k.live(auth.Identity.Token.ID)
		if !ok {
			return nil, unauthorized
		}
		t.user, t.credential, t.expires = old.user, old.credential, old.expires
	case "application_credential":
		asked := auth.Identity.ApplicationCredential
		if _, there := k.credentials.Get(asked.ID); asked.ID != "" && !there {
			return nil, noCredential(asked.ID)
		}
		c, ok := k.credential(auth)
		if !ok {
			return nil, unauthorized
		}
		if auth.Scope != nil {
			return nil, front.Errorf(http.StatusUnauthorized, "Error authenticating with application credential: Application credentials cannot request a scope.")
		}
		t.user, t.project, t.credential, t.roles = c.user, c.Project, c.ID, c.roles
		if !c.expires.IsZero() && c.expires.Before(t.expires) {
			t.expires = c.expires
		}
	default:
		return nil, malformed("Expecting to find " + t.method + " in identity.")
	}
	if auth.Scope != nil {
		p, ok := find(k.projects, auth.Scope.Project)
		if !ok {
			return nil, unauthorized
		}
		t.project, t.roles = p.ID, k.grants[grant{t.user, p.ID}]
		if len(t.roles) == 0 {
			return nil, unauthorized
		}
	}
	k.revoke(func(old *token) bool { return !k.state.Now().Before(old.expires) })
	k.tokens[t.id] = t
	view := k.view(r, t)
	if _, without := r.URL.Query()["nocatalog"]; without {
		delete(view["token"].(map[string]any), "catalog")
	}
	reply := front.JSON(http.StatusCreated, view)
	reply.Header.Set("X-Subject-Token", t.id)
	return reply, nil
}

// malformed is what Keystone says of a body that it does not understand.
func malformed(what string) error {
	return front.Errorf(http.StatusBadRequest, "%s The server could not comply with the request since it is either malformed or otherwise incorrect. The client is assumed to be in error.", what)
}

// noCredential is also the answer to a login: with 404, not 401.
func noCredential(id string) error {
	return front.Errorf(http.StatusNotFound, "Could not find Application Credential: %s.", id)
}

// credential finds the application credential that a request proves to have.
func (k *Keystone) credential(auth authRequest) (*credential, bool) {
	asked := auth.Identity.ApplicationCredential
	for _, c := range k.credentials.All() {
		byName := false
		if asked.ID == "" && c.Name == asked.Name {
			u, ok := find(k.users, asked.User)
			byName = ok && u.ID == c.user
		}
		if (c.ID == asked.ID || byName) && c.secret == asked.Secret {
			return c, c.expires.IsZero() || k.state.Now().Before(c.expires)
		}
	}
	return nil, false
}

func find[T state.Row](t *state.Table[T], n named) (T, bool) {
	if n.ID != "" {
		return t.Get(n.ID)
	}
	inDomain := n.Domain.ID == domain["id"] || (n.Domain.ID == "" && n.Domain.Name == domain["name"])
	found := t.All(func(row T) bool { return row.Meta().Name == n.Name && inDomain })
	if len(found) == 0 {
		var none T
		return none, false
	}
	return found[0], true
}

// subject is the token that a request is about.
func (k *Keystone) subject(r *front.Request) (*token, error) {
	if r.Header.Get("X-Subject-Token") == "" {
		return nil, mayNot("identity:validate_token")
	}
	t, ok := k.live(r.Header.Get("X-Subject-Token"))
	if !ok || (t.user != r.Caller.UserID && !r.Caller.Admin) {
		return nil, front.Errorf(http.StatusNotFound, "Could not find token: %s.", r.Header.Get("X-Subject-Token"))
	}
	return t, nil
}

func (k *Keystone) validate(r *front.Request) (any, error) {
	t, err := k.subject(r)
	if err != nil {
		return nil, err
	}
	reply := front.JSON(http.StatusOK, k.view(r, t))
	reply.Header.Set("X-Subject-Token", t.id)
	return reply, nil
}

func (k *Keystone) revokeToken(r *front.Request) (any, error) {
	t, err := k.subject(r)
	if err != nil {
		return nil, err
	}
	delete(k.tokens, t.id)
	return nil, nil
}

// view is a token as clients see it.
func (k *Keystone) view(r *front.Request, t *token) map[string]any {
	u, _ := k.users.Get(t.user)
	body := map[string]any{
		"methods":    []string{t.method},
		"user":       map[string]any{"id": u.ID, "name": u.Name, "domain": domain, "password_expires_at": nil},
		"audit_ids":  []string{t.id[:22]},
		"issued_at":  t.issued.Format(timeFormat),
		"expires_at": t.expires.Format(timeFormat),
	}
	if p, ok := k.projects.Get(t.project); ok {
		body["project"] = map[string]any{"id": p.ID, "name": p.Name, "domain": domain}
		body["is_domain"] = false
		body["roles"] = roleViews(t.roles)
		body["catalog"] = k.catalogOf(r.Base(), t.project)
	}
	if c, ok := k.credentials.Get(t.credential); ok {
		body["application_credential"] = map[string]any{"id": c.ID, "name": c.Name, "restricted": c.restricted()}
	}
	return map[string]any{"token": body}
}

func (k *Keystone) catalogOf(base, projectID string) []any {
	var catalog []any
	for _, e := range k.catalog {
		if slices.Contains(k.Hidden, e.Type) {
			continue
		}
		var endpoints []any
		for _, side := range []string{"public", "internal", "admin"} {
			endpoints = append(endpoints, map[string]any{
				"id": e.Type + "-" + side, "interface": side, "region": Region, "region_id": Region,
				"url": base + strings.ReplaceAll(e.Path, "{project}", projectID),
			})
		}
		catalog = append(catalog, map[string]any{"id": e.Type, "type": e.Type, "name": e.Name, "endpoints": endpoints})
	}
	return catalog
}

func roleViews(roles []string) []any {
	views := []any{}
	for _, role := range slices.Sorted(slices.Values(roles)) {
		views = append(views, map[string]any{"id": role, "name": role})
	}
	return views
}

func formatTime(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.Format("2006-01-02T15:04:05.000000")
}
