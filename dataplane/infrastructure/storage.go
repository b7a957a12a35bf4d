package infrastructure

import (
	"context"
	"fmt"
	"slices"
	"strings"

	computezones "github.com/gophercloud/gophercloud/v2/openstack/compute/v2/availabilityzones"

	volumezones "github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/availabilityzones"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumetypes"

	"github.com/marina-dev/marina/dataplane/openstack"
)

// storage looks at volume types, and at the availability zones of servers and volumes.
func (p *preflight) storage(ctx context.Context) error {
	volume, err := p.service(ctx, openstack.Volume)
	if volume == nil {
		return err
	}
	pages, err := volumetypes.List(volume, volumetypes.ListOpts{}).AllPages(ctx)
	if err != nil {
		return p.tolerate("volume types", openstack.Classify(openstack.Volume, err), "volumes can be made only of the default type")
	}
	types, err := volumetypes.ExtractVolumeTypes(pages)
	if err != nil {
		return openstack.Classify(openstack.Volume, err)
	}
	var names []string
	for _, t := range types {
		names = append(names, t.Name)
	}
	if len(names) == 0 {
		p.report.warn("volume types", "TypeNotFound", "Cinder has no volume type", "PersistentVolumes cannot be made: have a volume type added")
	} else {
		p.report.ok("volume types", "%s", strings.Join(names, ", "))
	}

	compute, err := p.service(ctx, openstack.Compute)
	if compute == nil {
		return err
	}
	const name = "availability zones"
	pages, err = computezones.List(compute).AllPages(ctx)
	if err != nil {
		return p.tolerate(name, openstack.Classify(openstack.Compute, err), "nodes can be made only where the cloud puts them")
	}
	servers, err := computezones.ExtractAvailabilityZones(pages)
	if err != nil {
		return openstack.Classify(openstack.Compute, err)
	}
	pages, err = volumezones.List(volume).AllPages(ctx)
	if err != nil {
		return p.tolerate(name, openstack.Classify(openstack.Volume, err), "volumes can be made only where the cloud puts them")
	}
	volumes, err := volumezones.ExtractAvailabilityZones(pages)
	if err != nil {
		return openstack.Classify(openstack.Volume, err)
	}
	var ofServers, ofVolumes, without []string
	for _, z := range volumes {
		if z.ZoneState.Available {
			ofVolumes = append(ofVolumes, z.ZoneName)
		}
	}
	for _, z := range servers {
		if !z.ZoneState.Available {
			continue
		}
		ofServers = append(ofServers, z.ZoneName)
		if !slices.Contains(ofVolumes, z.ZoneName) {
			without = append(without, z.ZoneName)
		}
	}
	found := fmt.Sprintf("servers %s; volumes %s", list(ofServers), list(ofVolumes))
	switch {
	case len(ofServers) == 0:
		p.judge(name, "ZoneNotFound", found, "no zone of Nova is available: ask whoever runs the cloud")
	case len(without) > 0:
		p.report.warn(name, "ZonesDiffer", found, "volumes have no zone "+list(without)+": they are attached across zones, if the cloud allows that")
	default:
		p.report.ok(name, "%s", found)
	}
	return nil
}
