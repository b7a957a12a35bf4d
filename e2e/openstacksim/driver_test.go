package openstacksim_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"

	"github.com/marina-dev/marina/e2e/openstacksim"
	"github.com/marina-dev/marina/e2e/openstacksim/nova"
)

// driver tells what it is asked for, and waits until it may go on.
type driver struct{ asked, may chan string }

func (d driver) do(ctx context.Context, what string) error {
	d.asked <- what
	select {
	case answer := <-d.may:
		if answer != "" {
			return errors.New(answer)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d driver) Boot(ctx context.Context, s nova.Instance) error {
	return d.do(ctx, fmt.Sprintf("boot %s %s %s %s %d", s.Name, s.UserData, s.Addresses[0].IP, s.Image["os_distro"], s.RAMMiB))
}
func (d driver) Stop(ctx context.Context, id string) error { return d.do(ctx, "stop") }
func (d driver) Reboot(ctx context.Context, id string, hard bool) error {
	return d.do(ctx, fmt.Sprint("reboot ", hard))
}
func (d driver) Destroy(ctx context.Context, id string) error { return d.do(ctx, "destroy") }

func TestDriverBootsServers(t *testing.T) {
	d := driver{asked: make(chan string), may: make(chan string)}
	c, network, _ := nodes(t, openstacksim.Options{Driver: d})
	ctx := t.Context()
	status := func(want string) {
		t.Helper()
		c.AwaitDriver()
		if got := c.shown(t, id(t, c)).Status; got != want {
			t.Errorf("the server is %s, want %s", got, want)
		}
	}
	expect := func(want, answer string) {
		t.Helper()
		if diff := cmp.Diff(want, <-d.asked); diff != "" {
			t.Error("(-want +got)", diff)
		}
		d.may <- answer
	}
	opts := c.opts("node", network)
	opts.UserData = []byte("#cloud-config")
	s, err := servers.Create(ctx, c.compute, opts, nil).Extract()
	check(t, err)
	boot := "boot node #cloud-config 10.0.0.2 ubuntu 8192"
	if got := <-d.asked; got != boot || c.shown(t, s.ID).Status != "BUILD" {
		t.Errorf("asked for %q, want %q while it is BUILD", got, boot)
	}
	d.may <- ""
	status("ACTIVE")
	check(t, servers.Reboot(ctx, c.compute, s.ID, servers.RebootOpts{Type: servers.HardReboot}).ExtractErr())
	expect("reboot true", "")
	status("ACTIVE")
	check(t, servers.Stop(ctx, c.compute, s.ID).ExtractErr())
	expect("stop", "")
	status("SHUTOFF")
	check(t, servers.Start(ctx, c.compute, s.ID).ExtractErr())
	expect(boot, "no room on the disk")
	status("ERROR")
	if got := c.shown(t, s.ID).Fault.Message; got != "no room on the disk" {
		t.Errorf("the fault is %q", got)
	}
	check(t, servers.Delete(ctx, c.compute, s.ID).ExtractErr())
	expect("destroy", "")
}

// id is the only server's.
func id(t *testing.T, c *cloud) string {
	t.Helper()
	return list(t, c.clients, servers.ListOpts{})[0].ID
}

// noting is a driver that notes that a boot has ended.
type noting struct {
	driver
	ended bool
}

func (n *noting) Boot(ctx context.Context, s nova.Instance) error {
	err := n.driver.Boot(ctx, s)
	n.ended = true
	return err
}

func TestCloseEndsWhatHangs(t *testing.T) {
	d := &noting{driver: driver{asked: make(chan string), may: make(chan string)}}
	c, network, _ := nodes(t, openstacksim.Options{Driver: d})
	c.server(t, "node", network)
	<-d.asked
	c.Close() // the boot only ends with its context
	if !d.ended {
		t.Error("the driver goes on after the end of the simulator")
	}
}
