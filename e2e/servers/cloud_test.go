//go:build openstack

package servers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/quotasets"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/limits"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servergroups"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/config"
	"github.com/gophercloud/gophercloud/v2/openstack/config/clouds"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/tokens"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/quotas"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/security/groups"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	corev1 "k8s.io/api/core/v1"

	"github.com/marina-dev/marina/e2e/harness"
)

// What the cloud of the tests has for everybody.
const (
	externalNetwork = "public"
	flavor          = "b3-2"
)

// cloud looks at the tenant's project as its user does, and at where servers run as an
// operator does.
type cloud struct {
	compute, network, volume, image, operator *gophercloud.ServiceClient
	project                                   string
}

func openCloud(t *testing.T) *cloud {
	t.Helper()
	provider := login(t, "tenant")
	region := gophercloud.EndpointOpts{Region: "RegionOne"}
	c := &cloud{}
	var err error
	c.compute, err = openstack.NewComputeV2(provider, region)
	check(t, err)
	c.compute.Microversion = "2.93"
	c.network, err = openstack.NewNetworkV2(provider, region)
	check(t, err)
	c.volume, err = openstack.NewBlockStorageV3(provider, region)
	check(t, err)
	c.image, err = openstack.NewImageV2(provider, region)
	check(t, err)
	c.operator, err = openstack.NewComputeV2(login(t, "admin"), region)
	check(t, err)
	project, err := provider.GetAuthResult().(tokens.CreateResult).ExtractProject()
	check(t, err)
	c.project = project.ID
	return c
}

func login(t *testing.T, name string) *gophercloud.ProviderClient {
	t.Helper()
	auth, _, tls, err := clouds.Parse(clouds.WithCloudName(name), clouds.WithLocations(environment(t, "MARINA_OPENSTACK_CLOUDS")))
	check(t, err)
	auth.AllowReauth = true
	provider, err := config.NewProviderClient(t.Context(), auth, config.WithTLSConfig(tls))
	check(t, err)
	return provider
}

// imageID is the id of the one image of a name.
func (c *cloud) imageID(t *testing.T, name string) string {
	t.Helper()
	pages, err := images.List(c.image, images.ListOpts{Name: name}).AllPages(t.Context())
	check(t, err)
	found, err := images.ExtractImages(pages)
	check(t, err)
	if len(found) != 1 {
		t.Fatalf("there are %d images %s, want one", len(found), name)
	}
	return found[0].ID
}

// serverOf is the id of the server that a node says it is.
func serverOf(node corev1.Node) string {
	return strings.TrimPrefix(node.Spec.ProviderID, "openstack:///")
}

// host is where a server runs.
func (c *cloud) host(t *testing.T, server string) string {
	t.Helper()
	found, err := servers.Get(t.Context(), c.operator, server).Extract()
	check(t, err)
	return found.Host
}

func (c *cloud) server(t *testing.T, id string) *servers.Server {
	t.Helper()
	found, err := c.find(t.Context(), id)
	check(t, err)
	return found
}

// find is server for a wait, which goes on asking.
func (c *cloud) find(ctx context.Context, id string) (*servers.Server, error) {
	return servers.Get(ctx, c.compute, id).Extract()
}

// addresses are the addresses of a server: the fixed ones and the floating ones.
func addresses(t *testing.T, server *servers.Server) (fixed, floating []string) {
	t.Helper()
	for _, of := range server.Addresses {
		for _, one := range of.([]any) {
			address := one.(map[string]any)
			if address["OS-EXT-IPS:type"] == "floating" {
				floating = append(floating, address["addr"].(string))
			} else {
				fixed = append(fixed, address["addr"].(string))
			}
		}
	}
	return fixed, floating
}

// ports are the ids of a server's ports.
func (c *cloud) ports(t *testing.T, server string) []string {
	t.Helper()
	pages, err := ports.List(c.network, ports.ListOpts{DeviceID: server}).AllPages(t.Context())
	check(t, err)
	all, err := ports.ExtractPorts(pages)
	check(t, err)
	var ids []string
	for _, port := range all {
		ids = append(ids, port.ID)
	}
	return ids
}

func (c *cloud) members(t *testing.T, group string) []string {
	t.Helper()
	found, err := servergroups.Get(t.Context(), c.compute, group).Extract()
	check(t, err)
	return found.Members
}

// groupOf is the security group of the nodes of a port.
func (c *cloud) groupOf(t *testing.T, port string) *groups.SecGroup {
	t.Helper()
	found, err := ports.Get(t.Context(), c.network, port).Extract()
	check(t, err)
	if len(found.SecurityGroups) != 1 {
		t.Fatalf("the port %s has the security groups %v, want that of the nodes alone", port, found.SecurityGroups)
	}
	group, err := groups.Get(t.Context(), c.network, found.SecurityGroups[0]).Extract()
	check(t, err)
	return group
}

// usage is what the project uses of its quotas, by service and kind.
func (c *cloud) usage(ctx context.Context) (map[string]int, error) {
	// Neutron makes the default group of a project when somebody first looks for groups.
	_, noGroups := groups.List(c.network, groups.ListOpts{}).AllPages(ctx)
	nova, noNova := limits.Get(ctx, c.compute, limits.GetOpts{}).Extract()
	neutron, noNeutron := quotas.GetDetail(ctx, c.network, c.project).Extract()
	cinder, noCinder := quotasets.GetUsage(ctx, c.volume, c.project).Extract()
	if err := errors.Join(noGroups, noNova, noNeutron, noCinder); err != nil {
		return nil, err
	}
	return map[string]int{
		"instances": nova.Absolute.TotalInstancesUsed, "cores": nova.Absolute.TotalCoresUsed, "memory": nova.Absolute.TotalRAMUsed,
		"server groups": nova.Absolute.TotalServerGroupsUsed,
		"networks":      neutron.Network.Used, "subnets": neutron.Subnet.Used, "ports": neutron.Port.Used, "routers": neutron.Router.Used,
		"floating IPs": neutron.FloatingIP.Used, "security groups": neutron.SecurityGroup.Used, "rules": neutron.SecurityGroupRule.Used,
		"volumes": cinder.Volumes.InUse, "gigabytes": cinder.Gigabytes.InUse, "snapshots": cinder.Snapshots.InUse,
	}, nil
}

// unchanged waits until the project uses of its quotas what it has used before.
func (c *cloud) unchanged(t *testing.T, before map[string]int) {
	t.Helper()
	check(t, harness.AwaitEvery(t.Context(), time.Second, time.Minute, func(ctx context.Context) error {
		now, err := c.usage(ctx)
		if err != nil {
			return err
		}
		if diff := cmp.Diff(before, now); diff != "" {
			return fmt.Errorf("of the quotas is used (-before +now):\n%s", diff)
		}
		return nil
	}))
}
