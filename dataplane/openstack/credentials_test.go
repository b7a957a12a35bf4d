package openstack

import (
	"fmt"
	"strings"
	"testing"
)

const secret = "hunter2"

// clouds is a clouds.yaml with one cloud of the given content.
func clouds(lines ...string) string {
	return "clouds:\n  openstack:\n    " + strings.Join(lines, "\n    ") + "\n"
}

func TestParseCloudsYAML(t *testing.T) {
	password := []string{"auth:", "  auth_url: https://keystone/v3", "  username: u", "  password: " + secret, "  user_domain_name: Default"}
	with := func(more ...string) string { return clouds(append(append([]string{}, password...), more...)...) }
	for name, test := range map[string]struct {
		file string
		want string // a part of the error; empty for none
	}{
		"password into a project by id":     {with("  project_id: p"), ""},
		"password into a project by name":   {with("  project_name: p", "  project_domain_name: Default"), ""},
		"one domain for both":               {clouds("auth: {username: u, password: " + secret + ", project_name: p, domain_name: Default}"), ""},
		"application credential":            {clouds("auth: {application_credential_id: i, application_credential_secret: " + secret + "}"), ""},
		"application credential by name":    {clouds("auth: {application_credential_name: n, user_id: u, application_credential_secret: " + secret + "}"), ""},
		"application credential by type":    {clouds("auth_type: v3applicationcredential", "auth: {application_credential_id: i, application_credential_secret: "+secret+"}"), ""},
		"internal endpoints":                {with("  project_id: p", "interface: internalURL"), ""},
		"nothing":                           {"", `no cloud "openstack"`},
		"another cloud":                     {"clouds: {other: {}}", `no cloud "openstack"`},
		"neither password nor credential":   {clouds("auth: {username: u}"), "neither an application credential nor a password"},
		"without a project":                 {with(), "neither project_id nor project_name"},
		"a project without a domain":        {with("  project_name: p"), "no project_domain_name"},
		"a user without a domain":           {clouds("auth: {username: u, password: " + secret + ", project_id: p}"), "no user_domain_name"},
		"without a user":                    {clouds("auth: {password: " + secret + ", project_id: p}"), "neither username nor user_id"},
		"credential without a secret":       {clouds("auth: {application_credential_id: i}"), "no application_credential_secret"},
		"credential without an id":          {clouds("auth_type: v3applicationcredential", "auth: {application_credential_secret: "+secret+"}"), "no application_credential_id"},
		"another way to log in":             {with("  project_id: p", "auth_type: v3oidcpassword"), "auth_type must be"},
		"a file":                            {with("  project_id: p", "cacert: /etc/ssl/ca.pem"), "cacert names a file"},
		"a client certificate":              {with("  project_id: p", "cert: /etc/ssl/me.pem"), "cert is not supported"},
		"a profile":                         {with("  project_id: p", "profile: ovh"), "profile is not supported"},
		"certificates that are not checked": {with("  project_id: p", "verify: false"), "verify: false is not supported"},
		"admin endpoints":                   {with("  project_id: p", "interface: admin"), "interface must be"},
		"a password that is a list":         {clouds("auth:", "  password: ["+secret+"]"), "password has a value of the wrong type"},
		"an alias for a password":           {clouds("auth:", "  password: *"+secret), "it is not valid YAML"},
		"no YAML":                           {"clouds: [" + secret, "it is not valid YAML"},
	} {
		t.Run(name, func(t *testing.T) {
			credentials, err := ParseCloudsYAML([]byte(test.file), "openstack")
			if test.want == "" && err != nil {
				t.Fatalf("refused: %v", err)
			}
			if test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%v, want an error that says %q", err, test.want)
			}
			for _, shown := range []string{fmt.Sprint(err), fmt.Sprintf("%v %+v %#v %s", credentials, credentials, credentials, &credentials)} {
				if strings.Contains(shown, secret) {
					t.Errorf("it shows the secret: %s", shown)
				}
			}
		})
	}
}

// What the environment says is of whoever runs Marina, and not of whose file it is.
func TestTheEnvironmentIsNotRead(t *testing.T) {
	t.Setenv("OS_REGION_NAME", "Elsewhere")
	t.Setenv("OS_CLOUD", "other")
	t.Setenv("OS_AUTH_URL", "https://elsewhere/v3")
	credentials, err := ParseCloudsYAML([]byte(clouds("auth: {application_credential_id: i, application_credential_secret: s}")), "openstack")
	if err != nil || credentials.region != "" || credentials.authURL != "" {
		t.Errorf("region %q at %q, %v: want neither", credentials.region, credentials.authURL, err)
	}
}

func TestCredentialsFit(t *testing.T) {
	cloud := Cloud{AuthURL: "https://keystone:5000/v3", Region: "Paris"}
	for name, test := range map[string]struct {
		url, region string
		want        string
	}{
		"the same":             {"https://keystone:5000/v3", "Paris", ""},
		"neither":              {"", "", ""},
		"without the version":  {"https://keystone:5000", "Paris", ""},
		"with a slash":         {"https://keystone:5000/v3/", "Paris", ""},
		"another cloud":        {"https://other:5000/v3", "Paris", "https://other:5000/v3"},
		"another region":       {"https://keystone:5000/v3", "Berlin", `region "Berlin"`},
		"a password in an URL": {"https://u:" + secret + "@other:5000/v3", "", "https://other:5000/v3"},
	} {
		t.Run(name, func(t *testing.T) {
			err := Credentials{authURL: test.url, region: test.region}.Fits(cloud)
			if (err == nil) != (test.want == "") || !strings.Contains(fmt.Sprint(err), test.want) && err != nil {
				t.Errorf("%v, want %q", err, test.want)
			}
			if strings.Contains(fmt.Sprint(err), secret) {
				t.Errorf("it shows the secret: %v", err)
			}
		})
	}
}
