package openstacksim_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servergroups"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/layer3/floatingips"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/networks"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
)

func TestLeaksAreWhatTheTestDidNotSetUp(t *testing.T) {
	w := wire(t)
	w.AddNetwork(w.project.ID, "given", "10.7.0.0/24")
	w.SetUp()
	if left := w.Leaks(w.project.ID); len(left) != 0 {
		t.Errorf("set up, and yet left behind: %v", left)
	}
	ctx := t.Context()
	w.lan(t, "nodes", "10.8.0.0/24")
	w.server(t, "node", w.network)
	_, err := servergroups.Create(ctx, w.compute, servergroups.CreateOpts{Name: "pool", Policy: "affinity"}).Extract()
	check(t, err)
	_, err = floatingips.Create(ctx, w.clients.network, floatingips.CreateOpts{FloatingNetworkID: w.external}).Extract()
	check(t, err)
	_, err = volumes.Create(ctx, w.volumes, volumes.CreateOpts{Name: "data", Size: 1}, nil).Extract()
	check(t, err)
	got := map[string][]string{}
	for _, l := range w.Leaks(w.project.ID) {
		got[l.Kind] = append(got[l.Kind], l.Name)
	}
	want := map[string][]string{"network": {"nodes"}, "subnet": {""}, "server": {"node"}, "port": {""}, "server group": {"pool"}, "floating IP": {""}, "volume": {"data"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("(-want +got)", diff)
	}
	if left := w.Leaks(w.AddProject("other").ID); len(left) != 0 {
		t.Errorf("another project has left %v", left)
	}
}

func TestProjectsSeeOnlyTheirOwn(t *testing.T) {
	w := wire(t)
	ctx := t.Context()
	s := w.server(t, "node", w.network)
	v, err := volumes.Create(ctx, w.volumes, volumes.CreateOpts{Name: "data", Size: 1}, nil).Extract()
	check(t, err)
	g, err := servergroups.Create(ctx, w.compute, servergroups.CreateOpts{Name: "pool", Policy: "affinity"}).Extract()
	check(t, err)
	private, err := images.Create(ctx, w.images, images.CreateOpts{Name: "private"}).Extract()
	check(t, err)
	admin := w.in(t, w.AddProject("operators", "admin"))
	other := w.in(t, w.AddProject("other"))

	for name, get := range map[string]func(*clients) error{
		"server":       func(k *clients) error { _, err := servers.Get(ctx, k.compute, s.ID).Extract(); return err },
		"volume":       func(k *clients) error { _, err := volumes.Get(ctx, k.volumes, v.ID).Extract(); return err },
		"server group": func(k *clients) error { _, err := servergroups.Get(ctx, k.compute, g.ID).Extract(); return err },
		"network":      func(k *clients) error { _, err := networks.Get(ctx, k.network, w.network).Extract(); return err },
		"port":         func(k *clients) error { _, err := ports.Get(ctx, k.network, w.port.ID).Extract(); return err },
		"image":        func(k *clients) error { _, err := images.Get(ctx, k.images, private.ID).Extract(); return err },
	} {
		t.Run(name, func(t *testing.T) {
			check(t, get(w.clients))
			check(t, get(admin))
			if err := get(other); err == nil {
				t.Error("another project sees it")
			}
		})
	}
	if got := list(t, other, servers.ListOpts{}); len(got) != 0 {
		t.Errorf("another project lists %v", got)
	}
	if got := list(t, admin, servers.ListOpts{AllTenants: true}); len(got) != 1 {
		t.Errorf("an operator lists %v, want one server", got)
	}
	_, err = servers.List(other.compute, servers.ListOpts{AllTenants: true}).AllPages(ctx)
	refused(t, err, 403, `{"forbidden":{"code":403,"message":"Policy doesn't allow os_compute_api:servers:detail:get_all_tenants to be performed."}}`)
	for name, err := range map[string]error{
		"external network": func() error { _, err := networks.Get(ctx, other.network, w.external).Extract(); return err }(),
		"public image":     func() error { _, err := images.Get(ctx, other.images, w.image).Extract(); return err }(),
	} {
		if err != nil {
			t.Errorf("%s: %v, want it to be seen by all", name, err)
		}
	}
}
