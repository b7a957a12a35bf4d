package output

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

func TestCheck(t *testing.T) {
	for format, ok := range map[string]bool{"": true, "yaml": true, "json": true, "wide": false, "YAML": false} {
		if err := Check(format, YAML, JSON); (err == nil) != ok {
			t.Errorf("Check(%q) = %v", format, err)
		}
	}
}

func sample(name string) unstructured.Unstructured {
	return unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "marina.dev/v1alpha1", "kind": "Cluster",
		"metadata": map[string]any{"name": name, "managedFields": []any{map[string]any{"manager": "x"}}},
		"spec":     map[string]any{"version": "1.37.1-1", "later": "unknown to this version"},
	}}
}

func TestFormats(t *testing.T) {
	const one = `apiVersion: marina.dev/v1alpha1
kind: Cluster
metadata:
  name: a
spec:
  later: unknown to this version
  version: 1.37.1-1
`
	cases := map[string]struct {
		print func(*bytes.Buffer) error
		want  string
	}{
		"OneAsYAML": {
			print: func(w *bytes.Buffer) error { a := sample("a"); return Object(w, YAML, "cluster.marina.dev", &a) },
			want:  one,
		},
		"OneAsName": {
			print: func(w *bytes.Buffer) error { a := sample("a"); return Object(w, Name, "cluster.marina.dev", &a) },
			want:  "cluster.marina.dev/a\n",
		},
		"SeveralAsNames": {
			print: func(w *bytes.Buffer) error {
				return List(w, Name, "cluster.marina.dev", []unstructured.Unstructured{sample("a"), sample("b")})
			},
			want: "cluster.marina.dev/a\ncluster.marina.dev/b\n",
		},
		"NoneAsJSONIsAnEmptyList": {
			print: func(w *bytes.Buffer) error { return List(w, JSON, "cluster.marina.dev", nil) },
			want:  "{\n    \"apiVersion\": \"v1\",\n    \"items\": [],\n    \"kind\": \"List\"\n}\n",
		},
		"SeveralAsYAMLAreAListWithoutManagedFields": {
			print: func(w *bytes.Buffer) error {
				return List(w, YAML, "cluster.marina.dev", []unstructured.Unstructured{sample("a")})
			},
			want: `apiVersion: v1
items:
- apiVersion: marina.dev/v1alpha1
  kind: Cluster
  metadata:
    name: a
  spec:
    later: unknown to this version
    version: 1.37.1-1
kind: List
`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := tc.print(&out); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, out.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestManifest(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	got, err := Manifest(&v1alpha1.Cluster{
		ObjectMeta: metav1.ObjectMeta{Name: "a"},
		Spec:       v1alpha1.ClusterSpec{Version: "1.37.1-1", HostingClassRef: v1alpha1.LocalReference{Name: "default"}},
	}, scheme)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"apiVersion": "marina.dev/v1alpha1", "kind": "Cluster",
		"metadata": map[string]any{"name": "a"},
		"spec":     map[string]any{"version": "1.37.1-1", "hostingClassRef": map[string]any{"name": "default"}},
	}
	if diff := cmp.Diff(want, got.Object); diff != "" {
		t.Errorf("only what somebody would write (-want +got):\n%s", diff)
	}
}
