package openstacksim_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/limits"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/quotasets"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/security/groups"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/networks"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"

	"github.com/marina-dev/marina/e2e/openstacksim"
	"github.com/marina-dev/marina/e2e/openstacksim/glance"
	"github.com/marina-dev/marina/e2e/openstacksim/nova"
	"github.com/marina-dev/marina/e2e/openstacksim/state"
)

func TestServerBuildsForAWhileAndIsActive(t *testing.T) {
	c := start(t, openstacksim.Options{BuildTime: 30 * time.Second})
	network, subnet := c.lan(t, "nodes", "10.0.0.0/24")
	s := c.server(t, "node-1", network)

	if got := c.shown(t, s.ID); got.Status != "BUILD" || got.TaskState != "spawning" {
		t.Errorf("at once: status %s, task %s; want BUILD, spawning", got.Status, got.TaskState)
	}
	c.clock.Step(29 * time.Second)
	if got := c.shown(t, s.ID); got.Status != "BUILD" {
		t.Errorf("after 29 s: %s, want BUILD", got.Status)
	}
	c.clock.Step(time.Second)
	got := c.shown(t, s.ID)
	if got.Status != "ACTIVE" || got.TaskState != "" || got.LaunchedAt.IsZero() {
		t.Errorf("after 30 s: status %s, task %q, launched %s; want ACTIVE", got.Status, got.TaskState, got.LaunchedAt)
	}
	pages, err := ports.List(c.network, ports.ListOpts{DeviceID: s.ID}).AllPages(t.Context())
	check(t, err)
	found, err := ports.ExtractPorts(pages)
	check(t, err)
	if len(found) != 1 || found[0].DeviceOwner != "compute:nova" || found[0].Status != "ACTIVE" || found[0].FixedIPs[0].SubnetID != subnet {
		t.Errorf("its ports are %+v, want one of compute:nova in %s", found, subnet)
	}

	check(t, servers.Delete(t.Context(), c.compute, s.ID).ExtractErr())
	_, err = servers.Get(t.Context(), c.compute, s.ID).Extract()
	refused(t, err, 404, `{"itemNotFound":{"code":404,"message":"Instance `+s.ID+` could not be found."}}`)
}

// nodes is a cloud with one network.
func nodes(t *testing.T, o openstacksim.Options) (c *cloud, network, subnet string) {
	t.Helper()
	c = start(t, o)
	network, subnet = c.lan(t, "nodes", "10.0.0.0/24")
	return c, network, subnet
}

func list(t *testing.T, c *clients, opts servers.ListOpts) []servers.Server {
	t.Helper()
	pages, err := servers.List(c.compute, opts).AllPages(t.Context())
	check(t, err)
	all, err := servers.ExtractServers(pages)
	check(t, err)
	return all
}

func names(all []servers.Server) []string {
	found := []string{}
	for _, s := range all {
		found = append(found, s.Name)
	}
	return found
}

func TestServersAreListedInPagesAndByFilters(t *testing.T) {
	c, network, _ := nodes(t, openstacksim.Options{})
	before := c.clock.Now()
	for _, name := range []string{"a-1", "a-2", "b-1"} {
		c.clock.Step(time.Second)
		opts := c.opts(name, network)
		opts.Tags, opts.Metadata = []string{"all", "tag-" + name}, map[string]string{"owner": name}
		_, err := servers.Create(t.Context(), c.compute, opts, nil).Extract()
		check(t, err)
	}
	c.FailBuilds(nova.BuildFault{Name: "broken"})
	broken := c.server(t, "broken", network)
	gone := list(t, c.clients, servers.ListOpts{Name: "^a-2$"})[0]
	c.clock.Step(time.Minute)
	check(t, servers.Delete(t.Context(), c.compute, gone.ID).ExtractErr())

	for name, test := range map[string]struct {
		opts servers.ListOpts
		want []string
	}{
		"the newest first":                {servers.ListOpts{}, []string{"broken", "b-1", "a-1"}},
		"in pages of one":                 {servers.ListOpts{Limit: 1}, []string{"broken", "b-1", "a-1"}},
		"after a marker":                  {servers.ListOpts{Marker: broken.ID}, []string{"b-1", "a-1"}},
		"names are regular expressions":   {servers.ListOpts{Name: "a"}, []string{"a-1"}},
		"by status":                       {servers.ListOpts{Status: "ERROR"}, []string{"broken"}},
		"by all of some tags":             {servers.ListOpts{Tags: "all,tag-a-1"}, []string{"a-1"}},
		"by any of some tags":             {servers.ListOpts{TagsAny: "tag-b-1,tag-a-1"}, []string{"b-1", "a-1"}},
		"by lack of a tag":                {servers.ListOpts{NotTags: "tag-a-1"}, []string{"broken", "b-1"}},
		"changes, deleted servers too":    {servers.ListOpts{ChangesSince: c.clock.Now().Format(time.RFC3339)}, []string{"a-2"}},
		"changes since before everything": {servers.ListOpts{ChangesSince: before.Format(time.RFC3339)}, []string{"a-2", "broken", "b-1", "a-1"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, names(list(t, c.clients, test.opts))); diff != "" {
				t.Error("(-want +got)", diff)
			}
		})
	}
	_, err := servers.List(c.compute, servers.ListOpts{Marker: "nobody"}).AllPages(t.Context())
	refused(t, err, 400, `{"badRequest":{"code":400,"message":"marker [nobody] not found"}}`)
	_, err = servers.List(c.compute, servers.ListOpts{Status: "WELL"}).AllPages(t.Context())
	refused(t, err, 400, `{"badRequest":{"code":400,"message":"Invalid status value"}}`)
}

