package openstacksim_test

import (
	"testing"
	"time"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"

	"github.com/marina-dev/marina/e2e/openstacksim"
)

func TestActionsOnServers(t *testing.T) {
	c, network, _ := nodes(t, openstacksim.Options{ActionTime: time.Second})
	s := c.server(t, "node", network)
	status := func() string { t.Helper(); return c.shown(t, s.ID).Status }
	want := func(states ...string) {
		t.Helper()
		if got := status(); got != states[0] {
			t.Errorf("at once: %s, want %s", got, states[0])
		}
		c.clock.Step(time.Second)
		if got := status(); got != states[1] {
			t.Errorf("in the end: %s, want %s", got, states[1])
		}
	}
	status()
	ctx := t.Context()
	refused(t, servers.Start(ctx, c.compute, s.ID).ExtractErr(), 409, `{"conflictingRequest":{"code":409,"message":"Cannot 'start' instance `+s.ID+` while it is in vm_state active"}}`)
	check(t, servers.Reboot(ctx, c.compute, s.ID, servers.RebootOpts{Type: servers.SoftReboot}).ExtractErr())
	refused(t, servers.Stop(ctx, c.compute, s.ID).ExtractErr(), 409, `{"conflictingRequest":{"code":409,"message":"Cannot 'stop' instance `+s.ID+` while it is in task_state rebooting"}}`)
	want("REBOOT", "ACTIVE")
	check(t, servers.Stop(ctx, c.compute, s.ID).ExtractErr())
	want("ACTIVE", "SHUTOFF")
	check(t, servers.Start(ctx, c.compute, s.ID).ExtractErr())
	want("SHUTOFF", "ACTIVE")

	larger := c.AddFlavor("b3-16", 4, 16384, 100)
	check(t, servers.Resize(ctx, c.compute, s.ID, servers.ResizeOpts{FlavorRef: larger}).ExtractErr())
	want("RESIZE", "VERIFY_RESIZE")
	check(t, servers.ConfirmResize(ctx, c.compute, s.ID).ExtractErr())
	if got := c.shown(t, s.ID).Flavor["original_name"]; got != "b3-16" {
		t.Errorf("the flavor is %v", got)
	}

	image := c.AddImage("debian", nil)
	_, err := servers.Rebuild(ctx, c.compute, s.ID, servers.RebuildOpts{ImageRef: image}).Extract()
	check(t, err)
	if got := c.shown(t, s.ID); got.Status != "ACTIVE" || got.Image["id"] != image {
		t.Errorf("rebuilt: %s of %v", got.Status, got.Image)
	}
	if !c.BreakServer("node", "the host is on fire") || c.shown(t, s.ID).Fault.Message != "the host is on fire" {
		t.Error("a broken server does not say why")
	}
}

func TestServersAreDeletingForAWhile(t *testing.T) {
	c, network, _ := nodes(t, openstacksim.Options{BuildTime: time.Minute, DeleteTime: 10 * time.Second})
	ctx := t.Context()
	s := c.server(t, "node", network) // deleted while it builds
	for range 2 {                     // a second request does no harm
		check(t, servers.Delete(ctx, c.compute, s.ID).ExtractErr())
	}
	if got := c.shown(t, s.ID); got.Status != "BUILD" || got.TaskState != "deleting" {
		t.Errorf("at once: status %s, task %s; want BUILD and deleting", got.Status, got.TaskState)
	}
	refused(t, servers.Reboot(ctx, c.compute, s.ID, servers.RebootOpts{Type: servers.HardReboot}).ExtractErr(), 409,
		`{"conflictingRequest":{"code":409,"message":"Cannot 'reboot' instance `+s.ID+` while it is in task_state deleting"}}`)
	c.clock.Step(10 * time.Second)
	_, err := servers.Get(ctx, c.compute, s.ID).Extract()
	refused(t, err, 404, `{"itemNotFound":{"code":404,"message":"Instance `+s.ID+` could not be found."}}`)
	c.clock.Step(time.Hour) // the end of its build is not missed
	for _, leak := range c.Leaks(c.project.ID) {
		if leak.Kind != "network" && leak.Kind != "subnet" {
			t.Errorf("left behind: %s", leak)
		}
	}
	if !c.RemoveServer(c.server(t, "other", network).ID) || c.RemoveServer("nobody") {
		t.Error("servers are removed behind the owner's back only if they are there")
	}
	c.clock.Step(10 * time.Second)
	if got := list(t, c.clients, servers.ListOpts{}); len(got) != 0 {
		t.Errorf("%v are there", names(got))
	}
}
