package openstacksim_test

import (
	"crypto/tls"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/flavors"
	"github.com/gophercloud/gophercloud/v2/openstack/config/clouds"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/applicationcredentials"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/tokens"

	"github.com/marina-dev/marina/e2e/openstacksim"
	"github.com/marina-dev/marina/e2e/openstacksim/front"
)

const unauthorized = `{"error":{"code":401,"message":"The request you have made requires authentication.","title":"Unauthorized"}}`

func (c *cloud) byCredential(k openstacksim.Credential) gophercloud.AuthOptions {
	return gophercloud.AuthOptions{IdentityEndpoint: c.AuthURL(), ApplicationCredentialID: k.ID, ApplicationCredentialSecret: k.Secret, AllowReauth: true}
}

func anything(t *testing.T, k *clients) error {
	t.Helper()
	_, err := flavors.ListDetail(k.compute, nil).AllPages(t.Context())
	return err
}

func TestLogin(t *testing.T) {
	c := start(t, openstacksim.Options{})
	password := gophercloud.AuthOptions{IdentityEndpoint: c.AuthURL(), Username: c.project.UserName, Password: c.project.Password, DomainID: "default", TenantID: c.project.ID}
	credential := c.byCredential(c.AddCredential(c.project, "marina", time.Time{}))
	expired := c.byCredential(c.AddCredential(c.project, "old", c.clock.Now()))
	other := c.AddProject("other")
	for name, test := range map[string]struct {
		auth   gophercloud.AuthOptions
		change func(*gophercloud.AuthOptions)
		in     bool
	}{
		"by password":                {password, nil, true},
		"by names":                   {password, func(a *gophercloud.AuthOptions) { a.TenantID, a.TenantName = "", "tenant" }, true},
		"without a version":          {password, func(a *gophercloud.AuthOptions) { a.IdentityEndpoint = c.URL() + "/identity" }, true},
		"by credential":              {credential, nil, true},
		"with a wrong password":      {password, func(a *gophercloud.AuthOptions) { a.Password = "wrong" }, false},
		"with a wrong secret":        {credential, func(a *gophercloud.AuthOptions) { a.ApplicationCredentialSecret = "wrong" }, false},
		"with an expired credential": {expired, nil, false},
		"into another's project":     {password, func(a *gophercloud.AuthOptions) { a.TenantID = other.ID }, false},
		"as nobody":                  {password, func(a *gophercloud.AuthOptions) { a.Username = "nobody" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			auth := test.auth
			if test.change != nil {
				test.change(&auth)
			}
			provider, err := openstack.AuthenticatedClient(t.Context(), auth)
			if !test.in {
				refused(t, err, 401, unauthorized)
				return
			}
			check(t, err)
			check(t, anything(t, services(t, provider)))
		})
	}
}

func TestTokensEnd(t *testing.T) {
	c := start(t, openstacksim.Options{TokenLifetime: time.Minute})
	logins := func() int { return c.Count(front.Match{Service: "identity", Method: "POST", Path: "/auth/tokens"}) }
	c.ResetCalls()
	c.clock.Step(59 * time.Second)
	check(t, anything(t, c.clients))
	if logins() != 0 {
		t.Error("a token was refused before its end")
	}
	c.clock.Step(time.Second)
	check(t, anything(t, c.clients))
	if got := logins(); got != 1 {
		t.Errorf("%d logins after the token's end, want 1", got)
	}
	c.RevokeTokens(c.project.ID)
	check(t, anything(t, c.clients))
	if got := logins(); got != 2 {
		t.Errorf("%d logins after a revocation, want 2", got)
	}
	c.SetPassword(c.project, "new")
	if err := anything(t, c.clients); err == nil {
		t.Error("the old password is still good")
	}
	c.project.Password = "new"
	check(t, anything(t, c.in(t, c.project)))
}

