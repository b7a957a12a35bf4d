package openstacksim_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/attachinterfaces"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/availabilityzones"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/flavors"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/keypairs"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servergroups"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/tags"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/volumeattach"
	"github.com/gophercloud/gophercloud/v2/openstack/utils"

	"github.com/marina-dev/marina/e2e/openstacksim"
)

func TestMicroversionsAreNegotiated(t *testing.T) {
	c, network, _ := nodes(t, openstacksim.Options{ComputeMinor: 93})
	supported, err := utils.GetSupportedMicroversions(t.Context(), c.compute)
	check(t, err)
	if supported.MaxMinor != 93 || supported.MinMinor != 1 {
		t.Errorf("supported are %+v, want 2.1 to 2.93", supported)
	}
	with := func(version string) *gophercloud.ServiceClient {
		client := *c.compute
		client.Microversion = version
		return &client
	}
	_, err = servers.Get(t.Context(), with("2.94"), "any").Extract()
	refused(t, err, 406, `{"computeFault":{"code":406,"message":"Version 2.94 is not supported by the API. Minimum is 2.1 and maximum is 2.93."}}`)
	_, err = servers.Get(t.Context(), with("new"), "any").Extract()
	refused(t, err, 400, `{"badRequest":{"code":400,"message":"API Version String new is of invalid format. Must be of format MajorNum.MinorNum."}}`)

	s := c.server(t, "node", network)
	for version, want := range map[string]struct{ flavorName, tags bool }{"2.25": {false, false}, "2.26": {false, true}, "2.47": {true, true}, "latest": {true, true}} {
		got, err := servers.Get(t.Context(), with(version), s.ID).Extract()
		check(t, err)
		if _, named := got.Flavor["original_name"]; named != want.flavorName || (got.Tags != nil) != want.tags {
			t.Errorf("%s: flavor %v, tags %v", version, got.Flavor, got.Tags)
		}
	}

	tagged := c.opts("tagged", network)
	tagged.Tags = []string{"a"}
	_, err = servers.Create(t.Context(), with("2.51"), tagged, nil).Extract()
	refused(t, err, 400, `{"badRequest":{"code":400,"message":"Invalid input for field/attribute server. Value: {'flavorRef': '`+c.flavor+`', 'imageRef': '`+c.image+`', 'name': 'tagged', 'networks': [{'uuid': '`+network+`'}], 'tags': ['a']}. Additional properties are not allowed ('tags' was unexpected)"}}`)
	alone := c.opts("alone", network)
	alone.Networks = "none"
	_, err = servers.Create(t.Context(), with("2.36"), alone, nil).Extract()
	refused(t, err, 400, `{"badRequest":{"code":400,"message":"Invalid input for field/attribute networks. Value: none. 'none' is not of type 'array'"}}`)
	made, err := servers.Create(t.Context(), with("2.37"), alone, nil).Extract()
	check(t, err)
	if got := c.shown(t, made.ID); len(got.Addresses) != 0 || got.Status != "ACTIVE" {
		t.Errorf("without networks it is %s with %v", got.Status, got.Addresses)
	}

	typed := c.opts("typed", network)
	typed.ImageRef = ""
	typed.BlockDevice = []servers.BlockDevice{{SourceType: servers.SourceImage, DestinationType: servers.DestinationVolume, UUID: c.image, VolumeSize: 1, VolumeType: "ssd"}}
	_, err = servers.Create(t.Context(), with("2.66"), typed, nil).Extract()
	refused(t, err, 400, `{"badRequest":{"code":400,"message":"Invalid input for field/attribute block_device_mapping_v2/0. Value: {...}. Additional properties are not allowed ('volume_type' was unexpected)"}}`)
	_, err = servers.Create(t.Context(), with("2.67"), typed, nil).Extract()
	check(t, err)

	_, err = servergroups.Create(t.Context(), with("2.63"), servergroups.CreateOpts{Name: "g", Policy: "affinity"}).Extract()
	refused(t, err, 400, `{"badRequest":{"code":400,"message":"Invalid input for field/attribute server_group. Value: {'name': 'g', 'policy': 'affinity'}. 'policies' is a required property"}}`)
	old, err := servergroups.Create(t.Context(), with("2.63"), servergroups.CreateOpts{Name: "g", Policies: []string{"affinity"}}).Extract()
	check(t, err)
	got, err := servergroups.Get(t.Context(), with("2.64"), old.ID).Extract()
	check(t, err)
	if diff := cmp.Diff([]string{"affinity"}, old.Policies); diff != "" || got.Policy == nil || *got.Policy != "affinity" {
		t.Errorf("policies %v before 2.64, and policy %v from then on", old.Policies, got.Policy)
	}
}

