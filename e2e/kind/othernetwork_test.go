//go:build kind

package kind

import (
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// testOtherNetwork has a tenant's administrator send API servers to an address of the
// management cluster's network, by a Node that claims to be there: a member of etcd, which
// shows its metrics to everybody in that network. The request goes through Konnectivity,
// so that it is asked for in the tenant's network, where there is nothing.
func testOtherNetwork(t *testing.T, s *tenant) {
	members, err := podsOf(t.Context(), v1alpha1.SystemNamespace, "etcd-default")
	harness.Check(t, err)
	at := members[0].Status.PodIP
	conn, err := dialIn(t.Context(), members[0].Spec.NodeName, net.JoinHostPort(at, "2381"))
	harness.Check(t, err)
	harness.Check(t, conn.Close())

	nodes := s.api.CoreV1().Nodes()
	_, err = nodes.Create(t.Context(), &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: "elsewhere"},
		// Or the pods of the test's own DaemonSet are expected there as well.
		Spec: corev1.NodeSpec{Taints: []corev1.Taint{{Key: "test.marina.dev/elsewhere", Effect: corev1.TaintEffectNoExecute}}},
	}, metav1.CreateOptions{})
	harness.Check(t, err)
	t.Cleanup(func() {
		ctx, cancel := background(time.Minute)
		defer cancel()
		if err := nodes.Delete(ctx, "elsewhere", metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	claim := fmt.Sprintf(`{"status": {"addresses": [{"type": "InternalIP", "address": %q}]}}`, at)
	_, err = nodes.Patch(t.Context(), "elsewhere", types.MergePatchType, []byte(claim), metav1.PatchOptions{}, "status")
	harness.Check(t, err)
	answer, err := s.ask(t.Context(), http.MethodGet, "/api/v1/nodes/http:elsewhere:2381/proxy/metrics", nil)
	if err == nil {
		t.Errorf("an address of the management cluster answers a tenant: %.300s", answer)
	}
	t.Logf("the answer is: %v", err)
}
