package openstack

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	volumelimits "github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/limits"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"
	computelimits "github.com/gophercloud/gophercloud/v2/openstack/compute/v2/limits"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servergroups"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/loadbalancers"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/layer3/floatingips"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/layer3/routers"
	networkquotas "github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/quotas"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/security/groups"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/networks"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/subnets"
	"github.com/gophercloud/gophercloud/v2/pagination"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/e2e/harness"
)

// leavesNothing checks in the end that there is in the project what there was, and that the
// services count as much of it.
func (c *cloud) leavesNothing(t testing.TB) {
	t.Helper()
	there, used := c.inventory(t), c.used(t)
	t.Cleanup(func() {
		t.Helper()
		// What the services count may be behind what is there.
		check(t, harness.AwaitEvery(context.Background(), c.pace, c.limit, func(context.Context) error {
			if diff := cmp.Diff(there, c.inventory(t)) + cmp.Diff(used, c.used(t)); diff != "" {
				return fmt.Errorf("what is in the project, and is counted, in the end (-before +after):\n%s", diff)
			}
			return nil
		}))
	})
}

// inventory is how many there are of each kind in the project.
func (c *cloud) inventory(t testing.TB) map[string]int {
	t.Helper()
	compute, network, volume, balancer := c.service(t, openstack.Compute), c.service(t, openstack.Network), c.service(t, openstack.Volume), c.service(t, openstack.LoadBalancer)
	found := map[string]int{}
	count(t, found, "server", servers.List(compute, nil), servers.ExtractServers)
	count(t, found, "server group", servergroups.List(compute, nil), servergroups.ExtractServerGroups)
	count(t, found, "network", networks.List(network, networks.ListOpts{ProjectID: c.projectID}), networks.ExtractNetworks)
	count(t, found, "subnet", subnets.List(network, subnets.ListOpts{ProjectID: c.projectID}), subnets.ExtractSubnets)
	count(t, found, "router", routers.List(network, routers.ListOpts{ProjectID: c.projectID}), routers.ExtractRouters)
	count(t, found, "port", ports.List(network, ports.ListOpts{ProjectID: c.projectID}), ports.ExtractPorts)
	count(t, found, "floating IP", floatingips.List(network, floatingips.ListOpts{ProjectID: c.projectID}), floatingips.ExtractFloatingIPs)
	count(t, found, "security group", groups.List(network, groups.ListOpts{ProjectID: c.projectID}), groups.ExtractGroups)
	count(t, found, "volume", volumes.List(volume, nil), volumes.ExtractVolumes)
	count(t, found, "load balancer", loadbalancers.List(balancer, nil), loadbalancers.ExtractLoadBalancers)
	return found
}

func count[T any](t testing.TB, found map[string]int, kind string, list pagination.Pager, extract func(pagination.Page) ([]T, error)) {
	t.Helper()
	if all := every(t, list, extract); len(all) > 0 {
		found[kind] = len(all)
	}
}

// every is what there is in a list. It is asked for also when the test is over.
func every[T any](t testing.TB, list pagination.Pager, extract func(pagination.Page) ([]T, error)) []T {
	t.Helper()
	pages, err := list.AllPages(context.Background())
	check(t, err)
	all, err := extract(pages)
	check(t, err)
	return all
}

// used is what the services count in the project.
func (c *cloud) used(t testing.TB) map[string]int {
	t.Helper()
	used := map[string]int{}
	for name, a := range c.usage(t) {
		used[name] = a.Used
	}
	return used
}

// amount is what a service counts of something, and allows.
type amount struct{ Used, Limit int }

// usage is what the services count and allow in the project, by the names that a preflight has for it.
func (c *cloud) usage(t testing.TB) map[string]amount {
	t.Helper()
	ctx := context.Background()
	compute, err := computelimits.Get(ctx, c.service(t, openstack.Compute), nil).Extract()
	check(t, err)
	network, err := networkquotas.GetDetail(ctx, c.service(t, openstack.Network), c.projectID).Extract()
	check(t, err)
	volume, err := volumelimits.Get(ctx, c.service(t, openstack.Volume)).Extract()
	check(t, err)
	n, v := compute.Absolute, volume.Absolute
	of := func(d networkquotas.QuotaDetail) amount { return amount{d.Used + d.Reserved, d.Limit} }
	return map[string]amount{
		"instances": {n.TotalInstancesUsed, n.MaxTotalInstances}, "cores": {n.TotalCoresUsed, n.MaxTotalCores}, "memory": {n.TotalRAMUsed, n.MaxTotalRAMSize},
		"networks": of(network.Network), "subnets": of(network.Subnet), "routers": of(network.Router), "ports": of(network.Port),
		"security groups": of(network.SecurityGroup), "security group rules": of(network.SecurityGroupRule), "floating IPs": of(network.FloatingIP),
		"volumes": {v.TotalVolumesUsed, v.MaxTotalVolumes}, "volume storage": {v.TotalGigabytesUsed, v.MaxTotalVolumeGigabytes},
	}
}