func TestServerGroupsPlaceServers(t *testing.T) {
	for name, test := range map[string]struct {
		policy  string
		perHost int
		errors  int
	}{
		"anti-affinity refuses the third on two hosts": {"anti-affinity", 0, 1},
		"two are allowed on each host":                 {"anti-affinity", 2, 0},
		"soft anti-affinity takes what there is":       {"soft-anti-affinity", 0, 0},
		"affinity keeps them together":                 {"affinity", 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c, network, _ := nodes(t, openstacksim.Options{Hosts: 2})
			opts := servergroups.CreateOpts{Name: "pool", Policy: test.policy}
			if test.perHost > 0 {
				opts.Rules = &servergroups.Rules{MaxServerPerHost: test.perHost}
			}
			g, err := servergroups.Create(t.Context(), c.compute, opts).Extract()
			check(t, err)
			hosts, errors := map[string]bool{}, 0
			for _, server := range []string{"1", "2", "3"} {
				s, err := servers.Create(t.Context(), c.compute, c.opts(server, network), servers.SchedulerHintOpts{Group: g.ID}).Extract()
				check(t, err)
				got := c.shown(t, s.ID)
				if got.Status == "ERROR" {
					errors++
					if got.Fault.Message != "No valid host was found. There are not enough hosts available." {
						t.Errorf("the fault is %q", got.Fault.Message)
					}
					continue
				}
				hosts[got.HostID] = true
			}
			wantHosts := 2
			if test.policy == "affinity" {
				wantHosts = 1
			}
			if errors != test.errors || len(hosts) != wantHosts {
				t.Errorf("%d in ERROR, the others on %d hosts; want %d and %d", errors, len(hosts), test.errors, wantHosts)
			}
		})
	}
}

func TestServerGroupLimits(t *testing.T) {
	c, network, _ := nodes(t, openstacksim.Options{})
	c.SetQuota(c.project.ID, "compute", "server_groups", 1)
	c.SetQuota(c.project.ID, "compute", "server_group_members", 1)
	g, err := servergroups.Create(t.Context(), c.compute, servergroups.CreateOpts{Name: "pool", Policy: "anti-affinity"}).Extract()
	check(t, err)
	_, err = servergroups.Create(t.Context(), c.compute, servergroups.CreateOpts{Name: "more", Policy: "anti-affinity"}).Extract()
	refused(t, err, 403, `{"forbidden":{"code":403,"message":"Quota exceeded, too many server groups."}}`)
	_, err = servergroups.Create(t.Context(), c.compute, servergroups.CreateOpts{Name: "soft", Policy: "soft-affinity", Rules: &servergroups.Rules{MaxServerPerHost: 2}}).Extract()
	refused(t, err, 400, `{"badRequest":{"code":400,"message":"Only anti-affinity policy supports rules."}}`)
	hint := servers.SchedulerHintOpts{Group: g.ID}
	s, err := servers.Create(t.Context(), c.compute, c.opts("1", network), hint).Extract()
	check(t, err)
	_, err = servers.Create(t.Context(), c.compute, c.opts("2", network), hint).Extract()
	refused(t, err, 403, `{"forbidden":{"code":403,"message":"Quota exceeded, too many servers in group"}}`)
	check(t, servers.Delete(t.Context(), c.compute, s.ID).ExtractErr())
	_, err = servers.Create(t.Context(), c.compute, c.opts("2", network), hint).Extract()
	check(t, err)
}

