package addon

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/marina-dev/marina/pkg/pki"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestObjects shows a reviewer all that a tenant of each minor gets.
func TestObjects(t *testing.T) {
	for _, minor := range []string{"1.36", "1.37"} {
		t.Run(minor, func(t *testing.T) {
			set, err := Compute(shippedInputs(t, minor))
			if err != nil {
				t.Fatal(err)
			}
			got := encode(t, slices.Concat(set.Reconcile, set.EnsureExists))
			file := filepath.Join("testdata", minor+".yaml")
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("%s (-want +got), go test -update writes it anew:\n%s", file, diff)
			}
		})
	}
}

func encode(t testing.TB, objects []client.Object) []byte {
	t.Helper()
	var out bytes.Buffer
	for i, object := range objects {
		if i > 0 {
			out.WriteString("---\n")
		}
		data, err := yaml.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(data)
	}
	return out.Bytes()
}

func TestObjectsAreOursAndComplete(t *testing.T) {
	set, err := Compute(shippedInputs(t, "1.37"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, object := range slices.Concat(set.Reconcile, set.EnsureExists) {
		gvk := object.GetObjectKind().GroupVersionKind()
		id := gvk.String() + " " + client.ObjectKeyFromObject(object).String()
		if gvk.Kind == "" || gvk.Version == "" {
			t.Errorf("%T %s: apiVersion or kind is missing, server-side apply needs both", object, object.GetName())
		}
		if seen[id] {
			t.Errorf("%s is there twice", id)
		}
		seen[id] = true
		if got := object.GetLabels()["app.kubernetes.io/managed-by"]; got != "marina" {
			t.Errorf("%s: managed-by %q, want marina", id, got)
		}
	}
}

func TestObjectsRefuse(t *testing.T) {
	ca, err := pki.NewCA("kubernetes", testTime, 0)
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		change func(*Inputs)
		want   string
	}{
		"AVersionWithoutV":   {func(in *Inputs) { in.KubernetesVersion = "1.37.1" }, "v1.37.1"},
		"AReleaseAsVersion":  {func(in *Inputs) { in.KubernetesVersion = "v1.37" }, "v1.37.1"},
		"AServerWithoutPort": {func(in *Inputs) { in.Server = "https://example.org" }, "https://host:port"},
		"AServerWithoutTLS":  {func(in *Inputs) { in.Server = "http://example.org:80" }, "https://host:port"},
		"NoCA":               {func(in *Inputs) { in.CACert = nil }, "no PEM certificate"},
		"ABrokenCA":          {func(in *Inputs) { in.CACert = []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n") }, "CA: "},
		"APrivateKeyAsCA":    {func(in *Inputs) { in.CACert = append(ca.CertPEM, ca.KeyPEM...) }, "certificates only"},
		"NoServiceCIDR":      {func(in *Inputs) { in.Network.ServiceCIDR = "" }, "serviceCIDR"},
		"ASmallServiceCIDR":  {func(in *Inputs) { in.Network.ServiceCIDR = "10.96.0.0/29" }, "larger range"},
		"NoPodCIDR":          {func(in *Inputs) { in.Network.PodCIDR = "" }, "podCIDR"},
		"NoVersionOfDNS":     {func(in *Inputs) { in.Versions.CoreDNS = "" }, "no version of CoreDNS"},
		"NoVersionOfAgents":  {func(in *Inputs) { in.Versions.Konnectivity = "" }, "no version of Konnectivity"},
		"AgentsWithoutPort":  {func(in *Inputs) { in.Konnectivity = "example.org" }, "konnectivity: "},
		"NoDNSDomain":        {func(in *Inputs) { in.Network.DNSDomain = "" }, "dnsDomain"},
		"NoKubeletConfig":    {func(in *Inputs) { in.KubeletConfiguration = runtime.RawExtension{} }, "kubeletConfiguration"},
		"AnotherKind":        {func(in *Inputs) { in.KubeletConfiguration.Raw = []byte(`{"kind":"Pod","apiVersion":"v1"}`) }, "must be a KubeletConfiguration"},
		"AWrongAuthenticator": {func(in *Inputs) {
			in.KubeletConfiguration.Raw = []byte(`{"apiVersion":"kubelet.config.k8s.io/v1beta1","kind":"KubeletConfiguration","authentication":"x"}`)
		}, "kubeletConfiguration"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			in := shippedInputs(t, "1.37")
			tc.change(&in)
			set, err := Compute(in)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("error %v, want one with %q in it", err, tc.want)
			}
			if set.Reconcile != nil || set.EnsureExists != nil {
				t.Error("objects and an error")
			}
			if strings.Contains(err.Error(), "EC PRIVATE KEY-----") {
				t.Error("the error holds a private key")
			}
		})
	}
}
