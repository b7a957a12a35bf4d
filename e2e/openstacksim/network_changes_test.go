package openstacksim_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/quotasets"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/attributestags"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/layer3/floatingips"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/layer3/routers"
	netquotas "github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/quotas"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/security/groups"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/security/rules"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/networks"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/subnets"

	"github.com/marina-dev/marina/e2e/openstacksim"
)

func TestNeutronQuotas(t *testing.T) {
	w := wire(t)
	ctx, client := t.Context(), w.clients.network
	for name, test := range map[string]struct {
		used int
		more func() error
	}{
		"network": {1, func() error { _, err := networks.Create(ctx, client, networks.CreateOpts{}).Extract(); return err }},
		"subnet": {1, func() error {
			_, err := subnets.Create(ctx, client, subnets.CreateOpts{NetworkID: w.network, CIDR: "10.5.0.0/24", IPVersion: 4}).Extract()
			return err
		}},
		"port": {2, func() error {
			_, err := ports.Create(ctx, client, ports.CreateOpts{NetworkID: w.network}).Extract()
			return err
		}},
		"router": {1, func() error { _, err := routers.Create(ctx, client, routers.CreateOpts{}).Extract(); return err }},
		"floatingip": {0, func() error {
			_, err := floatingips.Create(ctx, client, floatingips.CreateOpts{FloatingNetworkID: w.external}).Extract()
			return err
		}},
		"security_group": {2, func() error { _, err := groups.Create(ctx, client, groups.CreateOpts{Name: "g"}).Extract(); return err }},
		"security_group_rule": {6, func() error {
			_, err := rules.Create(ctx, client, rules.CreateOpts{SecGroupID: w.group.ID, Direction: rules.DirIngress, EtherType: rules.EtherType4}).Extract()
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w.SetQuota(w.project.ID, "network", name, test.used)
			refused(t, test.more(), 409, neutronError("OverQuota", "Quota exceeded for resources: ['"+name+"']."))
			w.SetQuota(w.project.ID, "network", name, -1)
			check(t, test.more())
		})
	}
	detail, err := netquotas.GetDetail(ctx, client, w.project.ID).Extract()
	check(t, err)
	if detail.Port.Used != 3 || detail.Port.Limit != -1 {
		t.Errorf("the detail of ports is %+v, want 3 of no limit", detail.Port)
	}
}

func TestSecurityGroupsBeginWithTheirRules(t *testing.T) {
	c := start(t, openstacksim.Options{})
	pages, err := groups.List(c.network, groups.ListOpts{}).AllPages(t.Context())
	check(t, err)
	all, err := groups.ExtractGroups(pages)
	check(t, err)
	if len(all) != 1 || all[0].Name != "default" || len(all[0].Rules) != 4 {
		t.Errorf("a new project has the groups %+v, want one with 4 rules", all)
	}
	g, err := groups.Create(t.Context(), c.network, groups.CreateOpts{Name: "g"}).Extract()
	check(t, err)
	if len(g.Rules) != 2 || slices.ContainsFunc(g.Rules, func(r rules.SecGroupRule) bool { return r.Direction != "egress" }) {
		t.Errorf("a new group has the rules %+v, want two of egress", g.Rules)
	}
}

func TestNeutronListsInPagesAndByTags(t *testing.T) {
	c := start(t, openstacksim.Options{})
	for _, name := range []string{"a", "b", "c"} {
		n, err := networks.Create(t.Context(), c.network, networks.CreateOpts{Name: name}).Extract()
		check(t, err)
		_, err = attributestags.ReplaceAll(t.Context(), c.network, "networks", n.ID, attributestags.ReplaceAllOpts{Tags: []string{"all", name}}).Extract()
		check(t, err)
	}
	for name, test := range map[string]struct {
		opts networks.ListOpts
		want []string
	}{
		"in pages of one":    {networks.ListOpts{Limit: 1, Tags: "all"}, []string{"a", "b", "c"}},
		"backwards":          {networks.ListOpts{SortKey: "name", SortDir: "desc", TagsAny: "a,b"}, []string{"b", "a"}},
		"with external ones": {networks.ListOpts{NotTags: "all"}, []string{"public"}},
	} {
		t.Run(name, func(t *testing.T) {
			pages, err := networks.List(c.network, test.opts).AllPages(t.Context())
			check(t, err)
			all, err := networks.ExtractNetworks(pages)
			check(t, err)
			var got []string
			for _, n := range all {
				got = append(got, n.Name)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error("(-want +got)", diff)
			}
		})
	}
}

