package machine

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// TestAsked shows what Nova is asked for.
func TestAsked(t *testing.T) {
	network := &v1alpha1.ClusterNetwork{Status: v1alpha1.ClusterNetworkStatus{NetworkID: "net", NodeSecurityGroupID: "nodes"}}
	m := &v1alpha1.Machine{
		ObjectMeta: metav1.ObjectMeta{Name: "shop-web-x2k4m", UID: "m"},
		Spec: v1alpha1.MachineSpec{
			ClusterRef: v1alpha1.ClusterReference{UID: "c"}, PoolRef: v1alpha1.PoolReference{Name: "web"},
			Template: v1alpha1.MachineTemplate{
				AvailabilityZone: "nova", DiskGiB: 40, SecurityGroups: []string{"more"}, Networks: []string{"storage"},
				ServerGroupID: "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
			},
		},
		Status: v1alpha1.MachineStatus{ImageID: "image", FlavorID: "flavor"},
	}
	got := func() map[string]any {
		t.Helper()
		options, _ := asked(m, network, []byte("user data"))
		body, err := options.ToServerCreateMap()
		if err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		read := map[string]any{}
		if err := json.Unmarshal(data, &read); err != nil {
			t.Fatal(err)
		}
		return read["server"].(map[string]any)
	}
	want := map[string]any{
		"name": "shop-web-x2k4m", "imageRef": "", "flavorRef": "flavor", "availability_zone": "nova", "config_drive": true, "user_data": "dXNlciBkYXRh",
		"metadata":        map[string]any{"marina.dev:cluster-uid": "c", "marina.dev:machine-uid": "m", "marina.dev:pool": "web"},
		"networks":        []any{map[string]any{"uuid": "net"}, map[string]any{"uuid": "storage"}},
		"security_groups": []any{map[string]any{"name": "nodes"}, map[string]any{"name": "more"}},
		"block_device_mapping_v2": []any{map[string]any{
			"source_type": "image", "uuid": "image", "destination_type": "volume", "boot_index": 0., "volume_size": 40., "delete_on_termination": true,
		}},
	}
	if diff := cmp.Diff(want, got()); diff != "" {
		t.Errorf("with a volume (-want +got):\n%s", diff)
	}
	_, hints := asked(m, network, nil)
	if diff := cmp.Diff(servers.SchedulerHintOpts{Group: "3f2504e0-4f89-41d3-9a0c-0305e82c3301"}, hints); diff != "" {
		t.Errorf("hints (-want +got):\n%s", diff)
	}
	m.Spec.Template = v1alpha1.MachineTemplate{}
	want["imageRef"], want["networks"], want["security_groups"] = "image", want["networks"].([]any)[:1], want["security_groups"].([]any)[:1]
	delete(want, "block_device_mapping_v2")
	delete(want, "availability_zone")
	if diff := cmp.Diff(want, got()); diff != "" {
		t.Errorf("with the flavor's disk (-want +got):\n%s", diff)
	}
	if _, hints := asked(m, network, nil); hints != nil {
		t.Errorf("hints %v without a server group", hints)
	}
}

// A template's own image takes the place of the one that the Infrastructure has for its release.
func TestImage(t *testing.T) {
	const own = "3f2504e0-4f89-41d3-9a0c-0305e82c3302"
	for name, tc := range map[string]struct{ release, image, want string }{
		"OfTheRelease":        {"1.37.1-1", "", "of 1.37.1"},
		"Own":                 {"1.37.1-1", own, own},
		"OwnWhereThereIsNone": {"1.36.4-1", own, own},
		"None":                {"1.36.4-1", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := &scope{machine: &v1alpha1.Machine{}, network: &v1alpha1.ClusterNetwork{}, infra: &v1alpha1.Infrastructure{}}
			s.machine.Spec.Template = v1alpha1.MachineTemplate{Release: tc.release, Image: tc.image, Flavor: "f"}
			s.infra.Status = v1alpha1.InfrastructureStatus{
				Images:  []v1alpha1.InfrastructureImage{{Release: "1.37.1-1", ID: "of 1.37.1"}},
				Flavors: []v1alpha1.InfrastructureFlavor{{Name: "f", ID: "f", DiskGiB: 20}},
			}
			if err := s.resolve(); (err == nil) != (tc.want != "") || s.machine.Status.ImageID != tc.want {
				t.Errorf("it boots %q, %v; want %q", s.machine.Status.ImageID, err, tc.want)
			}
		})
	}
}

// A node registers with all taints, also with those that nobody puts back later.
func TestRule29TaintsAreThereFromTheStart(t *testing.T) {
	m := &v1alpha1.Machine{Spec: v1alpha1.MachineSpec{
		Taints:        []v1alpha1.Taint{{Key: "env", Value: "demo", Effect: "NoSchedule"}},
		StartupTaints: []v1alpha1.Taint{{Key: "drivers", Effect: "NoExecute"}},
	}}
	want := []corev1.Taint{{Key: "env", Value: "demo", Effect: "NoSchedule"}, {Key: "drivers", Effect: "NoExecute"}}
	if diff := cmp.Diff(want, nodeOf(m, v1alpha1.InfrastructureFlavor{}, &corev1.Secret{}).Taints); diff != "" {
		t.Errorf("taints (-want +got):\n%s", diff)
	}
}
