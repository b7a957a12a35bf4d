package network

import (
	"context"
	"fmt"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/layer3/routers"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/mtu"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/security/groups"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/networks"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/ports"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/subnets"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// What objects are in a network, as their owner keys say.
const (
	roleNetwork = "network"
	roleSubnet  = "subnet"
	roleRouter  = "router"
	roleNodes   = "nodes"      // the security group
	roleRule    = "nodes-rule" // what is in it
)

// cloud is Neutron, seen by one Cluster.
type cloud struct {
	*gophercloud.ServiceClient
	project string
	ref     v1alpha1.ClusterReference
	// name is for people, of all that is made. It is that of the management namespace.
	name string
}

func newCloud(sc *gophercloud.ServiceClient, project string, ref v1alpha1.ClusterReference) *cloud {
	return &cloud{ServiceClient: sc, project: project, ref: ref, name: fmt.Sprintf("marina-%s-%.8s", ref.Name, ref.UID)}
}

func (c *cloud) key(role string) string { return openstack.OwnerKey(c.ref.UID, role) }

// network is one with its MTU.
type network struct {
	networks.Network
	mtu.NetworkMTUExt
}

// of makes errors of Neutron's ones of type *openstack.Error.
func of[T any](value T, err error) (T, error) {
	return value, openstack.Classify(openstack.Network, err)
}

func (c *cloud) networks() openstack.Owned[network] {
	return openstack.Owned[network]{
		ID: func(n *network) string { return n.ID },
		Find: func(ctx context.Context) ([]network, error) {
			pages, err := networks.List(c.ServiceClient, networks.ListOpts{Description: c.key(roleNetwork), ProjectID: c.project}).AllPages(ctx)
			var found []network
			if err == nil {
				err = networks.ExtractNetworksInto(pages, &found)
			}
			return of(found, err)
		},
		Get: c.getNetwork,
		Create: func(ctx context.Context) (*network, error) {
			made := &network{}
			err := networks.Create(ctx, c.ServiceClient, networks.CreateOpts{Name: c.name, Description: c.key(roleNetwork)}).ExtractInto(made)
			return of(made, err)
		},
		Mark: func(ctx context.Context, id string) error {
			key := c.key(roleNetwork)
			_, err := of(networks.Update(ctx, c.ServiceClient, id, networks.UpdateOpts{Description: &key}).Extract())
			return err
		},
		Delete: func(ctx context.Context, id string) error {
			return openstack.Classify(openstack.Network, networks.Delete(ctx, c.ServiceClient, id).ExtractErr())
		},
	}
}

func (c *cloud) getNetwork(ctx context.Context, id string) (*network, error) {
	found := &network{}
	return of(found, networks.Get(ctx, c.ServiceClient, id).ExtractInto(found))
}

// subnets are those in one network; their creation and their marks are of this Cluster.
func (c *cloud) subnets(in string, options subnets.CreateOpts) openstack.Owned[subnets.Subnet] {
	key := c.key(roleSubnet)
	options.NetworkID, options.Name, options.Description = in, c.name, key
	return openstack.Owned[subnets.Subnet]{
		ID: func(s *subnets.Subnet) string { return s.ID },
		Find: func(ctx context.Context) ([]subnets.Subnet, error) {
			pages, err := subnets.List(c.ServiceClient, subnets.ListOpts{Description: key, ProjectID: c.project, NetworkID: in}).AllPages(ctx)
			if err != nil {
				return of[[]subnets.Subnet](nil, err)
			}
			return of(subnets.ExtractSubnets(pages))
		},
		Get: c.getSubnet,
		Create: func(ctx context.Context) (*subnets.Subnet, error) {
			return of(subnets.Create(ctx, c.ServiceClient, options).Extract())
		},
		Mark: func(ctx context.Context, id string) error {
			_, err := of(subnets.Update(ctx, c.ServiceClient, id, subnets.UpdateOpts{Description: &key}).Extract())
			return err
		},
		Delete: func(ctx context.Context, id string) error {
			return openstack.Classify(openstack.Network, subnets.Delete(ctx, c.ServiceClient, id).ExtractErr())
		},
	}
}

func (c *cloud) getSubnet(ctx context.Context, id string) (*subnets.Subnet, error) {
	return of(subnets.Get(ctx, c.ServiceClient, id).Extract())
}

func (c *cloud) routers(external string) openstack.Owned[routers.Router] {
	key := c.key(roleRouter)
	return openstack.Owned[routers.Router]{
		ID: func(r *routers.Router) string { return r.ID },
		Find: func(ctx context.Context) ([]routers.Router, error) {
			pages, err := routers.List(c.ServiceClient, routers.ListOpts{Description: key, ProjectID: c.project}).AllPages(ctx)
			if err != nil {
				return of[[]routers.Router](nil, err)
			}
			return of(routers.ExtractRouters(pages))
		},
		Get: c.getRouter,
		Create: func(ctx context.Context) (*routers.Router, error) {
			return of(routers.Create(ctx, c.ServiceClient, routers.CreateOpts{
				Name: c.name, Description: key, GatewayInfo: &routers.GatewayInfo{NetworkID: external},
			}).Extract())
		},
		Mark: func(ctx context.Context, id string) error {
			_, err := of(routers.Update(ctx, c.ServiceClient, id, routers.UpdateOpts{Description: &key}).Extract())
			return err
		},
		Delete: func(ctx context.Context, id string) error {
			return openstack.Classify(openstack.Network, routers.Delete(ctx, c.ServiceClient, id).ExtractErr())
		},
	}
}

func (c *cloud) getRouter(ctx context.Context, id string) (*routers.Router, error) {
	return of(routers.Get(ctx, c.ServiceClient, id).Extract())
}

func (c *cloud) groups() openstack.Owned[groups.SecGroup] {
	key := c.key(roleNodes)
	return openstack.Owned[groups.SecGroup]{
		ID: func(g *groups.SecGroup) string { return g.ID },
		Find: func(ctx context.Context) ([]groups.SecGroup, error) {
			pages, err := groups.List(c.ServiceClient, groups.ListOpts{Description: key, ProjectID: c.project}).AllPages(ctx)
			if err != nil {
				return of[[]groups.SecGroup](nil, err)
			}
			return of(groups.ExtractGroups(pages))
		},
		Get: func(ctx context.Context, id string) (*groups.SecGroup, error) {
			return of(groups.Get(ctx, c.ServiceClient, id).Extract())
		},
		Create: func(ctx context.Context) (*groups.SecGroup, error) {
			return of(groups.Create(ctx, c.ServiceClient, groups.CreateOpts{Name: c.name + "-nodes", Description: key}).Extract())
		},
		Mark: func(ctx context.Context, id string) error {
			_, err := of(groups.Update(ctx, c.ServiceClient, id, groups.UpdateOpts{Description: &key}).Extract())
			return err
		},
		Delete: func(ctx context.Context, id string) error {
			return openstack.Classify(openstack.Network, groups.Delete(ctx, c.ServiceClient, id).ExtractErr())
		},
	}
}

func (c *cloud) ports(ctx context.Context, options ports.ListOpts) ([]ports.Port, error) {
	pages, err := ports.List(c.ServiceClient, options).AllPages(ctx)
	if err != nil {
		return of[[]ports.Port](nil, err)
	}
	return of(ports.ExtractPorts(pages))
}
