package up

import (
	"log/slog"
	"testing"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

func TestWhatIsNoGarbage(t *testing.T) {
	controlPlanes := &v1alpha1.HostedControlPlaneList{Items: make([]v1alpha1.HostedControlPlane, 1)}
	controlPlanes.Items[0].Namespace = "marina-shop-0d8ec3f1"
	etcds := &v1alpha1.EtcdClusterList{Items: make([]v1alpha1.EtcdCluster, 1)}
	etcds.Items[0].Name = "default"
	keeps := (&tenants{options: Options{Log: slog.New(slog.DiscardHandler)}}).keeps(controlPlanes, etcds)
	cases := map[string]struct {
		namespace, name string
		want            bool
	}{
		"a control plane that there is":       {"marina-shop-0d8ec3f1", "kube-apiserver", true},
		"one that is gone":                    {"marina-gone-12345678", "kube-apiserver", false},
		"members of an EtcdCluster":           {"marina-system", "etcd-default", true},
		"tenants' data that nobody tells of":  {"marina-system", "etcd-forgotten", true},
		"another cluster of the name":         {"marina-shop-99999999", "kube-apiserver", false},
		"a namespace that begins in that way": {"marina-shop-0d8ec3f10", "kube-apiserver", false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := keeps(tc.namespace, tc.name); got != tc.want {
				t.Errorf("keeps %s/%s: %t, want %t", tc.namespace, tc.name, got, tc.want)
			}
		})
	}
}
