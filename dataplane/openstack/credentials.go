package openstack

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/gophercloud/gophercloud/v2"
	"sigs.k8s.io/yaml"
)

// Credentials are what a clouds.yaml says of one cloud. They show nothing of themselves
// when they are printed.
type Credentials struct {
	authURL, region, side string
	auth                  gophercloud.AuthOptions
}

// String hides them.
func (Credentials) String() string { return "(credentials)" }

// GoString hides them.
func (Credentials) GoString() string { return "(credentials)" }

// entry is what is read of a cloud in a clouds.yaml. Files that it names are none of ours
// to read, so that they are refused and not ignored.
type entry struct {
	Auth struct {
		AuthURL           string `json:"auth_url"`
		Username          string `json:"username"`
		UserID            string `json:"user_id"`
		Password          string `json:"password"`
		UserDomainName    string `json:"user_domain_name"`
		UserDomainID      string `json:"user_domain_id"`
		DomainName        string `json:"domain_name"`
		DomainID          string `json:"domain_id"`
		ProjectName       string `json:"project_name"`
		ProjectID         string `json:"project_id"`
		ProjectDomainName string `json:"project_domain_name"`
		ProjectDomainID   string `json:"project_domain_id"`

		CredentialID     string `json:"application_credential_id"`
		CredentialName   string `json:"application_credential_name"`
		CredentialSecret string `json:"application_credential_secret"`
	} `json:"auth"`
	AuthType  string `json:"auth_type"`
	Region    string `json:"region_name"`
	Interface string `json:"interface"`
	CACert    string `json:"cacert"`
	Cert      string `json:"cert"`
	Profile   string `json:"profile"`
	Cloud     string `json:"cloud"`
	Verify    *bool  `json:"verify"`
}

// ParseCloudsYAML reads the credentials of the cloud with a name from a clouds.yaml. They
// are a password or an application credential. It reads neither files nor the environment,
// and its errors hold nothing of the content but names of fields.
func ParseCloudsYAML(data []byte, name string) (Credentials, error) {
	var file struct {
		Clouds map[string]entry `json:"clouds"`
	}
	if err := yaml.Unmarshal(data, &file); err != nil {
		return Credentials{}, unreadable(err)
	}
	e, ok := file.Clouds[name]
	if !ok {
		return Credentials{}, fmt.Errorf("it has no cloud %q: add it under clouds", name)
	}
	for field, set := range map[string]bool{
		"profile": e.Profile != "" || e.Cloud != "",
		"cert":    e.Cert != "",
	} {
		if set {
			return Credentials{}, fmt.Errorf("%s is not supported: leave it out", field)
		}
	}
	switch {
	case e.CACert != "":
		return Credentials{}, errors.New("cacert names a file, which is not here: leave it out, and put the certificates into the caBundle of the Infrastructure")
	case e.Verify != nil && !*e.Verify:
		return Credentials{}, errors.New("verify: false is not supported: leave it out, and put the certificates into the caBundle of the Infrastructure")
	}
	side := strings.TrimSuffix(e.Interface, "URL")
	if side == "" {
		side = "public"
	}
	if side != "public" && side != "internal" {
		return Credentials{}, errors.New("interface must be public or internal")
	}
	auth, err := e.options()
	return Credentials{authURL: e.Auth.AuthURL, region: e.Region, side: side, auth: auth}, err
}

