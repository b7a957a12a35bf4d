package openstacksim_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/security/groups"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"

	"github.com/marina-dev/marina/e2e/openstacksim"
	"github.com/marina-dev/marina/e2e/openstacksim/front"
)

// ensure is a controller in small: it looks for what it owns before it makes it.
func ensure(t *testing.T, c *cloud, network string) error {
	ctx := t.Context()
	pages, err := groups.List(c.network, groups.ListOpts{Description: "owner=1"}).AllPages(ctx)
	if err != nil {
		return err
	}
	owned, err := groups.ExtractGroups(pages)
	if err != nil {
		return err
	}
	if len(owned) == 0 {
		g, err := groups.Create(ctx, c.network, groups.CreateOpts{Name: "g", Description: "owner=1"}).Extract()
		if err != nil {
			return err
		}
		owned = []groups.SecGroup{*g}
	}
	pages, err = ports.List(c.network, ports.ListOpts{Description: "owner=1"}).AllPages(ctx)
	if err != nil {
		return err
	}
	found, err := ports.ExtractPorts(pages)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		p, err := ports.Create(ctx, c.network, ports.CreateOpts{NetworkID: network, Description: "owner=1", SecurityGroups: &[]string{owned[0].ID}}).Extract()
		if err != nil {
			return err
		}
		found = []ports.Port{*p}
	}
	pages, err = servers.List(c.compute, servers.ListOpts{Name: "^node$"}).AllPages(ctx)
	if err != nil {
		return err
	}
	if all, err := servers.ExtractServers(pages); err != nil || len(all) > 0 {
		return err
	}
	opts := c.opts("node", "")
	opts.Networks = []servers.Network{{Port: found[0].ID}}
	_, err = servers.Create(ctx, c.compute, opts, nil).Extract()
	return err
}

// dismantle is how it deletes: the server first, then what the server used.
func dismantle(t *testing.T, c *cloud) error {
	for _, leak := range []string{"server", "port", "security group"} {
		for _, l := range c.Leaks(c.project.ID) {
			if l.Kind != leak {
				continue
			}
			err := map[string]func(string) error{
				"server":         func(id string) error { return servers.Delete(t.Context(), c.compute, id).ExtractErr() },
				"port":           func(id string) error { return ports.Delete(t.Context(), c.network, id).ExtractErr() },
				"security group": func(id string) error { return groups.Delete(t.Context(), c.network, id).ExtractErr() },
			}[leak](l.ID)
			if err != nil && !gophercloud.ResponseCodeIs(err, 404) {
				return err
			}
		}
	}
	return nil
}

// The points come from a recorded run, so that a new call is covered by itself.
func TestACarefulControllerMayBeStoppedAnywhere(t *testing.T) {
	run := func(t *testing.T, at int, before bool) (calls []front.Call) {
		c, network, _ := nodes(t, openstacksim.Options{})
		c.SetUp()
		c.ResetCalls()
		stop := func(call front.Call) front.Verdict {
			if call.N == at {
				return front.Cut
			}
			return front.Proceed
		}
		if before {
			c.BeforeCalls(stop)
		} else {
			c.AfterCalls(stop)
		}
		converge := func(what string, work func() error) {
			if work() == nil { // Go's client repeats some calls that are cut
				return
			}
			if err := work(); err != nil {
				t.Errorf("%s does not come to its end when it is taken up again: %v", what, err)
			}
		}
		converge("creation", func() error { return ensure(t, c, network) })
		if diff := cmp.Diff(map[string]int{"security group": 1, "port": 1, "server": 1}, c.LeftKinds(c.project.ID)); diff != "" {
			t.Error("made (-want +got)", diff)
		}
		converge("deletion", func() error { return dismantle(t, c) })
		if left := c.Leaks(c.project.ID); len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
		return c.Calls(front.Match{})
	}
	whole := run(t, -1, true)
	if len(whole) != 9 {
		t.Fatalf("a run is of %d calls, want three lists, three creations and three deletions: %v", len(whole), whole)
	}
	for _, call := range whole {
		for where, before := range map[string]bool{"before": true, "after": false} {
			t.Run(fmt.Sprintf("%s %d %s", where, call.N, call), func(t *testing.T) { run(t, call.N, before) })
		}
	}
}
