package machine

import (
	"maps"
	"slices"

	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/dataplane/userdata"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// The metadata of a server say whose it is.
const (
	keyCluster = openstack.MetadataCluster
	keyMachine = openstack.MetadataMachine
	keyPool    = openstack.MetadataPool
	keyRebuild = openstack.MetadataRebuild
)

func metadataOf(m *v1alpha1.Machine) map[string]string {
	return map[string]string{keyCluster: string(m.Spec.ClusterRef.UID), keyMachine: string(m.UID), keyPool: m.Spec.PoolRef.Name}
}

// strayed reports whether metadata say something else of a Machine's server. What others
// have added is theirs.
func strayed(m *v1alpha1.Machine, metadata map[string]string) bool {
	merged := maps.Clone(metadata)
	if merged == nil {
		return true
	}
	maps.Copy(merged, metadataOf(m))
	return !maps.Equal(merged, metadata)
}

// asked is how a server is asked for. Nova makes its ports and its volume, and deletes
// them with it, so that one request makes all or nothing.
//
// A port that Nova makes is in a network, and Neutron chooses the subnet: a subnet can be
// asked for with ports of one's own only. See misplaced.
func asked(m *v1alpha1.Machine, network *v1alpha1.ClusterNetwork, userData []byte) (servers.CreateOpts, servers.SchedulerHintOptsBuilder) {
	t := m.Spec.Template
	o := servers.CreateOpts{
		Name: m.Name, FlavorRef: m.Status.FlavorID, ImageRef: m.Status.ImageID, AvailabilityZone: t.AvailabilityZone,
		Metadata: metadataOf(m), UserData: userData, ConfigDrive: ptr.To(true),
		SecurityGroups: append([]string{network.Status.NodeSecurityGroupID}, t.SecurityGroups...),
	}
	networks := []servers.Network{{UUID: network.Status.NetworkID}}
	for _, id := range t.Networks {
		networks = append(networks, servers.Network{UUID: id})
	}
	o.Networks = networks
	if t.DiskGiB > 0 {
		o.ImageRef = ""
		o.BlockDevice = []servers.BlockDevice{{
			SourceType: servers.SourceImage, UUID: m.Status.ImageID, DestinationType: servers.DestinationVolume,
			VolumeSize: int(t.DiskGiB), BootIndex: 0, DeleteOnTermination: true,
		}}
	}
	if t.ServerGroupID == "" {
		return o, nil
	}
	return o, servers.SchedulerHintOpts{Group: t.ServerGroupID}
}

// nodeOf is what the server of a Machine is to become.
func nodeOf(m *v1alpha1.Machine, flavor v1alpha1.InfrastructureFlavor, bootstrap *corev1.Secret) userdata.Node {
	disk := m.Spec.Template.DiskGiB
	if disk == 0 {
		disk = flavor.DiskGiB
	}
	n := userdata.Node{
		Name:                 m.Name,
		BootstrapKubeconfig:  bootstrap.Data[v1alpha1.KeyKubeconfig],
		KubeletConfiguration: bootstrap.Data[v1alpha1.KeyKubeletConfiguration],
		Capacity:             userdata.Capacity{CPUs: int(flavor.VCPUs), MemoryMiB: int(flavor.MemoryMiB), DiskGiB: int(disk)},
		Labels:               m.Spec.Labels,
	}
	for _, t := range slices.Concat(m.Spec.Taints, m.Spec.StartupTaints) {
		n.Taints = append(n.Taints, corev1.Taint{Key: t.Key, Value: t.Value, Effect: t.Effect})
	}
	return n
}

// noteUserData writes into status which labels and taints the user data of a server hold that is
// asked for. What was noted before stays as well where a server may run that was made with it: an
// earlier request may have been heard, and a rebuild not be.
func noteUserData(m *v1alpha1.Machine, keep bool) {
	labels, taints := slices.Collect(maps.Keys(m.Spec.Labels)), []string(nil)
	for _, t := range m.Spec.Taints {
		taints = append(taints, v1alpha1.TaintID(t.Key, t.Effect))
	}
	status := &m.Status
	if keep {
		labels, taints = append(labels, status.UserDataLabels...), append(taints, status.UserDataTaints...)
	}
	slices.Sort(labels)
	slices.Sort(taints)
	status.UserDataLabels, status.UserDataTaints = slices.Compact(labels), slices.Compact(taints)
}