func TestPortsAreGivenToServersAndTakenBack(t *testing.T) {
	w := wire(t)
	opts := w.opts("node", "")
	opts.Networks = []servers.Network{{Port: w.port.ID}}
	s, err := servers.Create(t.Context(), w.compute, opts, nil).Extract()
	check(t, err)
	got := w.shown(t, s.ID)
	if got.SecurityGroups[0]["name"] != "nodes" {
		t.Errorf("the groups of the server are %v, want that of the port", got.SecurityGroups)
	}
	check(t, servers.Delete(t.Context(), w.compute, s.ID).ExtractErr())
	p, err := ports.Get(t.Context(), w.clients.network, w.port.ID).Extract()
	check(t, err)
	if p.DeviceID != "" || p.DeviceOwner != "" || p.Status != "DOWN" {
		t.Errorf("the port without its server is %+v", p)
	}
}

func TestNetworkObjectsAreChanged(t *testing.T) {
	w := wire(t)
	ctx, client := t.Context(), w.clients.network
	name, description := "renamed", "owner=2"
	n, err := networks.Update(ctx, client, w.network, networks.UpdateOpts{Name: &name, Description: &description}).Extract()
	check(t, err)
	servers := []string{"9.9.9.9"}
	s, err := subnets.Update(ctx, client, w.subnet, subnets.UpdateOpts{DNSNameservers: &servers}).Extract()
	check(t, err)
	if n.Name != name || n.Description != description || s.DNSNameservers[0] != "9.9.9.9" || s.CIDR != "10.0.0.0/24" || !s.EnableDHCP {
		t.Errorf("network %+v, subnet %+v", n, s)
	}
	p, err := ports.Update(ctx, client, w.port.ID, ports.UpdateOpts{
		SecurityGroups: &[]string{}, AllowedAddressPairs: &[]ports.AddressPair{{IPAddress: "10.244.0.0/16"}}, FixedIPs: []ports.IP{{IPAddress: "10.0.0.2"}, {SubnetID: w.subnet}, {SubnetID: w.subnet}},
	}).Extract()
	check(t, err)
	if len(p.SecurityGroups) != 0 || p.AllowedAddressPairs[0].MACAddress != p.MACAddress || len(p.FixedIPs) != 3 || p.FixedIPs[1] == p.FixedIPs[2] || p.Name != "p" {
		t.Errorf("the port is %+v", p)
	}
	_, err = routers.RemoveInterface(ctx, client, w.router.ID, routers.RemoveInterfaceOpts{SubnetID: w.subnet}).Extract()
	check(t, err)
	for _, want := range []string{"", w.external} {
		r, err := routers.Update(ctx, client, w.router.ID, routers.UpdateOpts{GatewayInfo: &routers.GatewayInfo{NetworkID: want}}).Extract()
		check(t, err)
		if r.GatewayInfo.NetworkID != want {
			t.Errorf("the gateway is %+v, want the network %q", r.GatewayInfo, want)
		}
	}
	check(t, routers.Delete(ctx, client, w.router.ID).ExtractErr())
}

func TestPortsAreMadeAllOrNone(t *testing.T) {
	w := wire(t)
	w.SetQuota(w.project.ID, "network", "port", 4) // one of the router, one of the fixture
	make := func(count int) error {
		many := []any{}
		for range count {
			many = append(many, map[string]any{"network_id": w.network, "tags": []string{"bulk"}})
		}
		_, err := w.clients.network.Post(t.Context(), w.clients.network.ServiceURL("ports"), map[string]any{"ports": many}, nil, nil)
		return err
	}
	refused(t, make(3), 409, neutronError("OverQuota", "Quota exceeded for resources: ['port']."))
	check(t, make(2))
	pages, err := ports.List(w.clients.network, ports.ListOpts{Tags: "bulk"}).AllPages(t.Context())
	check(t, err)
	if found, _ := ports.ExtractPorts(pages); len(found) != 2 {
		t.Errorf("%d ports were made, want 2", len(found))
	}
}

func TestOperatorsSetQuotas(t *testing.T) {
	c := start(t, openstacksim.Options{})
	admin := c.in(t, c.AddProject("operators", "admin"))
	five := 5
	for name, set := range map[string]func(*clients) error{
		"network": func(k *clients) error {
			_, err := netquotas.Update(t.Context(), k.network, c.project.ID, netquotas.UpdateOpts{Port: &five}).Extract()
			return err
		},
		"compute": func(k *clients) error {
			_, err := quotasets.Update(t.Context(), k.compute, c.project.ID, quotasets.UpdateOpts{Instances: &five}).Extract()
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := set(c.clients); !gophercloud.ResponseCodeIs(err, 403) {
				t.Errorf("a user set a quota: %v", err)
			}
			check(t, set(admin))
		})
	}
	network, err := netquotas.Get(t.Context(), c.network, c.project.ID).Extract()
	check(t, err)
	compute, err := quotasets.Get(t.Context(), c.compute, c.project.ID).Extract()
	check(t, err)
	if network.Port != 5 || compute.Instances != 5 || network.Network != 100 {
		t.Errorf("the quotas are %+v and %+v", network, compute)
	}
}
