package contract

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/e2e/harness"
)

// password is the body of a login by password.
func password(user, secret string, scope any) map[string]any {
	auth := map[string]any{"identity": map[string]any{
		"methods": []string{"password"}, "password": map[string]any{"user": map[string]any{"name": user, "domain": map[string]any{"name": "Default"}, "password": secret}},
	}}
	if scope != nil {
		auth["scope"] = scope
	}
	return map[string]any{"auth": auth}
}

// application is the body of a login by an application credential.
func application(id, secret string) map[string]any {
	return map[string]any{"auth": map[string]any{"identity": map[string]any{
		"methods": []string{"application_credential"}, "application_credential": map[string]any{"id": id, "secret": secret},
	}}}
}

// keystone is Keystone, asked without the dataplane's own client.
type keystone struct {
	*session
	root  string
	token string // sent if there is one
}

func (k *keystone) step(name, request string, body any, see ...string) answer {
	k.Helper()
	header := map[string]string{}
	if k.token != "" {
		header["X-Auth-Token"] = k.token
	}
	method, path, _ := strings.Cut(request, " ")
	a := k.raw(method, k.root+path, header, body)
	k.record(name, a.fact(openstack.Identity, see))
	return a
}

func identity(s *session) {
	k := &keystone{session: s, root: strings.TrimSuffix(strings.TrimSuffix(s.cloud.authURL(), "/"), "/v3")}
	k.step("versions", "GET /", nil, "versions/values/0/id", "versions/values/0/status", "versions/values/0/links/0/href", "versions/values/#")
	k.step("version 3", "GET /v3", nil, "version/id", "version/status", "version/links/0/href")
	k.logins()
	k.own()
	k.credentials()
	k.revoke()
	s.strangers()
}

func (k *keystone) logins() {
	s, in, log := k.session, project("id", k.project), "POST /v3/auth/tokens"
	a := k.step("login by password", log, password(s.userName, s.password, in),
		"@keys", "token/@keys", "token/methods", "token/project/@keys", "token/project/id", "token/project/domain/id", "token/user/@keys", "token/user/name",
		"token/catalog/0/@keys", "token/catalog/0/endpoints/0/@keys", "token/roles/0/@keys")
	roles, _ := at(a.json, "token/roles/*/name")
	s.record("login by password: roles that were given", strings.Join(only(roles, "member", "reader"), " "))
	catalog, _ := at(a.json, "token/catalog/*/type")
	s.record("login by password: services", strings.Join(only(catalog, openstack.Identity, openstack.Compute, openstack.Network, openstack.Image, openstack.Volume, "block-storage", openstack.LoadBalancer), " "))
	k.token = a.header.Get("X-Subject-Token")
	s.record("login by password: header X-Subject-Token", present(k.token))

	k.step("login without a catalogue", log+"?nocatalog", password(s.userName, s.password, in), "token/catalog")
	k.step("login with a wrong password", log, password(s.userName, "wrong", in))
	k.step("login of a user who is not there", log, password("nobody", "wrong", in))
	k.step("login to a project that is not there", log, password(s.userName, s.password, project("id", strings.Repeat("0", 32))))
	k.step("login to a project by a name that is not there", log, password(s.userName, s.password, map[string]any{"project": map[string]any{"name": "nowhere", "domain": map[string]any{"id": "default"}}}))
	k.step("login to a project without a role in it", log, password(s.userName, s.password, map[string]any{"project": map[string]any{"name": "admin", "domain": map[string]any{"id": "default"}}}))
	k.step("login with an empty body", log, map[string]any{})
	k.step("login by no method", log, map[string]any{"auth": map[string]any{"identity": map[string]any{"methods": []string{}}}})
	k.step("login by a method that is not known", log, map[string]any{"auth": map[string]any{"identity": map[string]any{"methods": []string{"magic"}}}})
}

func project(key, value string) map[string]any {
	return map[string]any{"project": map[string]any{key: value}}
}

// own are things of the user's that a token is good for.
func (k *keystone) own() {
	k.step("catalogue", "GET /v3/auth/catalog", nil, "@keys", "catalog/0/@keys")
	k.step("own projects", "GET /v3/auth/projects", nil, "projects/#", "projects/0/id", "projects/0/@keys")
	k.step("own project", "GET /v3/projects/"+k.project, nil, "project/id", "project/@keys")
	k.step("a project that is not there", "GET /v3/projects/"+strings.Repeat("0", 32), nil)
	k.step("own user", "GET /v3/users/"+k.user, nil, "user/@keys")
	k.step("another user", "GET /v3/users/"+strings.Repeat("0", 32), nil)
	k.step("role assignments", "GET /v3/role_assignments", nil)
	k.step("token validated by its own", "GET /v3/auth/tokens", nil)
}

