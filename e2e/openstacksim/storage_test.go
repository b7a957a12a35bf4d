package openstacksim_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/quotasets"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumetypes"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/imagedata"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"

	"github.com/marina-dev/marina/e2e/openstacksim"
)

func TestVolumesComeAndGo(t *testing.T) {
	c := start(t, openstacksim.Options{VolumeTime: time.Second})
	ctx := t.Context()
	v, err := volumes.Create(ctx, c.volumes, volumes.CreateOpts{Name: "data", Size: 5, Metadata: map[string]string{"owner": "1"}}, nil).Extract()
	check(t, err)
	if v.Status != "creating" || v.VolumeType != "ssd" || v.AvailabilityZone != "nova" {
		t.Errorf("at once it is %+v", v)
	}
	c.clock.Step(time.Second)
	pages, err := volumes.List(c.volumes, volumes.ListOpts{Status: "available", Metadata: map[string]string{"owner": "1"}}).AllPages(ctx)
	check(t, err)
	if all, _ := volumes.ExtractVolumes(pages); len(all) != 1 || all[0].ID != v.ID {
		t.Errorf("found %v by status and metadata", all)
	}
	check(t, volumes.Delete(ctx, c.volumes, v.ID, nil).ExtractErr())
	got, err := volumes.Get(ctx, c.volumes, v.ID).Extract()
	check(t, err)
	if got.Status != "deleting" {
		t.Errorf("it is %s, want deleting", got.Status)
	}
	c.clock.Step(time.Second)
	_, err = volumes.Get(ctx, c.volumes, v.ID).Extract()
	refused(t, err, 404, `{"itemNotFound":{"code":404,"message":"Volume `+v.ID+` could not be found."}}`)
}

func TestVolumesAreRefused(t *testing.T) {
	c := start(t, openstacksim.Options{})
	for resource, limit := range map[string]int{"volumes": 1, "gigabytes": 20, "per_volume_gigabytes": 15} {
		c.SetQuota(c.project.ID, "block-storage", resource, limit)
	}
	create := func(o volumes.CreateOpts) error {
		_, err := volumes.Create(t.Context(), c.volumes, o, nil).Extract()
		return err
	}
	check(t, create(volumes.CreateOpts{Size: 12}))
	over := func(message string) string {
		return `{"overLimit":{"code":413,"message":"` + message + `","retryAfter":"0"}}`
	}
	for name, test := range map[string]struct {
		opts   volumes.CreateOpts
		status int
		body   string
	}{
		"too large":    {volumes.CreateOpts{Size: 16}, 413, over("Requested volume size 16G is larger than maximum allowed limit 15G.")},
		"too much":     {volumes.CreateOpts{Size: 9}, 413, over("VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes quota. Requested 9G, quota is 20G and 12G has been consumed.")},
		"too many":     {volumes.CreateOpts{Size: 1}, 413, over("VolumeLimitExceeded: Maximum number of volumes allowed (1) exceeded for quota 'volumes'.")},
		"unknown type": {volumes.CreateOpts{Size: 1, VolumeType: "tape"}, 404, `{"itemNotFound":{"code":404,"message":"Volume type with name tape could not be found."}}`},
		"unknown zone": {volumes.CreateOpts{Size: 1, AvailabilityZone: "mars"}, 400, `{"badRequest":{"code":400,"message":"Availability zone 'mars' is invalid."}}`},
	} {
		t.Run(name, func(t *testing.T) { refused(t, create(test.opts), test.status, test.body) })
	}
	var answer gophercloud.ErrUnexpectedResponseCode
	if err := create(volumes.CreateOpts{Size: 16}); !errors.As(err, &answer) || answer.ResponseHeader.Get("Retry-After") != "0" {
		t.Errorf("%v comes without Retry-After: 0", err)
	}
	usage, err := quotasets.GetUsage(t.Context(), c.volumes, c.project.ID).Extract()
	check(t, err)
	if usage.Gigabytes.InUse != 12 || usage.Gigabytes.Limit != 20 {
		t.Errorf("the usage is %+v", usage.Gigabytes)
	}
	pages, err := volumetypes.List(c.volumes, nil).AllPages(t.Context())
	check(t, err)
	if all, _ := volumetypes.ExtractVolumeTypes(pages); len(all) != 1 || all[0].Name != "ssd" {
		t.Errorf("the types are %v", all)
	}
}

func TestImagesAreUploadedAndFound(t *testing.T) {
	c := start(t, openstacksim.Options{})
	ctx := t.Context()
	private := images.ImageVisibilityPrivate
	i, err := images.Create(ctx, c.images, images.CreateOpts{
		Name: "node", DiskFormat: "qcow2", ContainerFormat: "bare", Visibility: &private, Tags: []string{"node"}, Properties: map[string]string{"version": "1.37.1"},
	}).Extract()
	check(t, err)
	if i.Status != images.ImageStatusQueued {
		t.Errorf("it is %s, want queued", i.Status)
	}
	check(t, imagedata.Upload(ctx, c.images, i.ID, strings.NewReader("bits")).ExtractErr())
	got, err := images.Get(ctx, c.images, i.ID).Extract()
	check(t, err)
	if got.Status != images.ImageStatusActive || got.SizeBytes != 4 || got.Properties["version"] != "1.37.1" {
		t.Errorf("uploaded, it is %+v", got)
	}
	_, err = images.Update(ctx, c.images, i.ID, images.UpdateOpts{images.ReplaceImageName{NewName: "node-2"}}).Extract()
	check(t, err)

	for name, test := range map[string]struct {
		opts images.ListOpts
		want []string
	}{
		"all, in pages of one": {images.ListOpts{Limit: 1}, []string{"node-2", "ubuntu"}},
		"by name":              {images.ListOpts{Name: "ubuntu"}, []string{"ubuntu"}},
		"by some names":        {images.ListOpts{Name: "in:ubuntu,none"}, []string{"ubuntu"}},
		"by visibility":        {images.ListOpts{Visibility: images.ImageVisibilityPrivate}, []string{"node-2"}},
		"by tag":               {images.ListOpts{Tags: []string{"node"}}, []string{"node-2"}},
		"sorted":               {images.ListOpts{Sort: "name:desc"}, []string{"ubuntu", "node-2"}},
	} {
		t.Run(name, func(t *testing.T) {
			pages, err := images.List(c.images, test.opts).AllPages(ctx)
			check(t, err)
			all, err := images.ExtractImages(pages)
			check(t, err)
			var found []string
			for _, i := range all {
				found = append(found, i.Name)
			}
			if diff := cmp.Diff(test.want, found); diff != "" {
				t.Error("(-want +got)", diff)
			}
		})
	}
	_, err = images.Get(ctx, c.images, "x").Extract()
	refused(t, err, 404, `{"code":"404 Not Found","message":"No image found with ID x\u003cbr /\u003e\u003cbr /\u003e\n\n\n","title":"Not Found"}`)
	if err := images.Delete(ctx, c.images, c.image).ExtractErr(); err == nil {
		t.Error("a user deleted a public image of others")
	}
	check(t, images.Delete(ctx, c.images, i.ID).ExtractErr())
}
