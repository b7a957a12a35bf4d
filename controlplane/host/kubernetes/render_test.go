package kubernetes

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/yaml"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/controlplane/host"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

var update = flag.Bool("update", false, "write the golden files anew")

func hosting() v1alpha1.HostingSpec {
	return v1alpha1.HostingSpec{Exposure: v1alpha1.ExposureSpec{Type: v1alpha1.ExposureLoadBalancer}, NodeAccess: v1alpha1.NodeAccessDirect}
}

func hostedInputs() component.HostedInputs {
	return component.HostedInputs{
		Namespace: "marina-shop-0d8ec3f1", Kubernetes: "v1.37.1", TenantUID: "0d8ec3f1-7a52-4d9b-9f0c-3b8f2f9a0001",
		EtcdEndpoints: []string{"https://etcd-default-0.etcd-default.marina-system.svc:2379"},
		Network:       v1alpha1.NetworkSpec{PodCIDR: "10.244.0.0/16", ServiceCIDR: "10.96.0.0/16", DNSDomain: "cluster.local"},
		Konnectivity:  "v0.36.0", KonnectivityHash: "dddd",
		ServiceAccountHash: "aaaa", EtcdCAHash: "bbbb", CAHash: "cccc",
		Labels:  map[string]string{v1alpha1.LabelShard: v1alpha1.DefaultShard},
		Hosting: hosting(),
	}
}

func etcd() component.Component {
	c := component.Component{
		Namespace: v1alpha1.SystemNamespace, Name: "etcd-default", Replicas: 3, Data: true,
		Labels:   map[string]string{v1alpha1.LabelShard: v1alpha1.DefaultShard},
		DataSize: resource.MustParse("8Gi"), Ports: component.EtcdPorts(),
		Main: component.Process{
			Name: "etcd", Program: "etcd", Version: "v3.7.3",
			Args:      []string{"--name=$(REPLICA)", "--data-dir=$(DATA)/etcd", "--listen=https://$(ADDRESS):$(PORT_client)"},
			BeginArgs: []string{"--advertise=https://$(HOST):$(PORT_peer)"},
			Resources: component.Resources{RequestMilliCPU: 250, RequestMemory: 1 << 30, LimitMemory: 4 << 30},
		},
		Mounts:    []component.Mount{{Path: "server", Secret: "etcd-default-server", Keys: []string{"tls.crt"}}},
		Readiness: component.Probe{Port: component.EtcdPortMetrics, Path: "/readyz", Plain: true},
	}
	return c
}

// rendered is all that a Component becomes.
func rendered(t testing.TB, c component.Component) []client.Object {
	t.Helper()
	var all []client.Object
	add := func(o client.Object, err error) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, o)
	}
	if c.Data {
		add(statefulSet(c, storageOf(c)))
		add(headlessService(c), nil)
	} else {
		add(deployment(c, c.Replicas))
	}
	for i, b := range c.Balanced {
		port, err := portOf(c.Ports, b.Port)
		if err != nil {
			t.Fatal(err)
		}
		add(balancedService(host.ReservationOf(c), i, port, ""))
	}
	add(disruptionBudget(c), nil)
	add(networkPolicy(c), nil)
	return all
}

// The golden files show a reviewer what every Component becomes, and what an upgrade of
// Marina would replace.
func TestGolden(t *testing.T) {
	in, through := hostedInputs(), hostedInputs()
	through.Hosting.NodeAccess = v1alpha1.NodeAccessKonnectivity
	for file, c := range map[string]component.Component{
		"kube-apiserver":              component.APIServer(in),
		"kube-apiserver-konnectivity": component.APIServer(through),
		"kube-controller-manager":     component.ControllerManager(in),
		"kube-scheduler":              component.Scheduler(in),
		"etcd":                        etcd(),
		"etcd-snapshot": component.EtcdSnapshot(component.EtcdSnapshotInputs{
			Cluster: "default", Snapshot: "3.6.13-to-3.7.3-20260501-120000", Version: "v0.1.0",
			Spec:      v1alpha1.EtcdClusterSpec{StorageQuota: resource.MustParse("8Gi")},
			Endpoints: []string{"https://etcd-default-0.etcd-default.marina-system.svc:2379"},
			Labels:    map[string]string{v1alpha1.LabelShard: v1alpha1.DefaultShard},
		}),
	} {
		t.Run(file, func(t *testing.T) {
			var text strings.Builder
			for _, o := range rendered(t, c) {
				gvk, err := apiutil.GVKForObject(o, clientgoscheme.Scheme)
				if err != nil {
					t.Fatal(err)
				}
				u, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
				if err != nil {
					t.Fatal(err)
				}
				u["apiVersion"], u["kind"] = gvk.ToAPIVersionAndKind()
				delete(u, "status")
				document, err := yaml.Marshal(u)
				if err != nil {
					t.Fatal(err)
				}
				text.WriteString("---\n" + string(document))
			}
			path := filepath.Join("testdata", file+".yaml")
			if *update {
				if err := os.WriteFile(path, []byte(text.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), text.String()); diff != "" {
				t.Errorf("%s differs; if that is meant: go test ./controlplane/host/kubernetes -run Golden -update\n%s", path, diff)
			}
		})
	}
}
