package simulator

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/marina-dev/marina/cmd/marina/simulator/guest"
	"github.com/marina-dev/marina/e2e/openstacksim"
	"github.com/marina-dev/marina/e2e/openstacksim/glance"
	"github.com/marina-dev/marina/e2e/openstacksim/state"
)

// What there is in the cloud, by the names that an Infrastructure needs.
const (
	Region          = openstacksim.Region
	ExternalNetwork = "public"
	volumeType      = "ssd"
)

// minDiskGiB is what an image takes: less is too small for a node.
const minDiskGiB = 20

// flavor is what a server may be.
type flavor struct {
	name                   string
	vcpus, ramMiB, diskGiB int
}

var offered = []flavor{
	{"b3-4", 2, 4096, 50},
	{"b3-8", 2, 8192, 50},
	{"b3-16", 4, 16384, 100},
	{"b3-32", 8, 32768, 200},
}

// Flavors are the names of all flavors.
func Flavors() []string {
	var names []string
	for _, f := range offered {
		names = append(names, f.name)
	}
	return names
}

// ImageName is the name of the image with a version of Kubernetes.
func ImageName(kubernetes string) string { return "node-" + kubernetes }

// UserName is the name of the user that a project has.
func UserName(project string) string { return project + "-user" }

// quotas are what a project may have: ten pools of the largest size, which is more than
// this machine has room for.
var quotas = map[string]map[string]int{
	"compute":       {"instances": 200, "cores": 1600, "ram": 200 * 32768, "server_groups": 50, "server_group_members": 50},
	"network":       {"port": 1000, "floatingip": 250, "router": 100, "security_group": 200, "security_group_rule": 5000},
	"block-storage": {"volumes": 500, "gigabytes": 100000},
}

// offer adds to the cloud what it has not got yet.
func offer(cloud *openstacksim.Simulator, o Options) error {
	for _, f := range offered {
		if !cloud.HasFlavor(f.name) {
			cloud.AddFlavor(f.name, f.vcpus, f.ramMiB, f.diskGiB)
		}
	}
	for _, version := range o.Kubernetes {
		if !cloud.HasImage(ImageName(version)) {
			cloud.AddImageAs(glance.Image{
				Base: state.Base{Name: ImageName(version)}, MinDisk: minDiskGiB,
				Properties: map[string]string{"os_distro": "hollow", guest.PropertyKubernetes: version},
			})
		}
	}
	if !cloud.HasNetwork(ExternalNetwork) {
		cloud.AddExternalNetwork(ExternalNetwork, "203.0.113.0/24")
		cloud.AddVolumeType(volumeType)
	}
	return admit(cloud, o.Accounts)
}

// admit lets in who has an account, with the password that is written there.
func admit(cloud *openstacksim.Simulator, folder string) error {
	files, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	var errs []error
	for _, file := range files {
		if !file.Type().IsRegular() {
			continue
		}
		password, err := os.ReadFile(filepath.Join(folder, file.Name()))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		account(cloud, file.Name(), strings.TrimSpace(string(password)))
	}
	return errors.Join(errs...)
}

// account makes a project, and has its user's password be what it is to be.
func account(cloud *openstacksim.Simulator, name, password string) {
	p, found := cloud.FindProject(name)
	if !found {
		p = cloud.AddProject(name)
		for service, limits := range quotas {
			for resource, limit := range limits {
				cloud.SetQuota(p.ID, service, resource, limit)
			}
		}
	}
	if p.Password != password {
		cloud.SetPassword(p, password)
	}
}
