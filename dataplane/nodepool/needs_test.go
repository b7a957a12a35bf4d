package nodepool

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// What is known against it is refused, with the field, what it has, where, and what to do; what
// is not known is not.
func TestRefusal(t *testing.T) {
	whole := needs{
		zone: "z", networks: []string{"n1", "n2"}, groups: []string{"g1", "g2"}, image: "i", release: "1.37.1-1",
		flavor: v1alpha1.InfrastructureFlavor{Name: "f", MemoryMiB: 4000, DiskGiB: 20},
	}
	fine := findings{
		zones:    map[string]bool{"z": true, "other": true, "down": false},
		networks: map[string]*foundNetwork{"n1": {subnets: true}, "n2": {subnets: true}},
		groups:   map[string]*foundGroup{"g1": {}, "g2": {}},
		images:   map[string]*foundImage{"i": {status: "active", minMemoryMiB: 4000, minDiskGiB: 20}},
	}
	for name, tc := range map[string]struct {
		change        func(*needs, *findings)
		reason, words string
	}{
		"All":      {func(*needs, *findings) {}, "", ""},
		"Nothing":  {func(_ *needs, f *findings) { *f = findings{} }, "", ""},
		"ZoneHost": {func(n *needs, _ *findings) { n.zone = "z:host-1" }, "", ""},
		"NoZone": {func(n *needs, _ *findings) { n.zone = "mars" }, "ZoneNotFound",
			"availabilityZone: there is no zone mars in the region R: choose one of other, z, or leave it out"},
		"ZoneDown": {func(n *needs, _ *findings) { n.zone = "down" }, "ZoneNotAvailable",
			"availabilityZone: the zone down in the region R is not available now: wait until it is again; choose one of other, z; "},
		"AllZonesDown": {func(_ *needs, f *findings) { f.zones = map[string]bool{"z": false} }, "ZoneNotAvailable", "none is available at the moment"},
		"NoNetworks": {func(_ *needs, f *findings) { f.networks = map[string]*foundNetwork{"n1": nil, "n2": nil} }, "NetworkNotFound",
			"networks: the project P sees no network n1, n2 in the region R: correct the id, or have the network shared with the project; 'openstack network list'"},
		"OneNetwork":         {func(_ *needs, f *findings) { f.networks = map[string]*foundNetwork{"n2": nil} }, "NetworkNotFound", "sees no network n2 in"},
		"NetworkOfNoAddress": {func(_ *needs, f *findings) { f.networks["n1"].subnets = false }, "NetworkNotUsable", "networks: the network n1 has no subnet"},
		"NoGroup": {func(_ *needs, f *findings) { f.groups["g2"] = nil }, "SecurityGroupNotFound",
			"securityGroups: the project P sees no security group g2 in the region R: correct the id, or create the group; 'openstack security group list'"},
		"NoImage": {func(_ *needs, f *findings) { f.images["i"] = nil }, "ImageNotFound",
			"the project P sees no image i of version 1.37.1-1 in the region R: ask whoever runs the platform"},
		"NoImageOfItsOwn": {func(n *needs, f *findings) { n.release, f.images["i"] = "", nil }, "ImageNotFound",
			"the project P sees no image i in the region R: correct the id, or have the image shared with the project; 'openstack image list' shows"},
		"ImageNotActive":   {func(_ *needs, f *findings) { f.images["i"].status = "deactivated" }, "ImageNotActive", "the image i of version 1.37.1-1 is deactivated and not active"},
		"ImageOfMemory":    {func(n *needs, _ *findings) { n.flavor.MemoryMiB = 3999 }, "FlavorTooSmall", "flavor f has 3999 MiB of memory, and the image i of version 1.37.1-1 takes at least 4000"},
		"ImageOfDisk":      {func(n *needs, _ *findings) { n.flavor.DiskGiB = 19 }, "DiskTooSmall", "the disk of the flavor f is 19 GiB, and the image i of version 1.37.1-1 takes at least 20: set diskGiB"},
		"ImageOfVolume":    {func(n *needs, f *findings) { n.diskGiB, f.images["i"].minDiskGiB = 30, 31 }, "DiskTooSmall", "diskGiB is 30 GiB, and the image i of version 1.37.1-1 takes at least 31"},
		"VolumeIsWhatFits": {func(n *needs, _ *findings) { n.diskGiB, n.flavor.DiskGiB = 20, 0 }, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			n, f := whole, fine.or(findings{})
			f.networks = map[string]*foundNetwork{"n1": {subnets: true}, "n2": {subnets: true}}
			f.images = map[string]*foundImage{"i": new(*fine.images["i"])}
			tc.change(&n, &f)
			err := refusal(n, f, "P", "R")
			if tc.reason == "" {
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				return
			}
			var e *reconcile.Error
			if !errors.As(err, &e) || e.Kind != reconcile.KindUser || e.Reason != tc.reason || !strings.Contains(e.Message, tc.words) {
				t.Errorf("%+v; want %s: ...%s", err, tc.reason, tc.words)
			}
		})
	}
}

// What could not be asked this time is as it was before.
func TestEarlierFindings(t *testing.T) {
	before := findings{
		zones: map[string]bool{"a": true}, networks: map[string]*foundNetwork{"n1": nil, "n2": {subnets: true}},
		groups: map[string]*foundGroup{"g": nil}, images: map[string]*foundImage{"i": {status: "queued"}},
	}
	now := findings{networks: map[string]*foundNetwork{"n1": {subnets: true}}, groups: map[string]*foundGroup{"g": {}}}
	want := findings{
		zones: before.zones, networks: map[string]*foundNetwork{"n1": {subnets: true}, "n2": {subnets: true}},
		groups: map[string]*foundGroup{"g": {}}, images: before.images,
	}
	got := now.or(before)
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(findings{}, foundNetwork{}, foundGroup{}, foundImage{})); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	n := needs{zone: "a", networks: []string{"n1", "n2"}, groups: []string{"g"}, image: "i"}
	for name, f := range map[string]findings{"all": got, "now": now, "none": {}} {
		if answer := f.answer(n); answer != (name == "all") {
			t.Errorf("%s: they answer all: %t", name, answer)
		}
	}
}
