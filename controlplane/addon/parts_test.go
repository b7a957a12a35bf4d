package addon

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

var testTime = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

func TestServiceIP(t *testing.T) {
	cases := map[string]struct {
		cidr string
		n    int
		want string // empty: an error
	}{
		"TheFirst":         {"10.96.0.0/16", 1, "10.96.0.1"},
		"TheTenth":         {"10.96.0.0/16", 10, "10.96.0.10"},
		"OfTheSmallest":    {"192.168.7.0/24", 10, "192.168.7.10"},
		"HostBitsAreCut":   {"10.96.3.200/16", 10, "10.96.0.10"},
		"OverAByte":        {"10.96.0.0/16", 256, "10.96.1.0"},
		"TheLast":          {"10.96.0.248/29", 7, "10.96.0.255"},
		"OneTooMany":       {"10.96.0.248/29", 8, ""},
		"PastAllAddresses": {"255.255.255.248/29", 8, ""},
		"Negative":         {"10.96.0.0/16", -1, ""},
		"IPv6":             {"fd00::/108", 10, "fd00::a"},
		"NoRange":          {"", 1, ""},
		"AnAddress":        {"10.96.0.1", 1, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := ServiceIP(tc.cidr, tc.n)
			if (err != nil) != (tc.want == "") {
				t.Fatalf("ServiceIP: %v, want an error: %v", err, tc.want == "")
			}
			if err == nil && got.String() != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestClusterDNSIP(t *testing.T) {
	// kubeadm takes the tenth address, and so does every guide for CoreDNS.
	if got, err := ClusterDNSIP("10.96.0.0/16"); err != nil || got.String() != "10.96.0.10" {
		t.Errorf("got %s, %v; want 10.96.0.10", got, err)
	}
	if _, err := ClusterDNSIP("10.96.0.0/29"); err == nil {
		t.Error("a range of eight addresses has no tenth one, want an error")
	}
}

func TestKubernetesService(t *testing.T) {
	cases := map[string]struct {
		host string
		port int32
		want int // objects
		bad  bool
	}{
		"AnAddress":        {"203.0.113.7", 6443, 2, false},
		"APrivateAddress":  {"10.0.0.5", 443, 2, false},
		"Loopback":         {"127.0.0.1", 6443, 0, false},
		"AnyLoopback":      {"127.3.2.1", 6443, 0, false},
		"LinkLocal":        {"169.254.169.254", 80, 0, false},
		"Unspecified":      {"0.0.0.0", 6443, 0, false},
		"Multicast":        {"224.0.0.1", 6443, 0, false},
		"IPv6":             {"2001:db8::1", 6443, 0, false},
		"IPv6Loopback":     {"::1", 6443, 0, false},
		"AHostName":        {"api.example.org", 6443, 0, false},
		"NoHost":           {"", 6443, 0, true},
		"NoPort":           {"203.0.113.7", 0, 0, true},
		"APortTooHigh":     {"203.0.113.7", 65536, 0, true},
		"APortOfALoopback": {"127.0.0.1", 0, 0, true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := KubernetesService(tc.host, tc.port)
			if (err != nil) != tc.bad || len(got) != tc.want {
				t.Errorf("%d objects, %v; want %d, an error: %v", len(got), err, tc.want, tc.bad)
			}
		})
	}
}

func TestHash(t *testing.T) {
	objects := everything(t, shippedInputs(t, "1.37"))
	again := everything(t, shippedInputs(t, "1.37"))
	hash := Hash(objects)
	if got := Hash(again); got != hash {
		t.Errorf("equal objects: %s and %s, so they would be applied for ever", hash, got)
	}
	again[0], again[1] = again[1], again[0]
	if got := Hash(again); got != hash {
		t.Errorf("another order: %s and %s, but the order means nothing", hash, got)
	}
	if Hash(objects[1:]) == hash {
		t.Error("one object less has the same hash")
	}
	in := shippedInputs(t, "1.37")
	in.Server = "https://203.0.113.8:6443"
	if Hash(everything(t, in)) == hash {
		t.Error("another server has the same hash, so it would never be applied")
	}
}

// TestClusterInfoLeavesTheSignatures: the bootstrap signer adds keys to the object,
// and server-side apply leaves alone what we do not name.
func TestClusterInfoLeavesTheSignatures(t *testing.T) {
	cm := find(t, "cluster-info")
	if len(cm.Data) != 1 || cm.Data["kubeconfig"] == "" {
		t.Errorf("keys %v, want kubeconfig alone", cm.Data)
	}
	if strings.Contains(cm.Data["kubeconfig"], "client-") || strings.Contains(cm.Data["kubeconfig"], "token") {
		t.Error("cluster-info, which strangers read, holds a credential")
	}
}

// TestKubeletConfigKeepsTheRelease: nothing of the release is lost, and nothing is
// added but what belongs to the cluster.
func TestKubeletConfigKeepsTheRelease(t *testing.T) {
	in := shippedInputs(t, "1.37")
	in.KubeletConfiguration.Raw = []byte(`{"apiVersion":"kubelet.config.k8s.io/v1beta1","kind":"KubeletConfiguration",
		"clusterDNS":["1.2.3.4"],"maxPods":110,"unknownToUs":{"big":9007199254740993},"authentication":{"x509":{"other":"kept"}}}`)
	in.Network.DNSDomain = "tenant.example"
	c, err := in.check()
	if err != nil {
		t.Fatal(err)
	}
	cm, err := c.kubeletConfig()
	if err != nil {
		t.Fatal(err)
	}
	want := `apiVersion: kubelet.config.k8s.io/v1beta1
authentication:
  x509:
    clientCAFile: /etc/kubernetes/pki/ca.crt
    other: kept
clusterDNS:
- 10.96.0.10
clusterDomain: tenant.example
kind: KubeletConfiguration
maxPods: 110
unknownToUs:
  big: 9007199254740993
`
	if diff := cmp.Diff(want, cm.Data["kubelet"]); diff != "" {
		t.Errorf("kubelet-config (-want +got):\n%s", diff)
	}
}

// TestKubeadmConfigTellsNothingElse: no etcd, no certificates, nothing of the
// platform's.
func TestKubeadmConfigTellsNothingElse(t *testing.T) {
	var config map[string]any
	if err := yaml.Unmarshal([]byte(find(t, "kubeadm-config").Data["ClusterConfiguration"]), &config); err != nil {
		t.Fatal(err)
	}
	for key := range config {
		switch key {
		case "apiVersion", "kind", "clusterName", "kubernetesVersion", "controlPlaneEndpoint", "networking":
		default:
			t.Errorf("kubeadm-config has %q", key)
		}
	}
}

func find(t testing.TB, name string) *corev1.ConfigMap {
	t.Helper()
	objects := everything(t, shippedInputs(t, "1.37"))
	for _, object := range objects {
		if cm, ok := object.(*corev1.ConfigMap); ok && cm.Name == name {
			return cm
		}
	}
	t.Fatalf("there is no ConfigMap %s among %v", name, namesOf(objects))
	return nil
}

func namesOf(objects []client.Object) (names []string) {
	for _, object := range objects {
		names = append(names, object.GetName())
	}
	return names
}
