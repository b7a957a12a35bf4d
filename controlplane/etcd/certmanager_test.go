package etcd

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestCertificatesGolden shows what cert-manager is asked for. Another spec has it issue
// anew, so that a change here is one for every EtcdCluster that there is.
func TestCertificatesGolden(t *testing.T) {
	addresses := component.Addresses{}
	for _, host := range []string{"etcd-default-0.etcd-default", "etcd-default-1.etcd-default", "10.0.0.3"} {
		at := component.HostPort{Host: host, Port: 1}
		addresses.Replicas = append(addresses.Replicas, map[string]component.HostPort{component.EtcdPortClient: at, component.EtcdPortPeer: at})
	}
	issuer := v1alpha1.IssuerReference{Name: "platform", Kind: "ClusterIssuer", Group: "cert-manager.io"}
	made := map[string]client.Object{}
	for _, a := range authorities(cluster, addresses) {
		made[a.what] = caCertificate(cluster, a.what, issuer)
		made[a.what+"-issuer"] = caIssuer(cluster, a.what)
		for what, request := range a.leaves {
			made[what] = leafCertificate(cluster, what, a.what, request)
		}
	}
	if len(made) != 7 {
		t.Errorf("%d objects, want 5 Certificates and 2 Issuers", len(made))
	}
	for name, object := range made {
		t.Run(name, func(t *testing.T) {
			got, err := yaml.Marshal(object)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", "cert-manager-"+name+".yaml")
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), string(got)); d != "" {
				t.Errorf("%s (-want +got):\n%s\nif that is meant: go test ./controlplane/etcd -run Golden -update", file, d)
			}
		})
	}
}
