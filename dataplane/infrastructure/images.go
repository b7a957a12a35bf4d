package infrastructure

import (
	"context"
	"fmt"
	"regexp"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

func (i *inspection) images(ctx context.Context) error {
	sc, err := i.service(ctx, openstack.Image)
	if sc == nil {
		return err
	}
	known := map[string][]images.Image{} // several releases may share an image
	for _, r := range i.spec.Releases {
		name := "image of " + r.Release
		found, asked := known[r.Image]
		if !asked {
			if found, err = findImages(ctx, sc, r.Image); err != nil {
				if err := i.report.refused(name, err); err != nil {
					return err
				}
				continue
			}
			known[r.Image] = found
		}
		i.image(name, r, found)
	}
	return nil
}

func (i *inspection) image(name string, r v1alpha1.InfrastructureRelease, found []images.Image) {
	switch {
	case len(found) == 0:
		i.report.fail(name, "ImageNotFound", fmt.Sprintf("there is no image %q that the credentials may see", r.Image),
			"upload it, share it with the projects of the clusters, or correct spec.releases: 'openstack image list' shows what there is")
	case len(found) > 1:
		i.report.fail(name, "ImageAmbiguous", fmt.Sprintf("there are %d images called %q", len(found), r.Image),
			"give the id of one of them in spec.releases")
	case found[0].Status != images.ImageStatusActive:
		i.report.fail(name, "ImageNotActive", fmt.Sprintf("the image %q is %s and not active", r.Image, found[0].Status),
			"wait until it is uploaded, upload it again, or have it activated")
	default:
		i.found.Images = append(i.found.Images, v1alpha1.InfrastructureImage{Release: r.Release, ID: found[0].ID})
		i.report.ok(name, "%s is %s, active", r.Image, found[0].ID)
	}
}

var uuid = regexp.MustCompile(`^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$`)

// findImages finds images by name, or the one of an id. Glance cannot list by id.
func findImages(ctx context.Context, sc *gophercloud.ServiceClient, wanted string) ([]images.Image, error) {
	if uuid.MatchString(wanted) {
		image, err := images.Get(ctx, sc, wanted).Extract()
		if err == nil {
			return []images.Image{*image}, nil
		}
		if err := openstack.Classify(openstack.Image, err); !openstack.IsKind(err, openstack.NotFound) {
			return nil, err
		}
	}
	pages, err := images.List(sc, images.ListOpts{Name: wanted}).AllPages(ctx)
	if err != nil {
		return nil, openstack.Classify(openstack.Image, err)
	}
	found, err := images.ExtractImages(pages)
	return found, openstack.Classify(openstack.Image, err)
}
