package contract

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/marina-dev/marina/dataplane/openstack"
)

var update = flag.Bool("update", false, "write down the facts of the cloud that MARINA_OPENSTACK_CLOUDS names")

// groups are all steps. Each group is done in a project of its own, so that they can be done
// at the same time, and begins with nothing.
var groups = map[string]func(*session){
	"keystone": identity, "glance": images, "cinder": volumes,
	"neutron-networks": networks, "neutron-ports": ports, "neutron-routers": routers, "neutron-floatingips": floating,
	"nova-servers": servers1, "nova-refused": refused, "nova-actions": actions, "nova-groups": serverGroups, "nova-volumes": serverVolumes, "nova-ports": serverPorts, "nova-quotas": computeQuotas, "nova": computePlain,
	"octavia": balancers, "octavia-parts": parts,
	"neutron-groups": securityGroups, "neutron-quotas": networkQuotas, "neutron": plain,
}

// TestContract has the steps done in the simulator or, if MARINA_OPENSTACK_CLOUDS names a
// clouds.yaml, in a running cloud, and compares the facts with those that were written down
// of a running one.
func TestContract(t *testing.T) {
	path := os.Getenv("MARINA_OPENSTACK_CLOUDS")
	if *update && path == "" {
		t.Fatal("facts are those of a running cloud: name its clouds.yaml in MARINA_OPENSTACK_CLOUDS")
	}
	c := simulate
	if path != "" {
		c = func(t *testing.T) cloud { return given(t, path) }
	}
	on := c(t)
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := begin(t, on, name)
			before := s.left()
			groups[name](s)
			if after := s.left(); after != before {
				t.Errorf("something is left:\n%s\nbefore it was\n%s", after, before)
			}
			s.compare(name, path == "")
		})
	}
}

// begin makes a project for a group of steps.
func begin(t *testing.T, on cloud, group string) *session {
	t.Helper()
	s := &session{T: t, cloud: on, account: on.add(t, group), names: map[string]string{}, taken: map[string]bool{}}
	t.Cleanup(func() {
		if t.Failed() && testing.Verbose() {
			t.Logf("the facts were:\n%s", write("", s.facts))
		}
	})
	s.admin = login(t, on, on.operator())
	s.client = login(t, on, clouds(on, s.account))
	_, id := on.external()
	s.names[id] = "external network"
	s.names[s.project], s.names[s.user] = "project", "user"
	s.names[s.projectName], s.names[s.userName] = "project's name", "user's name"
	s.asAdmin(openstack.Compute, "PUT /os-quota-sets/"+s.project, object("quota_set", "instances", 10, "cores", 20, "ram", 51200, "server_groups", 10, "server_group_members", 10))
	s.asAdmin(openstack.Network, "PUT /quotas/"+s.project, object("quota",
		"network", 100, "subnet", 100, "port", 500, "router", 10, "floatingip", 50, "security_group", 10, "security_group_rule", 100))
	s.asAdmin(openstack.Volume, "PUT /os-quota-sets/"+s.project, object("quota_set", "volumes", 10, "gigabytes", 1000, "snapshots", 10))
	return s
}

func (s *session) compare(group string, inSimulator bool) {
	s.Helper()
	if *update {
		if err := os.WriteFile(file(group), []byte(write(header, s.facts)), 0o644); err != nil {
			s.Fatal(err)
		}
		return
	}
	found := compare(known(s, group), s.facts)
	for name, both := range found {
		listed, ok := differences[group+": "+name]
		switch {
		case inSimulator && ok && listed.simulator == both[1]:
		case inSimulator && ok:
			s.Errorf("%s: the simulator is different in another way than differences says:\n%s\nsaid is\n%s\na real cloud:\n%s", name, both[1], listed.simulator, both[0])
		default:
			s.Errorf("%s:\n%s\na real cloud:\n%s", name, both[1], both[0])
		}
	}
	if !inSimulator {
		return
	}
	for key := range differences {
		if name, ours := cut(key, group); ours {
			if _, still := found[name]; !still {
				s.Errorf("%s: the simulator does as a real cloud does: take it out of differences", key)
			}
		}
	}
}

const header = `# What a real OpenStack answers; see doc.go. Written with -update.
# Zed of Debian 12: keystone 22.0.2, nova 26.2.2, neutron 21.0.0, glance 25.1.0, cinder 21.3.1, octavia 11.0.0.
`

// left is what a project has, and what it uses.
func (s *session) left() string {
	var all string
	for _, what := range []struct{ service, path, see string }{
		{openstack.Compute, "/servers/detail", "servers/*/name"},
		{openstack.Compute, "/os-server-groups", "server_groups/*/name"},
		{openstack.Compute, "/os-keypairs", "keypairs/*/keypair/name"},
		{openstack.Network, "/networks?project_id=" + s.project, "networks/*/name"},
		{openstack.Network, "/subnets?project_id=" + s.project, "subnets/*/name"},
		{openstack.Network, "/ports?project_id=" + s.project, "ports/*/device_owner"},
		{openstack.Network, "/routers?project_id=" + s.project, "routers/*/name"},
		{openstack.Network, "/floatingips?project_id=" + s.project, "floatingips/*/description"},
		{openstack.Network, "/security-groups?project_id=" + s.project, "security_groups/*/name"},
		{openstack.Image, "/images?owner=" + s.project, "images/*/name"},
		{openstack.Volume, "/volumes/detail", "volumes/*/name"},
		{openstack.LoadBalancer, "/lbaas/loadbalancers?project_id=" + s.project, "loadbalancers/*/name"},
		{openstack.Compute, "/limits", "limits/absolute/totalInstancesUsed"},
		{openstack.Compute, "/limits", "limits/absolute/totalCoresUsed"},
		{openstack.Compute, "/limits", "limits/absolute/totalRAMUsed"},
		{openstack.Compute, "/limits", "limits/absolute/totalServerGroupsUsed"},
		{openstack.Volume, "/limits", "limits/absolute/totalVolumesUsed"},
		{openstack.Volume, "/limits", "limits/absolute/totalGigabytesUsed"},
	} {
		a := s.do(what.service, "GET "+what.path, nil)
		v, ok := at(a.json, what.see)
		all += fmt.Sprintf("%s %s %s\n", what.path, what.see, shown(v, ok))
	}
	quota := s.do(openstack.Network, "GET /quotas/"+s.project+"/details.json", nil)
	for _, kind := range []string{"network", "subnet", "port", "router", "floatingip", "security_group", "security_group_rule"} {
		v, ok := at(quota.json, "quota/"+kind+"/used")
		all += fmt.Sprintf("%s used %s\n", kind, shown(v, ok))
	}
	return all
}
