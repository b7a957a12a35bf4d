package preflight

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/marina-dev/marina/pkg/release"
)

// What an API server answers; lines without an end are not cut off.
const answered = `# HELP apiserver_requested_deprecated_apis [STABLE] Gauge of deprecated APIs that have been requested, broken out by API group, version, resource, subresource, and removed_release.
# TYPE apiserver_requested_deprecated_apis gauge
apiserver_requested_deprecated_apis{group="",removed_release="",resource="componentstatuses",subresource="",version="v1"} 1
apiserver_requested_deprecated_apis{group="storage.k8s.io",removed_release="1.37",resource="volumeattributesclasses",subresource="",version="v1beta1"} 1
apiserver_requested_deprecated_apis{group="batch",removed_release="1.25",resource="cronjobs",subresource="status",version="v1beta1"} 0
apiserver_requested_deprecated_apis_total{group="x",removed_release="1.37",resource="x",subresource="",version="v1"} 1
apiserver_requested_deprecated_apis{group="networking.k8s.io",removed_release="1.37",resource="servicecidrs",subresource="",version="v1beta1"} 1`

func node(name, kubelet string) *corev1.Node {
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.NodeStatus{NodeInfo: corev1.NodeSystemInfo{KubeletVersion: kubelet}}}
}

func TestWhatIsFoundInATenant(t *testing.T) {
	tenant := func(string) (kubernetes.Interface, bool) {
		return fake.NewClientset(node("a", "v1.36.4"), node("b", "v1.33.1+k3s1")), true
	}
	second := `apiserver_requested_deprecated_apis{group="storage.k8s.io",removed_release="1.38",resource="csistoragecapacities",subresource="",version="v1beta1"} 1` + "\n"
	metrics := func(_ context.Context, _ string, read func(io.Reader) error) error {
		return errors.Join(read(strings.NewReader(answered)), read(strings.NewReader(second)))
	}
	kubelets, deprecated, err := In(tenant, metrics)(t.Context(), "marina-shop", true)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"a": "v1.36.4", "b": "v1.33.1+k3s1"}, kubelets); diff != "" {
		t.Errorf("kubelets (-want +got):\n%s", diff)
	}
	want := []release.DeprecatedAPI{
		{Group: "storage.k8s.io", Version: "v1beta1", Resource: "volumeattributesclasses", RemovedIn: "1.37"},
		{Group: "networking.k8s.io", Version: "v1beta1", Resource: "servicecidrs", RemovedIn: "1.37"},
		{Group: "storage.k8s.io", Version: "v1beta1", Resource: "csistoragecapacities", RemovedIn: "1.38"},
	}
	if diff := cmp.Diff(want, deprecated); diff != "" {
		t.Errorf("APIs that end (-want +got):\n%s", diff)
	}
}

func TestATenantThatCannotBeAsked(t *testing.T) {
	nobody := func(string) (kubernetes.Interface, bool) { return nil, false }
	somebody := func(string) (kubernetes.Interface, bool) { return fake.NewClientset(), true }
	silent := func(context.Context, string, func(io.Reader) error) error { return fmt.Errorf("connection refused") }
	for name, look := range map[string]func(context.Context, string, bool) (map[string]string, []release.DeprecatedAPI, error){
		"not connected": In(nobody, silent), "no metrics": In(somebody, silent),
	} {
		if _, _, err := look(t.Context(), "marina-shop", true); err == nil {
			t.Errorf("%s: nothing was found out, and no error tells so", name)
		}
	}
}

// Who allows what ends does not need to have it counted: API servers need not be asked, of which
// one may be away.
func TestWithoutTheAPIsOnlyNodesAreRead(t *testing.T) {
	tenant := func(string) (kubernetes.Interface, bool) { return fake.NewClientset(node("a", "v1.36.4")), true }
	silent := func(context.Context, string, func(io.Reader) error) error { return errors.New("connection refused") }
	kubelets, deprecated, err := In(tenant, silent)(t.Context(), "marina-shop", false)
	if err != nil || len(kubelets) != 1 || len(deprecated) > 0 {
		t.Errorf("%v, %v, %v; want the kubelet of one node", kubelets, deprecated, err)
	}
}
