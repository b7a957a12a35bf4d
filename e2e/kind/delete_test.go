//go:build kind

package kind

import (
	"context"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// A cluster can be deleted in the middle of its creation; createTenant's own clean-up
// deletes those that are ready.
func TestDeletionDuringCreation(t *testing.T) {
	for name, until := range map[string]string{"at-once": "", "certificates": v1alpha1.ConditionCertificatesValid, "serving": v1alpha1.ConditionControlPlaneReady} {
		t.Run(name, func(t *testing.T) {
			createTenant(t, name, harness.Release, "")
			if until == "" {
				return
			}
			harness.Check(t, harness.Await(t.Context(), 2*time.Minute, func(ctx context.Context) error {
				c := &v1alpha1.Cluster{}
				if err := management.client.Get(ctx, client.ObjectKey{Namespace: "default", Name: name}, c); err != nil {
					return err
				}
				for _, condition := range c.Status.Conditions {
					if condition.Type == until && condition.Status == metav1.ConditionTrue {
						return nil
					}
				}
				return fmt.Errorf("%s is not true: %+v", until, c.Status.Conditions)
			}))
		})
	}
}

// No API server of the tenant is needed to delete it.
func TestDeletionWithoutAPIServers(t *testing.T) {
	s := newTenant(t, "broken", harness.Release)
	pods, err := podsOf(t.Context(), s.namespace, "kube-apiserver")
	harness.Check(t, err)
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "kube-apiserver"}}
	harness.Check(t, management.client.Delete(t.Context(), d, client.PropagationPolicy(metav1.DeletePropagationOrphan)))
	for i := range pods {
		harness.Check(t, client.IgnoreNotFound(management.client.Delete(t.Context(), &pods[i], client.GracePeriodSeconds(0))))
	}
}
