package nodepool

import (
	"net/http"
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/security/groups"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/networks"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/subnets"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/e2e/openstacksim"
	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/e2e/openstacksim/glance"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

const unknown = "00000000-0000-4000-8000-000000000000"

// plainCloudWorld is a world whose pool needs no server group.
func plainCloudWorld(t testing.TB) *cloudWorld {
	c := newCloudWorld(t)
	c.pool.Spec.AntiAffinity = ""
	return c
}

// group makes a security group in a project.
func (c *cloudWorld) group(p openstacksim.Project) string {
	c.Helper()
	g, err := groups.Create(c.Context(), c.service(p, openstack.Network), groups.CreateOpts{Name: "more"}).Extract()
	c.must(err)
	return g.ID
}

// share has an administrator share a network with all projects.
func (c *cloudWorld) share(id string) {
	c.Helper()
	admin := c.sim.AddProject("platform", "admin")
	_, err := networks.Update(c.Context(), c.service(admin, openstack.Network), id, networks.UpdateOpts{Shared: new(true)}).Extract()
	c.must(err)
}

// image puts another image in the place of that of the version.
func (c *cloudWorld) image(i glance.Image) {
	i.ID = c.infra.Status.Images[0].ID
	c.sim.RemoveImage(i.ID)
	c.sim.AddImageAs(i)
}

// What the cloud does not have is refused before anything is made there, with words that help,
// and accepted by itself when it is there.
func TestRefusedByCloud(t *testing.T) {
	for name, tc := range map[string]struct {
		// prepare returns what makes it right.
		prepare       func(c *cloudWorld, s *v1alpha1.NodePoolSpec) (heal func())
		reason, words string
	}{
		"NetworkOfOthers": {func(c *cloudWorld, s *v1alpha1.NodePoolSpec) func() {
			id, _ := c.sim.AddNetwork(c.sim.AddProject("other").ID, "theirs", "192.168.7.0/24")
			s.Networks = []string{id}
			return func() { c.share(id) }
		}, "NetworkNotFound", "networks: the project "},
		"NetworkWithoutSubnet": {func(c *cloudWorld, s *v1alpha1.NodePoolSpec) func() {
			sc := c.service(c.project, openstack.Network)
			n, err := networks.Create(c.Context(), sc, networks.CreateOpts{Name: "bare"}).Extract()
			c.must(err)
			s.Networks = []string{n.ID}
			return func() {
				_, err := subnets.Create(c.Context(), sc, subnets.CreateOpts{NetworkID: n.ID, CIDR: "192.168.8.0/24", IPVersion: 4}).Extract()
				c.must(err)
			}
		}, "NetworkNotUsable", "has no subnet"},
		"SecurityGroupOfOthers": {func(c *cloudWorld, s *v1alpha1.NodePoolSpec) func() {
			s.SecurityGroups = []string{c.group(c.project), c.group(c.sim.AddProject("other"))}
			return func() { c.change(func(s *v1alpha1.NodePoolSpec) { s.SecurityGroups = s.SecurityGroups[:1] }) }
		}, "SecurityGroupNotFound", "'openstack security group list' shows"},
		"Zone": {func(c *cloudWorld, s *v1alpha1.NodePoolSpec) func() {
			s.AvailabilityZone = "mars"
			return func() { c.sim.SetHosts([]string{"nova", "mars"}, 10) }
		}, "ZoneNotFound", "there is no zone mars in the region RegionOne: choose one of nova"},
		"ZoneDown": {func(c *cloudWorld, s *v1alpha1.NodePoolSpec) func() {
			c.sim.SetHosts([]string{"mars"}, 0)
			s.AvailabilityZone = "mars"
			return func() { c.sim.SetHosts([]string{"mars"}, 10) }
		}, "ZoneNotAvailable", "the zone mars in the region RegionOne is not available now"},
		"Image": {func(c *cloudWorld, _ *v1alpha1.NodePoolSpec) func() {
			c.sim.RemoveImage(c.infra.Status.Images[0].ID)
			return func() { c.image(glance.Image{}) }
		}, "ImageNotFound", " of version 1.37.1-1 in the region RegionOne: ask whoever runs the platform"},
		"ImageQueued": {func(c *cloudWorld, _ *v1alpha1.NodePoolSpec) func() {
			c.image(glance.Image{Status: "queued"})
			return func() { c.image(glance.Image{}) }
		}, "ImageNotActive", "is queued and not active"},
		"ImageOfMuchMemory": {func(c *cloudWorld, _ *v1alpha1.NodePoolSpec) func() {
			c.image(glance.Image{MinRAM: 8001})
			return func() { c.change(func(s *v1alpha1.NodePoolSpec) { s.Flavor = "b3-16" }) }
		}, "FlavorTooSmall", "flavor b3-8 has 8000 MiB of memory, and the image"},
		"ImageOfMuchDisk": {func(c *cloudWorld, _ *v1alpha1.NodePoolSpec) func() {
			c.image(glance.Image{MinDisk: 51})
			return func() { c.change(func(s *v1alpha1.NodePoolSpec) { s.DiskGiB = new(int64(51)) }) }
		}, "DiskTooSmall", "the disk of the flavor b3-8 is 50 GiB, and the image"},
	} {
		t.Run(name, func(t *testing.T) {
			c := plainCloudWorld(t)
			heal := tc.prepare(c, &c.pool.Spec)
			c.sim.SetUp()
			c.sim.ResetCalls()
			c.create(c.pool)
			result, err := c.pass()
			c.must(err)
			if result.RequeueAfter != time.Minute {
				t.Errorf("it is looked at again after %s, want a minute", result.RequeueAfter)
			}
			c.is(v1alpha1.PoolError, tc.words)
			c.says("SpecAccepted", "False", tc.reason, tc.words)
			c.has()
			asked := c.sim.Work()
			for _, call := range c.sim.Calls(front.Match{}) {
				if call.Method != http.MethodGet && call.Service != "identity" {
					t.Errorf("%s: something was made or changed", call)
				}
			}
			if left := c.sim.Leaks(c.project.ID); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
			c.now = c.now.Add(59 * time.Second)
			if result, err = c.pass(); err != nil || result.RequeueAfter != time.Second || c.sim.Work() != asked {
				t.Errorf("%+v, %v, %d requests; want another look in a second and no request before", result, err, c.sim.Work()-asked)
			}
			heal()
			c.now = c.now.Add(time.Second)
			c.mustPass()
			c.says("SpecAccepted", "True", "AsExpected", "")
			c.has("00001", "00002", "00003")
		})
	}
}

// A cloud that cannot be asked refuses nothing: Nova has the last word, for the Machines.
func TestCloudSilent(t *testing.T) {
	for name, tc := range map[string]struct {
		effect front.Effect
		// asked is how many requests there are. One that may pass is tried again by the client,
		// and then the others are not tried.
		asked int
	}{
		"Outage":    {front.Fail(503), 3},
		"Reset":     {front.Reset(), 2},
		"Forbidden": {front.Fail(403), 4},
		"Throttled": {front.Throttle(time.Hour), 1},
	} {
		t.Run(name, func(t *testing.T) {
			c := plainCloudWorld(t)
			c.pool.Spec.AvailabilityZone, c.pool.Spec.Networks, c.pool.Spec.SecurityGroups = "mars", []string{unknown}, []string{unknown}
			outage := []*front.Fault{
				c.sim.Inject(front.Fault{Match: front.Match{Service: "compute", Path: "/os-availability-zone"}, Effect: tc.effect}),
				c.sim.Inject(front.Fault{Match: front.Match{Service: "network"}, Effect: tc.effect}),
				c.sim.Inject(front.Fault{Match: front.Match{Service: "image"}, Effect: tc.effect}),
			}
			c.create(c.pool)
			c.mustPass()
			c.says("SpecAccepted", "True", "AsExpected", "")
			c.has("00001", "00002", "00003")
			hits := 0
			for _, fault := range outage {
				hits += fault.Hits()
			}
			// Only a connection that was used before is tried again; that of the login may be gone.
			if hits != tc.asked && (name != "Reset" || hits != 1) {
				t.Errorf("%d requests were answered so, want %d", hits, tc.asked)
			}
		})
	}
	t.Run("Credentials", func(t *testing.T) {
		c := plainCloudWorld(t)
		c.pool.Spec.Networks = []string{unknown}
		c.sim.SetPassword(c.project, "another one")
		c.create(c.pool)
		c.mustPass()
		c.says("SpecAccepted", "True", "AsExpected", "")
		c.has("00001", "00002", "00003")
	})
}

// What was refused stays so while the cloud cannot be asked.
func TestRefusedThroughOutage(t *testing.T) {
	c := plainCloudWorld(t)
	c.pool.Spec.Networks = []string{unknown}
	c.create(c.pool)
	c.mustPass()
	c.says("SpecAccepted", "False", "NetworkNotFound", unknown)
	outage := c.sim.Inject(front.Fault{Effect: front.Fail(503)})
	for range 3 {
		c.now = c.now.Add(time.Minute)
		c.mustPass()
		c.says("SpecAccepted", "False", "NetworkNotFound", unknown)
	}
	if outage.Hits() != 9 {
		t.Errorf("there were %d requests, want one a minute that is tried three times", outage.Hits())
	}
	c.has()
	outage.Remove()
	c.change(func(s *v1alpha1.NodePoolSpec) { s.Networks = nil })
	c.now = c.now.Add(time.Minute)
	c.settle()
	c.is(v1alpha1.PoolActive, "3 of 3")
}

// The cloud is asked once for each thing, for all pools of a project, and not at all while
// nothing is to be made.
func TestLookups(t *testing.T) {
	c := plainCloudWorld(t)
	network, _ := c.sim.AddNetwork(c.project.ID, "more", "192.168.7.0/24")
	group := c.group(c.project)
	spec := &c.pool.Spec
	spec.Replicas, spec.AvailabilityZone, spec.Networks, spec.SecurityGroups = new(int32(10)), "nova", []string{network}, []string{group}
	second := c.pool.DeepCopy()
	second.Name = "second"
	work := func(what string, want int) {
		t.Helper()
		if n := c.sim.Work(); n != want {
			t.Errorf("%s: %d requests, want %d: %v", what, n, want, c.sim.Calls(front.Match{}))
		}
		c.sim.ResetCalls()
	}
	c.sim.ResetCalls()
	c.create(c.pool)
	c.settle()
	c.is(v1alpha1.PoolActive, "10 of 10")
	work("ten nodes", 4)
	for range 10 {
		c.now = c.now.Add(time.Minute)
		c.mustPass()
	}
	work("ten quiet minutes", 0)
	c.restart()
	c.mustPass()
	work("a restart", 0)
	c.change(func(s *v1alpha1.NodePoolSpec) { s.Replicas = new(int32(11)) })
	c.settle()
	work("one more node", 4)
	c.change(func(s *v1alpha1.NodePoolSpec) { s.Flavor = "b3-16" })
	c.now = c.now.Add(time.Minute)
	c.settle()
	c.is(v1alpha1.PoolActive, "11 of 11")
	work("eleven others", 4)
	first := c.pool
	c.pool = second
	c.create(c.pool)
	c.mustPass()
	c.is(v1alpha1.PoolCreating, "0 of 10")
	c.change(func(s *v1alpha1.NodePoolSpec) { s.Replicas = new(int32(0)) })
	c.settle()
	c.now = c.now.Add(time.Hour)
	c.mustPass()
	c.is(v1alpha1.PoolActive, "0 of 0")

	c.pool = first
	c.sim.ResetCalls()
	c.must(networks.Delete(t.Context(), c.service(c.project, openstack.Network), network).ExtractErr())
	c.mustPass()
	c.is(v1alpha1.PoolActive, "11 of 11")
	c.change(func(s *v1alpha1.NodePoolSpec) { s.Replicas = new(int32(12)) })
	c.mustPass()
	c.is(v1alpha1.PoolDegraded, "sees no network "+network)
	if n := len(c.names()); n != 11 {
		t.Errorf("%d nodes are left, want 11", n)
	}
	c.change(func(s *v1alpha1.NodePoolSpec) { s.Replicas = new(int32(5)) })
	c.settle()
	c.is(v1alpha1.PoolActive, "5 of 5")
}

// Pools that come one after the other share answers.
func TestLookupsShared(t *testing.T) {
	c := plainCloudWorld(t)
	c.pool.Spec.AvailabilityZone = "nova"
	second := c.pool.DeepCopy()
	second.Name = "second"
	c.sim.ResetCalls()
	c.create(c.pool)
	c.mustPass()
	asked := c.sim.Work()
	c.pool = second
	c.create(c.pool)
	c.now = c.now.Add(20 * time.Second)
	c.mustPass()
	c.is(v1alpha1.PoolCreating, "0 of 3")
	if n := c.sim.Work(); asked != 2 || n != 2 {
		t.Errorf("%d requests for a pool and %d for another one, want 2 and none", asked, n-asked)
	}
}
