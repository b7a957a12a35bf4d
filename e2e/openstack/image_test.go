package openstack

import (
	"bytes"
	"context"
	"testing"

	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/imagedata"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"

	"github.com/marina-dev/marina/dataplane/openstack"
)

// makeImage uploads an image of nothing, which Nova boots on hosts of its fake driver only, and
// returns its id.
func (c *cloud) makeImage(t testing.TB, name string) string {
	t.Helper()
	glance := c.service(t, openstack.Image)
	image, err := images.Create(t.Context(), glance, images.CreateOpts{
		Name: name, DiskFormat: "raw", ContainerFormat: "bare", Properties: map[string]string{"img_hv_type": "fake"},
	}).Extract()
	check(t, err)
	atEnd(t, func(ctx context.Context) error { return images.Delete(ctx, glance, image.ID).ExtractErr() })
	check(t, imagedata.Upload(t.Context(), glance, image.ID, bytes.NewReader(make([]byte, 1<<20))).ExtractErr())
	return image.ID
}
