package hosted

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// A release that is deleted while control planes run it has nothing be refused: a Cluster that is
// Degraded could not be upgraded to another one. A change that needs it is.
func TestAReleaseThatIsGone(t *testing.T) {
	for name, tc := range map[string]struct {
		runs, asks, status string
	}{
		"what runs":                {"1.37.1-1", "1.37.1-1", "True"},
		"what is asked for":        {"1.37.1-1", "1.37.1-2", "False"},
		"the older of two minors":  {"1.36.4-1", "1.37.1-1", "False"},
		"one that has yet to come": {"", "1.37.1-1", "False"},
	} {
		t.Run(name, func(t *testing.T) {
			scheme := runtime.NewScheme()
			if err := v1alpha1.AddToScheme(scheme); err != nil {
				t.Fatal(err)
			}
			s := testScope()
			s.hcp.Status.Version, s.hcp.Spec.Version = tc.runs, tc.asks
			s.etcd = &v1alpha1.EtcdTenant{}
			s.status = map[string]component.Status{}
			for _, name := range components {
				s.status[name] = component.Status{Replicas: 3, Ready: 3, Updated: 3}
			}
			r := &Reconciler{Client: fake.NewClientBuilder().WithScheme(scheme).Build()}
			err := s.withoutRelease(r.findRelease(t.Context(), s))
			writeStatus(s.hcp, s, err)
			accepted := meta.FindStatusCondition(s.hcp.Status.Conditions, v1alpha1.ConditionSpecAccepted)
			if string(accepted.Status) != tc.status || err == nil || !strings.Contains(err.Error(), "publish it") {
				t.Errorf("%v, %+v; want %s", err, accepted, tc.status)
			}
			if c := meta.FindStatusCondition(s.hcp.Status.Conditions, v1alpha1.ConditionUpToDate); tc.runs != "" && (c.Status == metav1.ConditionTrue || !strings.Contains(c.Message, "does not exist")) {
				t.Errorf("UpToDate does not say so: %+v", c)
			}
		})
	}
}
