package openstacksim_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/loadbalancers"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/networks"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	testclock "k8s.io/utils/clock/testing"

	"github.com/marina-dev/marina/e2e/openstacksim"
	"github.com/marina-dev/marina/e2e/openstacksim/nova"
)

// told is a driver that does nothing, and notes what it is asked for.
type told struct{ asked chan string }

func (d told) Boot(_ context.Context, s nova.Instance) error { d.asked <- "boot " + s.Name; return nil }
func (d told) Stop(context.Context, string) error            { d.asked <- "stop"; return nil }
func (d told) Reboot(context.Context, string, bool) error    { d.asked <- "reboot"; return nil }
func (d told) Destroy(context.Context, string) error         { d.asked <- "destroy"; return nil }

// again ends a cloud and starts it anew at the same address; the client stays.
func (c *cloud) again(t *testing.T, o openstacksim.Options) {
	t.Helper()
	c.Close()
	o.Clock, o.Listen = c.clock, c.URL()[len("http://"):]
	var err error
	c.Simulator, err = openstacksim.Start(o)
	check(t, err)
	t.Cleanup(c.Close)
}

func TestACloudInAFileGoesOn(t *testing.T) {
	o := openstacksim.Options{File: filepath.Join(t.TempDir(), "cloud.json"), Failed: func(err error) { t.Error(err) }}
	c, network, subnet := nodes(t, o)
	c.SetQuota(c.project.ID, "compute", "instances", 2)
	c.server(t, "first", network)
	_, err := volumes.Create(t.Context(), c.volumes, volumes.CreateOpts{Name: "data", Size: 5}, nil).Extract()
	check(t, err)
	lb, err := loadbalancers.Create(t.Context(), c.balancers, loadbalancers.CreateOpts{Name: "front", VipSubnetID: subnet}).Extract()
	check(t, err)
	type all struct {
		Servers  []servers.Server
		Volumes  []volumes.Volume
		Ports    []ports.Port
		Networks []networks.Network
		Balancer *loadbalancers.LoadBalancer
		Leaks    []openstacksim.Leak
	}
	see := func() (a all) {
		t.Helper()
		a.Servers = list(t, c.clients, servers.ListOpts{})
		pages, err := volumes.List(c.volumes, volumes.ListOpts{}).AllPages(t.Context())
		check(t, err)
		a.Volumes, err = volumes.ExtractVolumes(pages)
		check(t, err)
		pages, err = ports.List(c.network, ports.ListOpts{}).AllPages(t.Context())
		check(t, err)
		a.Ports, err = ports.ExtractPorts(pages)
		check(t, err)
		pages, err = networks.List(c.network, networks.ListOpts{}).AllPages(t.Context())
		check(t, err)
		a.Networks, err = networks.ExtractNetworks(pages)
		check(t, err)
		a.Balancer, err = loadbalancers.Get(t.Context(), c.balancers, lb.ID).Extract()
		check(t, err)
		a.Leaks = c.Leaks(c.project.ID)
		return a
	}
	before := see()
	if len(before.Servers) != 1 || before.Servers[0].Status != "ACTIVE" || len(before.Ports) != 2 || len(before.Leaks) < 4 {
		t.Fatalf("not much of a cloud: %+v", before)
	}
	c.again(t, o) // with the token that the client has
	if diff := cmp.Diff(before, see()); diff != "" {
		t.Error("(-before +after)", diff)
	}
	if p, ok := c.FindProject("tenant"); !ok || p != c.project {
		t.Errorf("the project is %+v, want %+v", p, c.project)
	}
	if !c.HasFlavor("b3-8") || !c.HasImage("ubuntu") || !c.HasNetwork("public") || c.HasImage("none") {
		t.Error("a flavor, an image or a network is not found by its name")
	}
	c.server(t, "second", network)
	_, err = servers.Create(t.Context(), c.compute, c.opts("third", network), nil).Extract()
	if !gophercloud.ResponseCodeIs(err, 403) {
		t.Errorf("a third server got %v, want the quota of two to hold", err)
	}
	check(t, loadbalancers.Delete(t.Context(), c.balancers, lb.ID, loadbalancers.DeleteOpts{}).ExtractErr())
}

