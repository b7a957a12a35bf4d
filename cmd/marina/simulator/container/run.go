package container

import (
	"fmt"

	"github.com/marina-dev/marina/cmd/marina/simulator/guest"
	"github.com/marina-dev/marina/e2e/openstacksim/nova"
)

// The labels by which containers are known: the folder of their driver, and the server.
const (
	labelFolder = "marina-simulator"
	labelServer = "marina-server"
)

// shared is where a container has its server's folder.
const shared = "/var/lib/marina-simulator"

// name is that of a server's container.
func name(id string) string { return "marina-" + id }

// imageOf is the container image that a server runs.
func (d *Driver) imageOf(s nova.Instance) (string, error) {
	version := s.Image[guest.PropertyKubernetes]
	if image, ok := d.images[version]; ok {
		return image, nil
	}
	return "", fmt.Errorf("there is no container image for the image %q, of Kubernetes %q: start 'marina up' with a --node-image of that version", s.Image["name"], version)
}

// arguments are those of docker create for a server, which is a machine of its own as far
// as a container can be: systemd, containerd and kubelet need all rights. Of the flavor
// there is the limit of memory.
func arguments(s nova.Instance, image, network, dir, folder string) []string {
	return []string{
		"--name", name(s.ID), "--hostname", s.Name, "--label", labelFolder + "=" + dir, "--label", labelServer + "=" + s.ID,
		"--network", network,
		"--privileged", "--cgroupns", "private", "--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined",
		"--memory", fmt.Sprintf("%dm", s.RAMMiB),
		"--tmpfs", "/tmp", "--tmpfs", "/run", "--volume", "/lib/modules:/lib/modules:ro",
		// containerd cannot lay its own layers over those of the container. The first one
		// begins with the images that are in the node image.
		"--mount", "type=volume,dst=/var/lib/containerd", "--mount", "type=volume,dst=/var/lib/kubelet",
		"--mount", "type=bind,src=" + folder + ",dst=" + shared,
		image,
	}
}
