package api

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// annotationLimit is what all annotations of an object may have together.
const annotationLimit = 262144

// kubectl runs the kubectl of the API server's own version.
func kubectl(t testing.TB, s *server, args ...string) (stdout, stderr string) {
	t.Helper()
	dir := t.TempDir()
	kubeconfig := filepath.Join(dir, "kubeconfig")
	if err := os.WriteFile(kubeconfig, s.env.KubeConfig, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), s.kubectl, append(args, "--cache-dir="+dir)...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, errs.String())
	}
	return out.String(), errs.String()
}

// Client-side apply keeps all of an object in an annotation of it. What is applied
// again as it is must be no change.
func TestClientSideApply(t *testing.T) {
	args := []string{"apply", "--server-side=false", "--validate=strict"}
	for _, folder := range []string{"crds", "policies", "releases", "defaults"} {
		args = append(args, "-f", filepath.Join(root, "manifests", folder))
	}
	onEach(t, func(t *testing.T, s *server) {
		_, stderr := kubectl(t, s, args...)
		for line := range strings.Lines(stderr) {
			// What these tests have made themselves was made in another way.
			if !strings.Contains(line, "missing the kubectl.kubernetes.io/last-applied-configuration annotation") {
				t.Errorf("applying the manifests: %s", line)
			}
		}
		again, _ := kubectl(t, s, args...)
		for line := range strings.Lines(again) {
			if !strings.HasSuffix(line, " unchanged\n") {
				t.Errorf("applying the manifests again: %s", line)
			}
		}
	})
}

func TestCRDsAreSmall(t *testing.T) {
	crds, err := readManifests("crds")
	if err != nil {
		t.Fatal(err)
	}
	for _, crd := range crds {
		annotation, err := json.Marshal(crd.Object)
		if err != nil {
			t.Fatal(err)
		}
		if len(annotation) >= annotationLimit/2 {
			t.Errorf("%s has %d bytes as an annotation: past %d it cannot be applied, and it is past half of that", crd.GetName(), len(annotation), annotationLimit)
		}
	}
}

// table reads a list as kubectl get does.
func table(t testing.TB, s *server, plural string) *metav1.Table {
	t.Helper()
	config := rest.CopyConfig(s.config)
	config.APIPath, config.GroupVersion = "/apis", &v1alpha1.GroupVersion
	config.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	c, err := rest.RESTClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	data, err := c.Get().Resource(plural).SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := &metav1.Table{}
	if err := json.Unmarshal(data, found); err != nil || found.Kind != "Table" {
		t.Fatalf("%s: %v: %s", plural, err, data)
	}
	return found
}

func TestColumns(t *testing.T) {
	cases := map[string]struct{ narrow, wide []string }{
		"clusters": {
			narrow: []string{"Name", "Version", "Phase", "Endpoint", "Age"},
			wide:   []string{"Wanted", "Message"},
		},
		"operations": {
			narrow: []string{"Name", "Kind", "Target", "Type", "Phase", "Steps", "Started", "Took"},
			wide:   []string{"Retry of", "Message"},
		},
		"kubernetesreleases": {narrow: []string{"Name", "Supported until", "Age"}},
		"infrastructures": {
			narrow: []string{"Name", "Region", "Ready", "Age"},
			wide:   []string{"Reachable", "Message"},
		},
		"clusternetworks": {
			narrow: []string{"Name", "Ready", "Infrastructure", "Range", "Age"},
			wide:   []string{"Network", "Message"},
		},
		"nodepools": {
			narrow: []string{"Name", "Cluster", "Flavor", "Phase", "Wanted", "Ready", "Age"},
			wide:   []string{"Version", "Image", "Message"},
		},
		"machines": {
			narrow: []string{"Name", "Pool", "State", "Address", "Age"},
			wide:   []string{"Flavor", "Server", "Message"},
		},
		"hostingclasses": {narrow: []string{"Name", "Exposure", "Etcd clusters", "Age"}},
		"etcdclusters": {
			narrow: []string{"Name", "Ready", "Members", "Tenants", "Version", "Age"},
			wide:   []string{"Message"},
		},
		"etcdtenants": {
			narrow: []string{"Name", "Ready", "Etcd cluster", "Prefix", "Age"},
			wide:   []string{"Message"},
		},
		"nodebootstraps": {
			narrow: []string{"Name", "Node", "Ready", "Expires", "Age"},
			wide:   []string{"Message"},
		},
		"hostedcontrolplanes": {
			narrow: []string{"Name", "Version", "Ready", "Available", "Endpoint", "Age"},
			wide:   []string{"Message"},
		},
	}
	onEach(t, func(t *testing.T, s *server) {
		for plural, tc := range cases {
			t.Run(plural, func(t *testing.T) {
				var narrow, wide []string
				for _, c := range table(t, s, plural).ColumnDefinitions {
					if c.Priority == 0 {
						narrow = append(narrow, c.Name)
					} else {
						wide = append(wide, c.Name)
					}
				}
				if d := cmp.Diff(tc.narrow, narrow); d != "" {
					t.Errorf("kubectl get (-want +got):\n%s", d)
				}
				if d := cmp.Diff(tc.wide, wide); d != "" {
					t.Errorf("kubectl get -o wide has further (-want +got):\n%s", d)
				}
			})
		}
	})
}

func TestClusterRow(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		o := made(t, s, object("Cluster", newName(), valid))
		setStatus(t, s, o, `{"phase": "Upgrading", "version": "1.36.4-1", "endpoint": "https://10.0.0.1:6443", "message": "two of three replicas"}`)
		got, _ := kubectl(t, s, "get", "clusters", "--namespace="+project, o.GetName(), "-o", "wide")
		header, row, _ := strings.Cut(got, "\n")
		if d := cmp.Diff([]string{"NAME", "VERSION", "PHASE", "ENDPOINT", "AGE", "WANTED", "MESSAGE"}, strings.Fields(header)); d != "" {
			t.Errorf("the header (-want +got):\n%s", d)
		}
		fields := strings.Fields(row)
		if len(fields) > 4 {
			fields[4] = "" // the age
		}
		want := []string{o.GetName(), "1.36.4-1", "Upgrading", "https://10.0.0.1:6443", "", "1.37.1-1", "two", "of", "three", "replicas"}
		if d := cmp.Diff(want, fields); d != "" {
			t.Errorf("the row (-want +got):\n%s", d)
		}
	})
}

// "kubectl get marina" lists all of ours.
func TestCategoryListsAllKinds(t *testing.T) {
	onEach(t, func(t *testing.T, s *server) {
		var list unstructured.UnstructuredList
		list.SetAPIVersion("apiextensions.k8s.io/v1")
		list.SetKind("CustomResourceDefinitionList")
		if err := s.client.List(t.Context(), &list, &client.ListOptions{}); err != nil {
			t.Fatal(err)
		}
		resources, _ := kubectl(t, s, "api-resources", "--categories=marina", "-o", "name")
		if got := len(strings.Fields(resources)); got != len(list.Items) {
			t.Errorf("the category marina has %d kinds of %d: %s", got, len(list.Items), resources)
		}
	})
}