func TestServerIsRefused(t *testing.T) {
	c, network, _ := nodes(t, openstacksim.Options{})
	empty, err := networks.Create(t.Context(), c.network, networks.CreateOpts{Name: "empty"}).Extract()
	check(t, err)
	port, err := ports.Create(t.Context(), c.network, ports.CreateOpts{NetworkID: network}).Extract()
	check(t, err)
	used := c.opts("user-of-the-port", "")
	used.Networks = []servers.Network{{Port: port.ID}}
	_, err = servers.Create(t.Context(), c.compute, used, nil).Extract()
	check(t, err)
	_, err = servers.List(c.compute, nil).AllPages(t.Context()) // by now the port is bound
	check(t, err)
	big := c.AddImageAs(glance.Image{Base: state.Base{Name: "big"}, MinDisk: 100})

	for range 2 {
		_, err := groups.Create(t.Context(), c.network, groups.CreateOpts{Name: "twin"}).Extract()
		check(t, err)
	}
	queued, err := images.Create(t.Context(), c.images, images.CreateOpts{Name: "queued"}).Extract()
	check(t, err)

	bad := func(message string) string { return `{"badRequest":{"code":400,"message":"` + message + `"}}` }
	for name, test := range map[string]struct {
		change func(*servers.CreateOpts)
		hints  servers.SchedulerHintOpts
		status int
		body   string
	}{
		"unknown image":    {func(o *servers.CreateOpts) { o.ImageRef = "nothing" }, servers.SchedulerHintOpts{}, 400, bad("Invalid input for field/attribute imageRef. Value: nothing. 'nothing' is not valid under any of the given schemas")},
		"unknown flavor":   {func(o *servers.CreateOpts) { o.FlavorRef = "nothing" }, servers.SchedulerHintOpts{}, 400, bad("Flavor nothing could not be found.")},
		"unknown zone":     {func(o *servers.CreateOpts) { o.AvailabilityZone = "mars" }, servers.SchedulerHintOpts{}, 400, bad("The requested availability zone is not available")},
		"unknown network":  {func(o *servers.CreateOpts) { o.Networks = []servers.Network{{UUID: "nothing"}} }, servers.SchedulerHintOpts{}, 400, bad("Invalid input for field/attribute networks. Value: [{'uuid': 'nothing'}]. [{'uuid': 'nothing'}] is not valid under any of the given schemas")},
		"unknown port":     {func(o *servers.CreateOpts) { o.Networks = []servers.Network{{Port: "nothing"}} }, servers.SchedulerHintOpts{}, 400, bad("Port id nothing could not be found.")},
		"no subnet":        {func(o *servers.CreateOpts) { o.Networks = []servers.Network{{UUID: empty.ID}} }, servers.SchedulerHintOpts{}, 400, bad("Network " + empty.ID + " requires a subnet in order to boot instances on.")},
		"port in use":      {func(o *servers.CreateOpts) { o.Networks = []servers.Network{{Port: port.ID}} }, servers.SchedulerHintOpts{}, 409, `{"conflictingRequest":{"code":409,"message":"Port ` + port.ID + ` is still in use."}}`},
		"which network":    {func(o *servers.CreateOpts) { o.Networks = "auto" }, servers.SchedulerHintOpts{}, 409, `{"conflictingRequest":{"code":409,"message":"Multiple possible networks found, use a Network ID to be more specific."}}`},
		"unknown group":    {func(o *servers.CreateOpts) { o.SecurityGroups = []string{"nothing"} }, servers.SchedulerHintOpts{}, 400, bad("Unable to find security_group with name or id 'nothing'")},
		"ambiguous group":  {func(o *servers.CreateOpts) { o.SecurityGroups = []string{"twin"} }, servers.SchedulerHintOpts{}, 409, `{"conflictingRequest":{"code":409,"message":"Multiple security_group matches found for name 'twin', use an ID to be more specific."}}`},
		"tag with a comma": {func(o *servers.CreateOpts) { o.Tags = []string{"a,b"} }, servers.SchedulerHintOpts{}, 400, bad("Invalid input for field/attribute 0. Value: a,b. 'a,b' does not match '^[^,/]*$'")},
		"unknown servers":  {func(*servers.CreateOpts) {}, servers.SchedulerHintOpts{Group: "01234567-89ab-4def-8123-456789abcdef"}, 400, bad("Instance group 01234567-89ab-4def-8123-456789abcdef could not be found.")},
		"image not ready":  {func(o *servers.CreateOpts) { o.ImageRef = queued.ID }, servers.SchedulerHintOpts{}, 400, bad("Image " + queued.ID + " is not active.")},
		"disk too small":   {func(o *servers.CreateOpts) { o.ImageRef = big }, servers.SchedulerHintOpts{}, 400, bad("Flavor's disk is smaller than the minimum size specified in image metadata. Flavor disk is 53687091200 bytes, minimum size is 107374182400 bytes.")},
		"nothing to boot":  {func(o *servers.CreateOpts) { o.ImageRef = "" }, servers.SchedulerHintOpts{}, 400, bad("Missing imageRef attribute")},
		"user data over the limit": {func(o *servers.CreateOpts) { o.UserData = bytes.Repeat([]byte("#"), 49152) }, servers.SchedulerHintOpts{}, 400,
			bad("Invalid input for field/attribute user_data. Value: " + strings.Repeat("IyMj", 16384) + ". '" + strings.Repeat("IyMj", 16384) + "' is too long")},
	} {
		t.Run(name, func(t *testing.T) {
			opts := c.opts("node", network)
			test.change(&opts)
			var hints servers.SchedulerHintOptsBuilder
			if test.hints.Group != "" {
				hints = test.hints
			}
			_, err := servers.Create(t.Context(), c.compute, opts, hints).Extract()
			refused(t, err, test.status, test.body)
		})
	}
	if got := len(list(t, c.clients, servers.ListOpts{})); got != 1 {
		t.Errorf("%d servers are there, want the one that was not refused", got)
	}
	opts := c.opts("node", network)
	opts.UserData = bytes.Repeat([]byte("#"), 49149) // 65532 in base64
	_, err = servers.Create(t.Context(), c.compute, opts, nil).Extract()
	check(t, err)
}