func TestCredentialsEndAndAreReplaced(t *testing.T) {
	c := start(t, openstacksim.Options{})
	first := c.AddCredential(c.project, "first", c.clock.Now().Add(time.Hour))
	k := login(t, c.byCredential(first))
	check(t, anything(t, k))
	c.clock.Step(time.Hour)
	if err := anything(t, k); err == nil {
		t.Error("a credential is good after its end")
	}
	second := c.AddCredential(c.project, "second", time.Time{})
	k = login(t, c.byCredential(second))
	c.ExpireCredential(second.ID)
	if err := anything(t, k); err == nil {
		t.Error("a credential is good after it was expired")
	}
	third := login(t, c.byCredential(c.AddCredential(c.project, "third", time.Time{})))
	check(t, anything(t, third))

	// An application credential may not make others; a user may.
	opts := applicationcredentials.CreateOpts{Name: "child"}
	_, err := applicationcredentials.Create(t.Context(), third.identity, c.project.UserID, opts).Extract()
	refused(t, err, 403, `{"error":{"code":403,"message":"You are not authorized to perform the requested action: Using method 'application_credential' is not allowed for managing additional application credentials..","title":"Forbidden"}}`)
	c.clients = c.in(t, c.project)
	made, err := applicationcredentials.Create(t.Context(), c.identity, c.project.UserID, opts).Extract()
	check(t, err)
	check(t, anything(t, login(t, c.byCredential(openstacksim.Credential{ID: made.ID, Secret: made.Secret}))))
	check(t, applicationcredentials.Delete(t.Context(), c.identity, c.project.UserID, made.ID).ExtractErr())
}

func TestTokensAreValidated(t *testing.T) {
	c := start(t, openstacksim.Options{})
	got := tokens.Get(t.Context(), c.identity, c.provider.Token())
	project, err := got.ExtractProject()
	check(t, err)
	roles, err := got.ExtractRoles()
	check(t, err)
	token, err := got.ExtractToken()
	check(t, err)
	if project.ID != c.project.ID || len(roles) != 2 || !token.ExpiresAt.Equal(c.clock.Now().Add(time.Hour)) {
		t.Errorf("the token is of %+v with %+v until %s", project, roles, token.ExpiresAt)
	}
	old := c.provider.Token()
	check(t, tokens.Revoke(t.Context(), c.identity, old).Err)
	check(t, anything(t, c.clients)) // logs in again
	for token, want := range map[string]bool{old: false, c.provider.Token(): true} {
		if valid, err := tokens.Validate(t.Context(), c.identity, token); valid != want {
			t.Errorf("a token is valid: %t (%v), want %t", valid, err, want)
		}
	}
}

func TestEverythingGoesOverTLS(t *testing.T) {
	lender := httptest.NewTLSServer(nil)
	defer lender.Close()
	c, err := openstacksim.Start(openstacksim.Options{TLS: &tls.Config{Certificates: lender.TLS.Certificates}})
	check(t, err)
	defer c.Close()
	p := c.AddProject("tenant")
	provider, err := openstack.NewClient(c.AuthURL())
	check(t, err)
	auth := gophercloud.AuthOptions{IdentityEndpoint: c.AuthURL(), Username: p.UserName, Password: p.Password, DomainID: "default", TenantID: p.ID}
	if err := openstack.Authenticate(t.Context(), provider, auth); err == nil {
		t.Error("a certificate of nobody was trusted")
	}
	provider.HTTPClient = *lender.Client()
	check(t, openstack.Authenticate(t.Context(), provider, auth))
	k := services(t, provider)
	check(t, anything(t, k))
	c.Inject(front.Fault{Match: front.Match{Service: "compute"}, Effect: front.Reset()})
	if err := anything(t, k); err == nil {
		t.Error("a connection that was cut gave an answer")
	}
}

func TestCloudsFilesLogIn(t *testing.T) {
	c := start(t, openstacksim.Options{})
	for name, file := range map[string]string{
		"by password":   c.CloudsYAML(c.project),
		"by credential": c.CredentialYAML(c.AddCredential(c.project, "marina", time.Time{})),
	} {
		t.Run(name, func(t *testing.T) {
			auth, endpoint, _, err := clouds.Parse(clouds.WithCloudsYAML(strings.NewReader(file)), clouds.WithCloudName("openstack"))
			check(t, err)
			if endpoint.Region != openstacksim.Region {
				t.Errorf("the region is %q", endpoint.Region)
			}
			check(t, anything(t, login(t, auth)))
		})
	}
}
