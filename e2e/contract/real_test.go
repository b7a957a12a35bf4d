package contract

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/rand"
	"sigs.k8s.io/yaml"

	"github.com/marina-dev/marina/dataplane/openstack"
)

// running is a running cloud. Its operator makes projects, sets quotas and adds flavors.
type running struct {
	url, yaml string
	session   *session // of the operator
	network   struct{ name, id string }
	fakes     int
	at        *strings.Replacer
	suffix    string
}

// given is the cloud of a clouds.yaml with a cloud "admin".
func given(t *testing.T, path string) cloud {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Clouds map[string]json.RawMessage `json:"clouds"`
	}
	if err := yaml.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	var admin struct {
		Auth struct {
			URL string `json:"auth_url"`
		} `json:"auth"`
	}
	if err := json.Unmarshal(file.Clouds["admin"], &admin); err != nil {
		t.Fatalf("%s needs a cloud %q, of whoever runs it: it makes the projects that the steps are done in: %v", path, "admin", err)
	}
	one, err := yaml.Marshal(map[string]any{"clouds": map[string]any{"openstack": file.Clouds["admin"]}})
	if err != nil {
		t.Fatal(err)
	}
	r := &running{url: admin.Auth.URL, yaml: string(one), suffix: rand.String(5)}
	operator := login(t, r, r.yaml)
	r.session = &session{T: t, cloud: r, client: operator, admin: operator}
	r.find(t)
	return r
}

// find finds out what the cloud has.
func (r *running) find(t *testing.T) {
	t.Helper()
	s := r.session
	networks := s.do(openstack.Network, "GET /networks?router:external=true&name="+url.QueryEscape(os.Getenv("MARINA_OPENSTACK_EXTERNAL")), nil)
	if os.Getenv("MARINA_OPENSTACK_EXTERNAL") == "" {
		networks = s.do(openstack.Network, "GET /networks?router:external=true", nil)
	}
	r.network.id, r.network.name = networks.text("networks/0/id"), networks.text("networks/0/name")
	if r.network.id == "" {
		t.Fatal("the cloud has no external network: add one, or name it in MARINA_OPENSTACK_EXTERNAL")
	}
	types, _ := at(s.do(openstack.Compute, "GET /os-hypervisors/detail", nil).json, "hypervisors/*/hypervisor_type")
	for _, one := range types.([]any) {
		if one == "fake" {
			r.fakes++
		}
	}
	if r.fakes < 2 {
		t.Fatalf("the cloud has %d computes with the fake driver, and the steps need 2", r.fakes)
	}
	var places []string
	for service, name := range map[string]string{
		openstack.Identity: "identity", openstack.Compute: "compute", openstack.Network: "network", openstack.Image: "image", openstack.Volume: "volume", openstack.LoadBalancer: "load-balancer",
	} {
		sc, err := s.client.Service(t.Context(), service)
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(sc.Endpoint)
		if err != nil {
			t.Fatal(err)
		}
		places = append(places, u.Scheme+"://"+u.Host, "{"+name+"}")
	}
	r.at = strings.NewReplacer(places...)
}

func (r *running) authURL() string             { return r.url }
func (r *running) operator() string            { return r.yaml }
func (r *running) external() (name, id string) { return r.network.name, r.network.id }
func (r *running) computes() int               { return r.fakes }
func (r *running) interval() time.Duration     { return 300 * time.Millisecond }
func (r *running) hosts() *strings.Replacer {
	if r.at == nil {
		return strings.NewReplacer()
	}
	return r.at
}

// of is the operator's session, for a test.
func (r *running) of(t *testing.T) *session {
	s := *r.session
	s.T = t
	return &s
}

func (r *running) add(t *testing.T, name string) account {
	t.Helper()
	s := r.of(t)
	a := account{projectName: "contract-" + name + "-" + r.suffix, userName: "contract-" + name + "-" + r.suffix, password: rand.String(20)}
	a.project = s.do(openstack.Identity, "POST /projects", object("project", "name", a.projectName, "domain_id", "default")).text("project/id")
	a.user = s.do(openstack.Identity, "POST /users", object("user", "name", a.userName, "domain_id", "default", "password", a.password, "default_project_id", a.project)).text("user/id")
	for _, role := range []string{"member", "reader", "load-balancer_member"} {
		id := s.do(openstack.Identity, "GET /roles?name="+role, nil).text("roles/0/id")
		if id != "" {
			s.do(openstack.Identity, fmt.Sprintf("PUT /projects/%s/users/%s/roles/%s", a.project, a.user, id), nil)
		}
	}
	t.Cleanup(func() { r.remove(a) })
	return a
}

// remove takes a project away, with what OpenStack leaves of one.
func (r *running) remove(a account) {
	s := r.session
	groups := s.send(s.client, openstack.Network, "GET /security-groups?project_id="+a.project, nil)
	ids, _ := at(groups.json, "security_groups/*/id")
	for _, id := range ids.([]any) {
		s.send(s.client, openstack.Network, fmt.Sprintf("DELETE /security-groups/%s", id), nil)
	}
	for _, request := range [][2]string{
		{openstack.Network, "DELETE /quotas/" + a.project}, {openstack.Compute, "DELETE /os-quota-sets/" + a.project}, {openstack.Volume, "DELETE /os-quota-sets/" + a.project},
		{openstack.LoadBalancer, "DELETE /lbaas/quotas/" + a.project},
		{openstack.Identity, "DELETE /users/" + a.user}, {openstack.Identity, "DELETE /projects/" + a.project},
	} {
		if got := s.send(s.client, request[0], request[1], nil); got.status >= http.StatusBadRequest && got.status != http.StatusNotFound {
			s.Errorf("%s: %d %s", request[1], got.status, got.body)
		}
	}
}

func (r *running) addFlavor(t *testing.T, f flavor) string {
	t.Helper()
	s := r.of(t)
	id := s.do(openstack.Compute, "POST /flavors", object("flavor", "name", f.name+"-"+rand.String(5), "vcpus", f.cpus, "ram", f.memory, "disk", f.GB)).text("flavor/id")
	t.Cleanup(func() { r.session.send(r.session.client, openstack.Compute, "DELETE /flavors/"+id, nil) })
	return id
}

// object is a body with one key, and pairs below it.
func object(key string, pairs ...any) map[string]any {
	fields := map[string]any{}
	for pair := range slices.Chunk(pairs, 2) {
		fields[pair[0].(string)] = pair[1]
	}
	return map[string]any{key: fields}
}