func TestServerQuotaNamesResourcesAndNumbers(t *testing.T) {
	c, network, _ := nodes(t, openstacksim.Options{})
	c.SetQuota(c.project.ID, "compute", "instances", 1)
	c.SetQuota(c.project.ID, "compute", "cores", 3)
	first := c.server(t, "first", network)
	_, err := servers.Create(t.Context(), c.compute, c.opts("second", network), nil).Extract()
	refused(t, err, 403, `{"forbidden":{"code":403,"message":"Quota exceeded for cores, instances: Requested 2, 1, but already used 2, 1 of 3, 1 cores, instances"}}`)
	if !gophercloud.ResponseCodeIs(err, 403) {
		t.Errorf("gophercloud does not take %v for a 403", err)
	}

	detail, err := quotasets.GetDetail(t.Context(), c.compute, c.project.ID).Extract()
	check(t, err)
	if detail.Instances.Limit != 1 || detail.Instances.InUse != 1 || detail.RAM.InUse != 8192 {
		t.Errorf("the quota is %+v", detail)
	}
	all, err := limits.Get(t.Context(), c.compute, nil).Extract()
	check(t, err)
	if all.Absolute.MaxTotalCores != 3 || all.Absolute.TotalCoresUsed != 2 {
		t.Errorf("the limits are %+v", all.Absolute)
	}

	c.SetQuota(c.project.ID, "compute", "instances", 5)
	c.SetQuota(c.project.ID, "compute", "cores", -1)
	c.server(t, "second", network)
	c.SetQuota(c.project.ID, "network", "port", 2)
	_, err = servers.Create(t.Context(), c.compute, c.opts("third", network), nil).Extract()
	refused(t, err, 403, `{"forbidden":{"code":403,"message":"Maximum number of ports exceeded"}}`)
	check(t, servers.Delete(t.Context(), c.compute, first.ID).ExtractErr())
	c.shown(t, c.server(t, "third", network).ID)
}

func TestBuildEndsInErrorWithTheFault(t *testing.T) {
	c, network, _ := nodes(t, openstacksim.Options{BuildTime: time.Second})
	c.FailBuilds(nova.BuildFault{Times: 1})
	c.FailBuilds(nova.BuildFault{Name: "quota", Code: 413, Message: "Quota exceeded for cores"})
	failed, quota := c.server(t, "failed", network), c.server(t, "quota", network)
	c.clock.Step(time.Second)
	got := c.shown(t, failed.ID)
	if want := "No valid host was found. There are not enough hosts available."; got.Status != "ERROR" || got.Fault.Code != 500 || got.Fault.Message != want || got.Fault.Details != "" {
		t.Errorf("%s with the fault %+v, want ERROR, 500, %q and no details for users", got.Status, got.Fault, want)
	}
	if got := c.shown(t, quota.ID); got.Fault.Code != 413 || got.Fault.Message != "Quota exceeded for cores" {
		t.Errorf("the fault is %+v", got.Fault)
	}
	pages, err := ports.List(c.network, ports.ListOpts{NetworkID: network}).AllPages(t.Context())
	check(t, err)
	if left, _ := ports.ExtractPorts(pages); len(left) != 0 {
		t.Errorf("failed builds left the ports %v", left)
	}
	well := c.server(t, "well", network)
	c.clock.Step(time.Second)
	if got := c.shown(t, well.ID); got.Status != "ACTIVE" {
		t.Errorf("after the fault was used up: %s", got.Status)
	}
}