func (k *keystone) credentials() {
	s, all, log := k.session, "/v3/users/"+k.user+"/application_credentials", "POST /v3/auth/tokens"
	of := func(pairs ...any) map[string]any { return object("application_credential", pairs...) }
	k.step("credentials: none", "GET "+all, nil, "application_credentials", "@keys")
	a := k.step("credential: made", "POST "+all, of("name", "one"), "application_credential/@keys", "application_credential/name", "application_credential/description",
		"application_credential/expires_at", "application_credential/unrestricted", "application_credential/project_id")
	id, secret := a.id("credential"), a.text("application_credential/secret")
	k.step("credential: of a name that is taken", "POST "+all, of("name", "one"))
	k.step("credential: without a name", "POST "+all, of("description", "x"))
	k.step("credential: with a role that the user has not", "POST "+all, of("name", "two", "roles", []any{map[string]any{"name": "admin"}}))
	k.step("credential: with an end that is over", "POST "+all, of("name", "two", "expires_at", "2001-01-01T00:00:00.000000"))
	k.step("credential: with an end that is none", "POST "+all, of("name", "two", "expires_at", "soon"))
	k.step("credential: shown", "GET "+all+"/"+id, nil, "application_credential/@keys")
	k.step("credential: by name", "GET "+all+"?name=one", nil, "application_credentials/*/name")
	k.step("credential: that is not there", "GET "+all+"/"+strings.Repeat("0", 32), nil)
	k.step("credentials of somebody else", "GET /v3/users/"+strings.Repeat("0", 32)+"/application_credentials", nil)

	a = k.step("login by a credential", log, application(id, secret), "token/methods", "token/@keys", "token/project/id", "token/application_credential")
	other := &keystone{session: s, root: k.root, token: a.header.Get("X-Subject-Token")}
	other.step("a credential makes another one", "POST "+all, of("name", "three"))
	other.step("a credential asks for the catalogue", "GET /v3/auth/catalog", nil)
	k.step("login by a credential, wrong secret", log, application(id, "wrong"))
	k.step("login by a credential that is not there", log, application(strings.Repeat("0", 32), "wrong"))
	k.step("login by a credential and a scope", log, map[string]any{"auth": map[string]any{
		"identity": application(id, secret)["auth"].(map[string]any)["identity"], "scope": project("id", k.project)}})
	k.step("credential: deleted", "DELETE "+all+"/"+id, nil)
	k.step("credential: deleted twice", "DELETE "+all+"/"+id, nil)
	k.step("login by a deleted credential", log, application(id, secret))

	end := time.Now().UTC().Add(80 * k.cloud.interval())
	a = k.step("credential: that ends soon", "POST "+all, of("name", "short", "expires_at", end.Format("2006-01-02T15:04:05.000000")), "application_credential/expires_at")
	id, secret = a.id("credential"), a.text("application_credential/secret")
	k.awaitEnd(log, id, secret)
	k.step("login by an expired credential", log, application(id, secret))
	k.done(k.raw("DELETE", k.root+all+"/"+id, map[string]string{"X-Auth-Token": k.token}, nil), "DELETE")
}

// awaitEnd waits until a credential is good for nothing any more.
func (k *keystone) awaitEnd(log, id, secret string) {
	_, path, _ := strings.Cut(log, " ")
	err := harness.AwaitEvery(context.WithoutCancel(k.Context()), k.cloud.interval(), time.Minute, func(context.Context) error {
		if a := k.raw("POST", k.root+path, nil, application(id, secret)); a.status == http.StatusCreated {
			return errors.New("the credential does not expire")
		}
		return nil
	})
	if err != nil {
		k.Fatal(err)
	}
}

func (k *keystone) revoke() {
	validate := func(name string) {
		a := k.raw("GET", k.root+"/v3/auth/tokens", map[string]string{"X-Auth-Token": k.token, "X-Subject-Token": k.token}, nil)
		k.record(name, a.fact(openstack.Identity, []string{"token/methods"}))
	}
	validate("a token validates itself")
	a := k.raw("DELETE", k.root+"/v3/auth/tokens", map[string]string{"X-Auth-Token": k.token, "X-Subject-Token": k.token}, nil)
	k.record("a token is revoked", a.fact(openstack.Identity, nil))
	validate("a revoked token validates itself")
	k.step("a revoked token asks for the catalogue", "GET /v3/auth/catalog", nil)
}

// strangers ask services with tokens that are no good.
func (s *session) strangers() {
	for _, one := range [][2]string{
		{openstack.Compute, "/servers"}, {openstack.Network, "/networks"}, {openstack.Image, "/images"}, {openstack.Volume, "/volumes"}, {openstack.LoadBalancer, "/lbaas/loadbalancers"},
	} {
		service := one[0]
		sc, err := s.client.Service(s.Context(), service)
		if err != nil {
			s.Fatal(err)
		}
		for _, token := range []string{"", "gAAAAABnone"} {
			a := s.raw(http.MethodGet, strings.TrimSuffix(sc.ServiceURL(""), "/")+one[1], map[string]string{"X-Auth-Token": token}, nil)
			s.record(fmt.Sprintf("%s: asked with the token %q", service, token), a.fact(service, nil)+"\nWWW-Authenticate: "+present(a.header.Get("WWW-Authenticate")))
		}
	}
}

func present(value string) string {
	if value == "" {
		return "none"
	}
	return "there"
}

// only are those of a list that are asked about, in their order.
func only(list any, asked ...string) []string {
	var found []string
	all, _ := list.([]any)
	for _, want := range asked {
		for _, have := range all {
			if have == want {
				found = append(found, want)
				break
			}
		}
	}
	return found
}
