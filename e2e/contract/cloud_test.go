package contract

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/e2e/openstacksim"
	"github.com/marina-dev/marina/e2e/openstacksim/nova"
	"github.com/marina-dev/marina/e2e/openstacksim/state"
)

// account is a user in a project.
type account struct{ project, projectName, user, userName, password string }

// flavor is a flavor that steps need.
type flavor struct {
	name             string
	cpus, memory, GB int
}

// cloud is what the steps are run against.
type cloud interface {
	authURL() string
	// operator is the clouds.yaml of whoever runs it, with one cloud, "openstack".
	operator() string
	// add makes a project with a user in it, until the end of the test.
	add(t *testing.T, name string) account
	addFlavor(t *testing.T, f flavor) string
	external() (name, id string)
	// computes is how many hosts servers are put on.
	computes() int
	// hosts has names for where the services are.
	hosts() *strings.Replacer
	interval() time.Duration
}

// clouds is a clouds.yaml for an account.
func clouds(c cloud, a account) string {
	return fmt.Sprintf("clouds:\n  openstack:\n    region_name: RegionOne\n    auth:\n      auth_url: %s\n      username: %q\n      password: %q\n      project_id: %s\n      user_domain_name: Default\n",
		c.authURL(), a.userName, a.password, a.project)
}

var pool openstack.Pool

func login(t *testing.T, c cloud, yaml string) *openstack.Client {
	t.Helper()
	credentials, err := openstack.ParseCloudsYAML([]byte(yaml), "openstack")
	if err == nil {
		var client *openstack.Client
		if client, err = pool.Client(t.Context(), openstack.Cloud{AuthURL: c.authURL(), Region: "RegionOne"}, credentials); err == nil {
			return client
		}
	}
	t.Fatal(err)
	return nil
}

// simulated is the simulator. What lasts in a cloud lasts a little there, so that states in
// between can be seen.
type simulated struct {
	*openstacksim.Simulator
	network string
	admin   openstacksim.Project
}

const moment = 100 * time.Millisecond

func simulate(t *testing.T) cloud {
	t.Helper()
	s, err := openstacksim.Start(openstacksim.Options{
		BuildTime: 10 * moment, ActionTime: 5 * moment, DeleteTime: moment, VolumeTime: moment, BalancerTime: 2 * moment, Hosts: 3,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	s.AddVolumeType("standard")
	return &simulated{Simulator: s, network: s.AddExternalNetwork("public", "203.0.113.0/24"), admin: s.AddProject("admin", "admin", "member", "reader")}
}

func (s *simulated) authURL() string             { return s.AuthURL() }
func (s *simulated) operator() string            { return s.CloudsYAML(s.admin) }
func (s *simulated) external() (name, id string) { return "public", s.network }
func (s *simulated) computes() int               { return 3 }
func (s *simulated) interval() time.Duration     { return moment / 4 }

func (s *simulated) add(_ *testing.T, name string) account {
	p := s.AddProject("contract-"+name, "member", "reader", "load-balancer_member")
	return account{p.ID, p.Name, p.UserID, p.UserName, p.Password}
}

func (s *simulated) addFlavor(t *testing.T, f flavor) string {
	id := s.AddFlavorAs(nova.Flavor{Base: state.Base{Name: f.name}, VCPUs: f.cpus, RAM: f.memory, Disk: f.GB})
	t.Cleanup(func() { s.RemoveFlavor(id) })
	return id
}

func (s *simulated) hosts() *strings.Replacer {
	at := s.URL()
	return strings.NewReplacer(
		at+"/identity", "{identity}", at+"/compute", "{compute}", at+"/network", "{network}", at+"/image", "{image}", at+"/volume", "{volume}", at+"/load-balancer", "{load-balancer}",
	)
}