func TestBootFromVolume(t *testing.T) {
	c, network, _ := nodes(t, openstacksim.Options{})
	opts := c.opts("node", network)
	opts.ImageRef = ""
	opts.BlockDevice = []servers.BlockDevice{{
		SourceType: servers.SourceImage, DestinationType: servers.DestinationVolume, UUID: c.image, VolumeSize: 40, VolumeType: "ssd", DeleteOnTermination: true,
	}}
	s, err := servers.Create(t.Context(), c.compute, opts, nil).Extract()
	check(t, err)
	got := c.shown(t, s.ID)
	if got.Status != "ACTIVE" || len(got.AttachedVolumes) != 1 || len(got.Image) != 0 {
		t.Fatalf("it is %s with the volumes %v and the image %v", got.Status, got.AttachedVolumes, got.Image)
	}
	v, err := volumes.Get(t.Context(), c.volumes, got.AttachedVolumes[0].ID).Extract()
	check(t, err)
	if v.Status != "in-use" || v.Size != 40 || v.Bootable != "true" || v.Attachments[0].ServerID != s.ID || v.VolumeType != "ssd" {
		t.Errorf("the volume is %+v", v)
	}
	refused(t, volumeattach.Delete(t.Context(), c.compute, s.ID, v.ID).ExtractErr(), 400, `{"badRequest":{"code":400,"message":"Cannot detach a root device volume"}}`)
	other := c.AddImage("debian", nil)
	_, err = servers.Rebuild(t.Context(), c.compute, s.ID, servers.RebuildOpts{ImageRef: other}).Extract()
	refused(t, err, 400, `{"badRequest":{"code":400,"message":"Image `+other+` is unacceptable: Unable to rebuild with a different image for a volume-backed server."}}`)
	newest := *c.compute
	newest.Microversion = "2.93"
	_, err = servers.Rebuild(t.Context(), &newest, s.ID, servers.RebuildOpts{ImageRef: other}).Extract()
	check(t, err)
	if got := c.shown(t, s.ID); got.Status != "ACTIVE" {
		t.Errorf("rebuilt with another image it is %s", got.Status)
	}
	check(t, servers.Delete(t.Context(), c.compute, s.ID).ExtractErr())
	_, err = volumes.Get(t.Context(), c.volumes, v.ID).Extract()
	refused(t, err, 404, `{"itemNotFound":{"code":404,"message":"Volume `+v.ID+` could not be found."}}`)

	c.SetQuota(c.project.ID, "block-storage", "gigabytes", 30)
	s, err = servers.Create(t.Context(), c.compute, opts, nil).Extract()
	check(t, err)
	want := "Build of instance " + s.ID + " aborted: VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes quota. Requested 40G, quota is 30G and 0G has been consumed."
	if got := c.shown(t, s.ID); got.Status != "ERROR" || got.Fault.Message != want {
		t.Errorf("over the quota of volumes it is %s: %q, want %q", got.Status, got.Fault.Message, want)
	}
}

func TestVolumesAndInterfacesOfServers(t *testing.T) {
	c, network, _ := nodes(t, openstacksim.Options{VolumeTime: time.Second})
	s := c.server(t, "node", network)
	c.shown(t, s.ID)
	ctx := t.Context()
	v, err := volumes.Create(ctx, c.volumes, volumes.CreateOpts{Name: "data", Size: 10}, nil).Extract()
	check(t, err)
	_, err = volumeattach.Create(ctx, c.compute, s.ID, volumeattach.CreateOpts{VolumeID: v.ID}).Extract()
	refused(t, err, 400, `{"badRequest":{"code":400,"message":"Invalid volume: volume `+v.ID+` status must be available to reserve, but the status is creating."}}`)
	c.clock.Step(time.Second)
	a, err := volumeattach.Create(ctx, c.compute, s.ID, volumeattach.CreateOpts{VolumeID: v.ID, DeleteOnTermination: true}).Extract()
	check(t, err)
	if a.Device != "/dev/vdb" || a.DeleteOnTermination == nil || !*a.DeleteOnTermination {
		t.Errorf("the attachment is %+v", a)
	}
	refused(t, volumes.Delete(ctx, c.volumes, v.ID, nil).ExtractErr(), 400, `{"badRequest":{"code":400,"message":"Invalid volume: Volume status must be available or error or error_restoring or error_extending or error_managing and must not be migrating, attached, belong to a group, have snapshots, awaiting a transfer, or be disassociated from snapshots after volume transfer."}}`)
	check(t, volumeattach.Delete(ctx, c.compute, s.ID, v.ID).ExtractErr())
	for _, want := range []string{"detaching", "available"} {
		got, err := volumes.Get(ctx, c.volumes, v.ID).Extract()
		check(t, err)
		if got.Status != want {
			t.Errorf("the volume is %s, want %s", got.Status, want)
		}
		c.clock.Step(time.Second)
	}

	extra, _ := c.lan(t, "extra", "10.1.0.0/24")
	added, err := attachinterfaces.Create(ctx, c.compute, s.ID, attachinterfaces.CreateOpts{NetworkID: extra}).Extract()
	check(t, err)
	if got := c.shown(t, s.ID).Addresses; len(got) != 2 {
		t.Errorf("the addresses are %v, want some of two networks", got)
	}
	check(t, attachinterfaces.Delete(ctx, c.compute, s.ID, added.PortID).ExtractErr())
	if got := c.shown(t, s.ID).Addresses; len(got) != 1 {
		t.Errorf("the addresses are %v, want those of one network", got)
	}
}

