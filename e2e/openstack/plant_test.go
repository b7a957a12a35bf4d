package openstack

import (
	"context"
	"fmt"
	"testing"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servergroups"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/layer3/floatingips"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/e2e/harness"
)

// What somebody else makes in the project, or is left of what Marina made. It goes with the test.

func (w *world) plantServer(t testing.TB, metadata map[string]string, group string) string {
	t.Helper()
	nova := w.service(t, openstack.Compute)
	var hints servers.SchedulerHintOptsBuilder
	if group != "" {
		hints = servers.SchedulerHintOpts{Group: group}
	}
	made, err := servers.Create(t.Context(), nova, servers.CreateOpts{
		Name: "planted", ImageRef: w.infra.Status.Images[0].ID, FlavorRef: w.infra.Status.Flavors[0].ID,
		Networks: []servers.Network{{UUID: w.network.Status.NetworkID}}, Metadata: metadata,
	}, hints).Extract()
	check(t, err)
	goes(t, func(ctx context.Context) error { return servers.Delete(ctx, nova, made.ID).ExtractErr() })
	check(t, harness.AwaitEvery(t.Context(), w.pace, w.limit, func(ctx context.Context) error {
		s, err := servers.Get(ctx, nova, made.ID).Extract()
		if err == nil && s.Status != "ACTIVE" {
			err = fmt.Errorf("the planted server is %s: %s", s.Status, s.Fault.Message)
		}
		return err
	}))
	return made.ID
}

func (w *world) plantGroup(t testing.TB, name string) string {
	t.Helper()
	nova := w.service(t, openstack.Compute)
	made, err := servergroups.Create(t.Context(), nova, servergroups.CreateOpts{Name: name, Policy: "anti-affinity"}).Extract()
	check(t, err)
	goes(t, func(ctx context.Context) error { return servergroups.Delete(ctx, nova, made.ID).ExtractErr() })
	return made.ID
}

func (w *world) plantAddress(t testing.TB, description string) {
	t.Helper()
	neutron := w.service(t, openstack.Network)
	made, err := floatingips.Create(t.Context(), neutron, floatingips.CreateOpts{Description: description, FloatingNetworkID: w.infra.Status.ExternalNetworkID}).Extract()
	check(t, err)
	goes(t, func(ctx context.Context) error { return floatingips.Delete(ctx, neutron, made.ID).ExtractErr() })
}

// goes deletes something when the test ends, if it is still there.
func goes(t testing.TB, remove func(context.Context) error) {
	t.Helper()
	atEnd(t, func(ctx context.Context) error {
		err := openstack.Classify("", remove(ctx))
		if openstack.IsKind(err, openstack.NotFound) {
			return nil
		}
		return err
	})
}

// awaitCount waits until there are so many of a kind in the project.
func (w *world) awaitCount(t testing.TB, kind string, n int) {
	t.Helper()
	check(t, harness.AwaitEvery(t.Context(), w.pace, w.limit, func(context.Context) error {
		if got := w.inventory(t)[kind]; got != n {
			return fmt.Errorf("there are %d of %s in the project, want %d", got, kind, n)
		}
		return nil
	}))
}
