package garbage

import (
	"context"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servergroups"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/layer3/floatingips"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// kind is one of what may be left over. What its functions return is for openstack.Classify.
type kind struct {
	name, service string
	// runs is whether it may be a node on which somebody's pods run. That has a Machine, unless
	// the management cluster is one of an old backup: then it looks just like what is left over.
	runs bool
	// list lists what is marked in the project.
	list func(ctx context.Context, sc *gophercloud.ServiceClient, project string) ([]object, error)
	// remove deletes one.
	remove func(ctx context.Context, sc *gophercloud.ServiceClient, id string) error
	// owners are those that a Cluster has.
	owners func(ctx context.Context, from client.Reader, c cluster) ([]client.Object, error)
}

var kinds = []kind{
	{"server", openstack.Compute, true, listServers, removeServer, machines},
	{"server group", openstack.Compute, false, listGroups, removeGroup, pools},
	{"floating IP", openstack.Network, false, listFloatingIPs, removeFloatingIP, machines},
}

func listServers(ctx context.Context, sc *gophercloud.ServiceClient, _ string) ([]object, error) {
	pages, err := servers.List(sc, servers.ListOpts{Limit: 1000}).AllPages(ctx)
	if err != nil {
		return nil, err
	}
	all, err := servers.ExtractServers(pages)
	var found []object
	for _, s := range all {
		if mark, ok := openstack.ServerMark(s.Metadata); ok && !openstack.Leaving(&s) {
			found = append(found, object{id: s.ID, name: s.Name, mark: mark, created: s.Created})
		}
	}
	return found, err
}

func removeServer(ctx context.Context, sc *gophercloud.ServiceClient, id string) error {
	return servers.Delete(ctx, sc, id).ExtractErr()
}

func listGroups(ctx context.Context, sc *gophercloud.ServiceClient, _ string) ([]object, error) {
	pages, err := servergroups.List(sc, nil).AllPages(ctx)
	if err != nil {
		return nil, err
	}
	all, err := servergroups.ExtractServerGroups(pages)
	var found []object
	for _, g := range all {
		if mark, ok := openstack.ServerGroupMark(g.Name); ok {
			found = append(found, object{id: g.ID, name: g.Name, mark: mark, used: len(g.Members) > 0})
		}
	}
	return found, err
}

func removeGroup(ctx context.Context, sc *gophercloud.ServiceClient, id string) error {
	return servergroups.Delete(ctx, sc, id).ExtractErr()
}

func listFloatingIPs(ctx context.Context, sc *gophercloud.ServiceClient, project string) ([]object, error) {
	pages, err := floatingips.List(sc, floatingips.ListOpts{ProjectID: project}).AllPages(ctx)
	if err != nil {
		return nil, err
	}
	all, err := floatingips.ExtractFloatingIPs(pages)
	var found []object
	for _, f := range all {
		// Who may see all projects is shown all where the filter is not known.
		if mark, ok := openstack.FloatingIPMark(f.Description); ok && f.ProjectID == project {
			found = append(found, object{id: f.ID, name: f.FloatingIP, mark: mark, created: f.CreatedAt, used: f.PortID != ""})
		}
	}
	return found, err
}

func removeFloatingIP(ctx context.Context, sc *gophercloud.ServiceClient, id string) error {
	return floatingips.Delete(ctx, sc, id).ExtractErr()
}

func machines(ctx context.Context, from client.Reader, c cluster) ([]client.Object, error) {
	var all v1alpha1.MachineList
	err := from.List(ctx, &all, client.InNamespace(c.machines))
	return objects(all.Items, func(m *v1alpha1.Machine) client.Object { return m }), err
}

func pools(ctx context.Context, from client.Reader, c cluster) ([]client.Object, error) {
	var all v1alpha1.NodePoolList
	err := from.List(ctx, &all, client.InNamespace(c.pools))
	return objects(all.Items, func(p *v1alpha1.NodePool) client.Object { return p }), err
}

func objects[T any](items []T, of func(*T) client.Object) (all []client.Object) {
	for i := range items {
		all = append(all, of(&items[i]))
	}
	return all
}