func TestMetadataAndTagsOfServers(t *testing.T) {
	c, network, _ := nodes(t, openstacksim.Options{})
	s := c.server(t, "node", network)
	ctx := t.Context()
	_, err := servers.UpdateMetadata(ctx, c.compute, s.ID, servers.MetadataOpts{"owner": "1", "pool": "a"}).Extract()
	check(t, err)
	check(t, servers.DeleteMetadatum(ctx, c.compute, s.ID, "pool").ExtractErr())
	_, err = servers.UpdateMetadata(ctx, c.compute, s.ID, servers.MetadataOpts{"owner": "2"}).Extract()
	check(t, err)
	if diff := cmp.Diff(map[string]string{"owner": "2"}, c.shown(t, s.ID).Metadata); diff != "" {
		t.Error("(-want +got)", diff)
	}
	refused(t, servers.DeleteMetadatum(ctx, c.compute, s.ID, "pool").ExtractErr(), 404, `{"itemNotFound":{"code":404,"message":"Metadata item was not found"}}`)
	_, err = servers.ResetMetadata(ctx, c.compute, s.ID, servers.MetadataOpts{}).Extract()
	check(t, err)
	check(t, tags.Add(ctx, c.compute, s.ID, "x").ExtractErr())
	check(t, tags.Add(ctx, c.compute, s.ID, "x").ExtractErr())
	got, err := tags.List(ctx, c.compute, s.ID).Extract()
	check(t, err)
	if diff := cmp.Diff([]string{"x"}, got); diff != "" || len(c.shown(t, s.ID).Metadata) != 0 {
		t.Error("(-want +got)", diff, c.shown(t, s.ID).Metadata)
	}
}

func TestFlavorsKeyPairsAndZones(t *testing.T) {
	c := start(t, openstacksim.Options{Zones: []string{"a", "b"}})
	c.AddFlavor("b3-16", 4, 16384, 100)
	pages, err := flavors.ListDetail(c.compute, flavors.ListOpts{MinRAM: 10000}).AllPages(t.Context())
	check(t, err)
	found, err := flavors.ExtractFlavors(pages)
	check(t, err)
	if len(found) != 1 || found[0].Name != "b3-16" || found[0].VCPUs != 4 {
		t.Errorf("found %+v, want b3-16", found)
	}
	_, err = flavors.Get(t.Context(), c.compute, "nothing").Extract()
	refused(t, err, 404, `{"itemNotFound":{"code":404,"message":"Flavor nothing could not be found."}}`)

	_, err = keypairs.Create(t.Context(), c.compute, keypairs.CreateOpts{Name: "key", PublicKey: "ssh-ed25519 AAAA"}).Extract()
	check(t, err)
	_, err = keypairs.Create(t.Context(), c.compute, keypairs.CreateOpts{Name: "key", PublicKey: "ssh-ed25519 AAAA"}).Extract()
	refused(t, err, 409, `{"conflictingRequest":{"code":409,"message":"Key pair 'key' already exists."}}`)
	check(t, keypairs.Delete(t.Context(), c.compute, "key", nil).ExtractErr())

	zones, err := availabilityzones.List(c.compute).AllPages(t.Context())
	check(t, err)
	all, err := availabilityzones.ExtractAvailabilityZones(zones)
	check(t, err)
	if !slices.ContainsFunc(all, func(z availabilityzones.AvailabilityZone) bool { return z.ZoneName == "b" }) || len(all) != 2 {
		t.Errorf("the zones are %+v, want a and b", all)
	}
}

// A zone whose hosts are all down is listed, and takes no server.
func TestZoneDown(t *testing.T) {
	c, network, _ := nodes(t, openstacksim.Options{})
	c.SetHosts([]string{"a"}, 0)
	zones, err := availabilityzones.List(c.compute).AllPages(t.Context())
	check(t, err)
	all, err := availabilityzones.ExtractAvailabilityZones(zones)
	check(t, err)
	if len(all) != 1 || all[0].ZoneName != "a" || all[0].ZoneState.Available {
		t.Errorf("the zones are %+v, want a, which is not available", all)
	}
	opts := c.opts("1", network)
	opts.AvailabilityZone = "a"
	_, err = servers.Create(t.Context(), c.compute, opts, nil).Extract()
	refused(t, err, 400, `{"badRequest":{"code":400,"message":"The requested availability zone is not available"}}`)
}