// options are the credentials as gophercloud has them.
func (e *entry) options() (gophercloud.AuthOptions, error) {
	a := e.Auth
	// A single domain stands for that of the user and of the project.
	if a.UserDomainName == "" && a.UserDomainID == "" {
		a.UserDomainName, a.UserDomainID = a.DomainName, a.DomainID
	}
	if a.ProjectDomainName == "" && a.ProjectDomainID == "" {
		a.ProjectDomainName, a.ProjectDomainID = a.DomainName, a.DomainID
	}
	o := gophercloud.AuthOptions{AllowReauth: true}
	user := func() error {
		switch {
		case a.UserID != "":
			o.UserID = a.UserID
			return nil
		case a.Username == "":
			return errors.New("auth has neither username nor user_id: add one of them")
		case a.UserDomainName == "" && a.UserDomainID == "":
			return errors.New("auth has no user_domain_name for its username: add it, often it is Default")
		}
		o.Username, o.DomainName, o.DomainID = a.Username, a.UserDomainName, a.UserDomainID
		if o.DomainID != "" {
			o.DomainName = ""
		}
		return nil
	}
	switch e.AuthType {
	case "", "password", "v3password", "v3applicationcredential":
	default:
		return o, errors.New("auth_type must be v3applicationcredential or password")
	}
	if e.AuthType == "v3applicationcredential" || a.CredentialID != "" || a.CredentialName != "" {
		o.ApplicationCredentialID, o.ApplicationCredentialSecret = a.CredentialID, a.CredentialSecret
		switch {
		case a.CredentialSecret == "":
			return o, errors.New("auth has no application_credential_secret: add it")
		case a.CredentialID != "":
			return o, nil
		case a.CredentialName == "":
			return o, errors.New("auth has no application_credential_id: add it")
		}
		o.ApplicationCredentialName = a.CredentialName
		return o, user()
	}
	if a.Password == "" {
		return o, errors.New("auth has neither an application credential nor a password: add application_credential_id and application_credential_secret")
	}
	o.Password = a.Password
	switch {
	case a.ProjectID != "":
		o.Scope = &gophercloud.AuthScope{ProjectID: a.ProjectID}
	case a.ProjectName == "":
		return o, errors.New("auth has neither project_id nor project_name: add one of them")
	case a.ProjectDomainID != "":
		o.Scope = &gophercloud.AuthScope{ProjectName: a.ProjectName, DomainID: a.ProjectDomainID}
	case a.ProjectDomainName != "":
		o.Scope = &gophercloud.AuthScope{ProjectName: a.ProjectName, DomainName: a.ProjectDomainName}
	default:
		return o, errors.New("auth has no project_domain_name for its project_name: add it, often it is Default")
	}
	return o, user()
}

var line = regexp.MustCompile(`line [0-9]+`)

// unreadable says what is wrong with a file without its content, which parsers quote.
func unreadable(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) && wrong.Field != "" {
		field := wrong.Field[strings.LastIndex(wrong.Field, ".")+1:]
		return fmt.Errorf("%s has a value of the wrong type: put text into quotes", field)
	}
	if at := line.FindString(err.Error()); at != "" {
		return fmt.Errorf("it is not valid YAML in or near %s", at)
	}
	return errors.New("it is not valid YAML")
}

// Fits refuses credentials for another cloud or region than the given one.
func (c Credentials) Fits(cloud Cloud) error {
	if c.authURL != "" && trimmed(c.authURL) != trimmed(cloud.AuthURL) {
		return fmt.Errorf("it is for the cloud at %s, and the Infrastructure for that at %s: give credentials of the latter", withoutUser(c.authURL), cloud.AuthURL)
	}
	if c.region != "" && c.region != cloud.Region {
		return fmt.Errorf("it is for the region %q, and the Infrastructure for %q: correct region_name, or leave it out", c.region, cloud.Region)
	}
	return nil
}

// trimmed is an address of Keystone without its version, with which people write it or
// not.
func trimmed(url string) string {
	return strings.TrimSuffix(strings.TrimSuffix(strings.TrimRight(url, "/"), "/v3"), "/")
}

// withoutUser is an address without what stands before an @, where some write passwords.
func withoutUser(url string) string {
	scheme, rest, ok := strings.Cut(url, "://")
	if at := strings.LastIndex(rest, "@"); ok && at >= 0 {
		return scheme + "://" + rest[at+1:]
	}
	return url
}
