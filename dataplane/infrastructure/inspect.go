package infrastructure

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/flavors"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/extensions/external"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/networks"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// inspection is one look at a cloud.
type inspection struct {
	spec *v1alpha1.InfrastructureSpec
	// releases are the names of the KubernetesReleases that there are.
	releases []string
	client   *openstack.Client
	report   Report
	found    Found
}

// look looks at what an Infrastructure cannot do without:
//
//  1. services: the catalogue has them in the region, and the credentials are good
//  2. microversion: Nova is not too old
//  3. network: the external network is there, and external
//  4. releases: the KubernetesReleases are there
//  5. images: those of the releases are there, and active
//  6. flavors: they are there, and large enough
//
// It goes on after what has failed, so that a report has everything, but not with
// credentials that are refused. Its error is of a
// cloud that could not be asked, which says nothing about the Infrastructure.
func (i *inspection) look(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		i.services, i.microversion, i.network, i.offered, i.images, i.flavors,
	} {
		if err := step(ctx); err != nil {
			return err
		}
		if p := i.report.Problem(); p != nil && p.Reason == string(openstack.Unauthorized) {
			return nil // whoever tries again and again is locked out
		}
	}
	return nil
}

// required are the services without which there are no nodes.
var required = []string{openstack.Identity, openstack.Compute, openstack.Network, openstack.Image, openstack.Volume}

func (i *inspection) services(ctx context.Context) error {
	const name = "catalogue"
	if err := i.client.Refresh(ctx); err != nil {
		return i.report.refused(name, err)
	}
	if regions := i.client.Regions(); !slices.Contains(regions, i.spec.Region) {
		i.report.fail(name, "RegionNotFound", fmt.Sprintf("the catalogue has no region %q, but %s", i.spec.Region, list(regions)),
			"create an Infrastructure with a region of these")
		return nil
	}
	var missing []string
	for _, service := range required {
		if !i.client.Has(service) {
			missing = append(missing, service)
		}
	}
	if len(missing) > 0 {
		i.report.fail(name, "EndpointNotFound", fmt.Sprintf("the catalogue has no endpoint of %s in the region %s", list(missing), i.spec.Region),
			"have whoever runs the cloud add it, or choose another region")
		return nil
	}
	i.report.ok(name, "%s in the region %s", strings.Join(required, ", "), i.spec.Region)
	return nil
}

func (i *inspection) microversion(ctx context.Context) error {
	const name = "microversion"
	if !i.client.Has(openstack.Compute) {
		return nil // said above
	}
	newest, err := i.client.Microversion(ctx)
	if err == nil {
		i.report.ok(name, "Nova has %s, needed is %s", newest, openstack.ComputeMicroversion)
		return nil
	}
	if newest == "" {
		return i.report.refused(name, err)
	}
	i.report.fail(name, "MicroversionTooOld", fmt.Sprintf("Nova has %s at most, and nodes need %s", newest, openstack.ComputeMicroversion),
		"have Nova upgraded to that of OpenStack Stein or newer")
	return nil
}

// service is the client of a service, or nil if there is none, which has been said.
func (i *inspection) service(ctx context.Context, service string) (*gophercloud.ServiceClient, error) {
	if !i.client.Has(service) {
		return nil, nil
	}
	sc, err := i.client.Service(ctx, service)
	if e := openstack.As(err); e != nil && !e.Passing() {
		return nil, nil // too old: said above
	}
	return sc, err
}

func (i *inspection) network(ctx context.Context) error {
	const name = "external network"
	sc, err := i.service(ctx, openstack.Network)
	if sc == nil {
		return err
	}
	wanted := i.spec.ExternalNetwork
	type network struct {
		networks.Network
		external.NetworkExternalExt
	}
	var found []network
	for _, query := range []networks.ListOpts{{Name: wanted}, {ID: wanted}} {
		pages, err := networks.List(sc, query).AllPages(ctx)
		if err == nil {
			err = networks.ExtractNetworksInto(pages, &found)
		}
		if err != nil {
			return i.report.refused(name, openstack.Classify(openstack.Network, err))
		}
		if len(found) > 0 {
			break
		}
	}
	switch {
	case len(found) == 0:
		i.report.fail(name, "NetworkNotFound", fmt.Sprintf("there is no network %q that the credentials may see", wanted),
			"correct spec.externalNetwork: 'openstack network list --external' shows what there is")
	case len(found) > 1:
		i.report.fail(name, "NetworkAmbiguous", fmt.Sprintf("there are %d networks called %q", len(found), wanted),
			"give the id of one of them as spec.externalNetwork")
	case !found[0].External:
		i.report.fail(name, "NetworkNotExternal", fmt.Sprintf("the network %q is not external: routers can have no gateway in it", wanted),
			"correct spec.externalNetwork: 'openstack network list --external' shows what there is")
	default:
		i.found.ExternalNetworkID = found[0].ID
		i.report.ok(name, "%s is %s", wanted, found[0].ID)
	}
	return nil
}

func (i *inspection) offered(context.Context) error {
	const name = "releases"
	var missing []string
	for _, r := range i.spec.Releases {
		if !slices.Contains(i.releases, r.Release) {
			missing = append(missing, r.Release)
		}
	}
	if len(missing) > 0 {
		i.report.fail(name, "ReleaseNotFound", "there is no KubernetesRelease "+list(missing),
			"create it, or take it out of spec.releases: 'kubectl get kubernetesreleases' shows what there is")
		return nil
	}
	i.report.ok(name, "%d of %d are KubernetesReleases", len(i.spec.Releases), len(i.spec.Releases))
	return nil
}

func (i *inspection) flavors(ctx context.Context) error {
	const name = "flavors"
	sc, err := i.service(ctx, openstack.Compute)
	if sc == nil {
		return err
	}
	pages, err := flavors.ListDetail(sc, flavors.ListOpts{}).AllPages(ctx)
	if err != nil {
		return i.report.refused(name, openstack.Classify(openstack.Compute, err))
	}
	all, err := flavors.ExtractFlavors(pages)
	if err != nil {
		return openstack.Classify(openstack.Compute, err)
	}
	for _, wanted := range i.spec.Flavors {
		name := "flavor " + wanted
		at := slices.IndexFunc(all, func(f flavors.Flavor) bool { return f.Name == wanted })
		if at < 0 {
			i.report.fail(name, "FlavorNotFound", fmt.Sprintf("there is no flavor %q that the credentials may see", wanted),
				"correct spec.flavors: 'openstack flavor list' shows what there is; a private flavor needs 'openstack flavor set --project'")
			continue
		}
		f := all[at]
		if f.RAM < v1alpha1.MinFlavorMemoryMiB {
			i.report.fail(name, "FlavorTooSmall", fmt.Sprintf("the flavor %q has %d MiB of memory, and a node needs 2 GB", wanted, f.RAM),
				"take it out of spec.flavors")
			continue
		}
		i.found.Flavors = append(i.found.Flavors, v1alpha1.InfrastructureFlavor{
			Name: wanted, ID: f.ID, VCPUs: int32(f.VCPUs), MemoryMiB: int64(f.RAM), DiskGiB: int64(f.Disk),
		})
		i.report.ok(name, "%d vCPUs, %d MiB of memory, %d GiB of disk", f.VCPUs, f.RAM, f.Disk)
	}
	return nil
}

// list is one or several words as people write them.
func list(words []string) string {
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ", ")
}
