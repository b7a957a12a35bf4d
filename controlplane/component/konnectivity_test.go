package component

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

func konnectivityInputs() HostedInputs {
	in := hostedInputs()
	in.Hosting.NodeAccess = v1alpha1.NodeAccessKonnectivity
	in.Konnectivity, in.KonnectivityHash = "v0.36.0", "dddd"
	return in
}

func TestKonnectivityGolden(t *testing.T) {
	goldenFile(t, APIServer(konnectivityInputs()), "kube-apiserver-konnectivity")
}

// Agents must reach the servers of API servers that are not ready, and these must find
// somebody who checks tokens: an API server may wait for a webhook that it reaches
// through an agent only. Tenants are sent to API servers that are ready.
func TestAgentsReachAPIServersThatAreNotReady(t *testing.T) {
	want := map[string]bool{"https": false, "konnectivity": true, "kube-apiserver-any": true}
	got := map[string]bool{}
	for _, b := range APIServer(konnectivityInputs()).Balanced {
		got[b.Name()] = b.NotReady
		if internal := b.Name() == "kube-apiserver-any"; (b.Internal != "") != internal {
			t.Errorf("%s is for the platform alone: %v, want %v", b.Name(), b.Internal != "", internal)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("addresses that lead to what is not ready (-want +got):\n%s", diff)
	}
}

// What is the same in both is the name of the socket: the server's is in VarRun, and
// so is, by its relative name, the API server's.
func TestTheSocketIsOne(t *testing.T) {
	var config struct {
		EgressSelections []struct {
			Name       string
			Connection struct {
				ProxyProtocol string
				Transport     struct{ UDS struct{ UDSName string } }
			}
		}
	}
	if err := yaml.UnmarshalStrict([]byte(EgressSelector), &struct {
		APIVersion, Kind string
		EgressSelections any
	}{}); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal([]byte(EgressSelector), &config); err != nil {
		t.Fatal(err)
	}
	if len(config.EgressSelections) != 1 || config.EgressSelections[0].Name != "cluster" {
		t.Fatalf("%+v, want one way, to the cluster: etcd and the platform are reached directly", config)
	}
	socket := "--uds-name=$(RUN)/" + config.EgressSelections[0].Connection.Transport.UDS.UDSName
	if server := APIServer(konnectivityInputs()).Sidecars[0]; !slices.Contains(server.Args, socket) {
		t.Errorf("the server has no %s:\n%s", socket, strings.Join(server.Args, "\n"))
	}
}
