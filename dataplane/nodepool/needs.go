package nodepool

import (
	"maps"
	"slices"
	"strings"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// needs are what the servers of a pool are made of that is in the cloud before them.
type needs struct {
	// zone is the availability zone, empty where the cloud chooses.
	zone string
	// networks and groups are ids of further networks and security groups.
	networks, groups []string
	// image is the id of the image, and release what the Infrastructure has it for: empty when
	// the pool names it.
	image, release string
	// flavor is what the image has to fit on, with a volume of diskGiB if that is not 0.
	flavor  v1alpha1.InfrastructureFlavor
	diskGiB int64
}

// findings are what was found of that. What is not a key could not be asked about, and what
// has nil is not there.
type findings struct {
	// zones are all that there are, and whether they are available; nil if that is not known.
	zones    map[string]bool
	networks map[string]*foundNetwork
	groups   map[string]*foundGroup
	images   map[string]*foundImage
}

// foundNetwork is a network that a project sees.
type foundNetwork struct {
	// subnets: it has any. In one without, servers can have no port.
	subnets bool
}

// foundGroup is a security group that a project sees.
type foundGroup struct{}

// foundImage is an image that a project sees.
type foundImage struct {
	// status is active when it can be booted.
	status string
	// What it asks for of a machine; 0 is nothing.
	minMemoryMiB, minDiskGiB int64
}

// or are the findings, with earlier ones where there are none: what cannot be asked at the
// moment is as it was.
func (f findings) or(earlier findings) findings {
	if f.zones == nil {
		f.zones = earlier.zones
	}
	f.networks = merged(earlier.networks, f.networks)
	f.groups = merged(earlier.groups, f.groups)
	f.images = merged(earlier.images, f.images)
	return f
}

func merged[T any](earlier, later map[string]*T) map[string]*T {
	all := map[string]*T{}
	maps.Copy(all, earlier)
	maps.Copy(all, later)
	return all
}

// answer reports whether the findings tell of all that is needed.
func (f findings) answer(n needs) bool {
	return (n.zone == "" || f.zones != nil) && tells(f.images, n.image) &&
		tells(f.networks, n.networks...) && tells(f.groups, n.groups...)
}

func tells[T any](found map[string]*T, ids ...string) bool {
	return !slices.ContainsFunc(ids, func(id string) bool { _, known := found[id]; return !known })
}

// refusal is why nothing can be made of what a pool names in a project, nil if nothing is known
// against it. What is not known is not refused: Nova has the last word.
func refusal(n needs, f findings, project, region string) error {
	if err := imageRefusal(n, f.images, project, region); err != nil {
		return err
	}
	if err := zoneRefusal(n.zone, f.zones, region); err != nil {
		return err
	}
	missing := notThere(f.networks, n.networks)
	if len(missing) > 0 {
		return reconcile.UserError("NetworkNotFound", "networks: the project %s sees no network %s in the region %s: correct the id, or have the network shared with the project; 'openstack network list' shows what there is", project, strings.Join(missing, ", "), region)
	}
	for _, id := range n.networks {
		if found := f.networks[id]; found != nil && !found.subnets {
			return reconcile.UserError("NetworkNotUsable", "networks: the network %s has no subnet that the project %s sees, so that servers can have no address in it: create one ('openstack subnet create'), or take the network out", id, project)
		}
	}
	missing = notThere(f.groups, n.groups)
	if len(missing) > 0 {
		return reconcile.UserError("SecurityGroupNotFound", "securityGroups: the project %s sees no security group %s in the region %s: correct the id, or create the group; 'openstack security group list' shows what there is", project, strings.Join(missing, ", "), region)
	}
	return nil
}

// notThere are those of several ids of which it is known that they are not there.
func notThere[T any](found map[string]*T, ids []string) (missing []string) {
	for _, id := range ids {
		if object, known := found[id]; known && object == nil {
			missing = append(missing, id)
		}
	}
	return missing
}

func zoneRefusal(wanted string, zones map[string]bool, region string) error {
	if wanted == "" || zones == nil {
		return nil
	}
	// Administrators may add a host: ZONE:HOST.
	wanted, _, _ = strings.Cut(wanted, ":")
	var open []string
	for name, available := range zones {
		if available {
			open = append(open, name)
		}
	}
	others := "choose one of " + someOf(open)
	if len(open) == 0 {
		others = "none is available at the moment"
	}
	switch available, known := zones[wanted]; {
	case !known:
		return reconcile.UserError("ZoneNotFound", "availabilityZone: there is no zone %s in the region %s: %s, or leave it out; 'openstack availability zone list --compute' shows them", wanted, region, others)
	case !available:
		return reconcile.UserError("ZoneNotAvailable", "availabilityZone: the zone %s in the region %s is not available now: wait until it is again; %s; 'openstack availability zone list --compute' shows them", wanted, region, others)
	}
	return nil
}

func imageRefusal(n needs, images map[string]*foundImage, project, region string) error {
	image, known := images[n.image]
	if !known {
		return nil
	}
	what, missing, upload := "image "+n.image, "correct the id, or have the image shared with the project; 'openstack image list' shows what there is", "wait until it is uploaded, or choose another one"
	if n.release != "" {
		what += " of version " + n.release
		missing, upload = "ask whoever runs the platform to upload it again, or to share it with the project", "ask whoever runs the platform to upload or activate it"
	}
	diskGiB, disk := n.flavor.DiskGiB, "the disk of the flavor "+n.flavor.Name
	if n.diskGiB > 0 {
		diskGiB, disk = n.diskGiB, "diskGiB"
	}
	switch {
	case image == nil:
		return reconcile.UserError("ImageNotFound", "the project %s sees no %s in the region %s: %s", project, what, region, missing)
	case image.status != "active":
		return reconcile.UserError("ImageNotActive", "the %s is %s and not active: %s", what, image.status, upload)
	case n.flavor.MemoryMiB < image.minMemoryMiB:
		return reconcile.UserError("FlavorTooSmall", "flavor %s has %d MiB of memory, and the %s takes at least %d: choose a larger one", n.flavor.Name, n.flavor.MemoryMiB, what, image.minMemoryMiB)
	case diskGiB < image.minDiskGiB:
		return reconcile.UserError("DiskTooSmall", "%s is %d GiB, and the %s takes at least %d: set diskGiB to that or more", disk, diskGiB, what, image.minDiskGiB)
	}
	return nil
}