func TestWhatWasUnderWayGoesOn(t *testing.T) {
	for name, test := range map[string]struct {
		begin  func(*cloud, context.Context, string) error
		asked  []string // of the second driver
		status string
	}{
		"a server that runs": {asked: []string{"boot node"}, status: "ACTIVE"},
		"a reboot": {func(c *cloud, ctx context.Context, id string) error {
			return servers.Reboot(ctx, c.compute, id, servers.RebootOpts{Type: servers.SoftReboot}).ExtractErr()
		}, []string{"boot node"}, "ACTIVE"},
		"a stop": {func(c *cloud, ctx context.Context, id string) error {
			return servers.Stop(ctx, c.compute, id).ExtractErr()
		}, []string{"stop"}, "SHUTOFF"},
		"a rebuild": {func(c *cloud, ctx context.Context, id string) error {
			return servers.Rebuild(ctx, c.compute, id, servers.RebuildOpts{ImageRef: c.image}).Err
		}, []string{"destroy", "boot node"}, "ACTIVE"},
		"a deletion": {func(c *cloud, ctx context.Context, id string) error {
			return servers.Delete(ctx, c.compute, id).ExtractErr()
		}, []string{"destroy"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			hung := driver{asked: make(chan string), may: make(chan string)}
			o := openstacksim.Options{Driver: hung, File: filepath.Join(t.TempDir(), "cloud.json"), Failed: func(err error) { t.Error(err) }}
			c, network, _ := nodes(t, o)
			s := c.server(t, "node", network)
			<-hung.asked
			hung.may <- ""
			status := func(want string) {
				t.Helper()
				c.AwaitDriver()
				now, err := servers.Get(t.Context(), c.compute, s.ID).Extract()
				if gophercloud.ResponseCodeIs(err, 404) {
					now, err = &servers.Server{}, nil
				}
				check(t, err)
				if now.Status != want {
					t.Errorf("the server is %q, want %q", now.Status, want)
				}
			}
			status("ACTIVE")
			if test.begin != nil {
				check(t, test.begin(c, t.Context(), s.ID))
				<-hung.asked
			}
			next := told{make(chan string, 10)}
			o.Driver = next
			o.Begin = func(cloud *openstacksim.Simulator) {
				if diff := cmp.Diff([]string{s.ID}, cloud.Servers()); diff != "" || len(next.asked) > 0 {
					t.Errorf("before anything is booted (-want +got) %s; asked already: %d", diff, len(next.asked))
				}
			}
			c.again(t, o)
			for _, want := range test.asked {
				if got := <-next.asked; got != want {
					t.Errorf("the driver was asked to %s, want %s", got, want)
				}
			}
			status(test.status)
			if len(next.asked) > 0 {
				t.Errorf("the driver was asked for more: %s", <-next.asked)
			}
		})
	}
}

func TestACloudWithDelaysIsNotKept(t *testing.T) {
	if _, err := openstacksim.Start(openstacksim.Options{Clock: testclock.NewFakeClock(time.Now()), File: "cloud.json", BuildTime: time.Second}); err == nil {
		t.Error("a cloud with delays was kept in a file")
	}
}

// talker has a console.
type talker struct{ told }

func (talker) Console(id string) string { return "one\ntwo of " + id + "\nthree\n" }

func TestConsole(t *testing.T) {
	driver := talker{told{make(chan string, 1)}}
	c, network, _ := nodes(t, openstacksim.Options{Driver: driver})
	s := c.server(t, "node", network)
	<-driver.asked
	c.AwaitDriver()
	for length, want := range map[int]string{0: "one\ntwo of " + s.ID + "\nthree\n", 2: "two of " + s.ID + "\nthree\n", 9: "one\ntwo of " + s.ID + "\nthree\n"} {
		got, err := servers.ShowConsoleOutput(t.Context(), c.compute, s.ID, servers.ShowConsoleOutputOpts{Length: length}).Extract()
		check(t, err)
		if got != want {
			t.Errorf("%d lines are %q, want %q", length, got, want)
		}
	}
}
