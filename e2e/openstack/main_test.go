package openstack

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/apitest"
)

var check = harness.Check

// management is the API server of all tests.
var management *apitest.Server

func TestMain(m *testing.M) {
	apitest.Main(m, &management, prepare, clientgoscheme.AddToScheme, v1alpha1.AddToScheme)
}

// prepare makes what all Clusters share. The tests make many lives, and are not to be slowed
// down by a limit of requests.
func prepare() (err error) {
	management.Config.QPS = -1
	if management.Client, err = client.New(management.Config, client.Options{Scheme: management.Scheme}); err != nil {
		return err
	}
	release := &v1alpha1.KubernetesRelease{ObjectMeta: metav1.ObjectMeta{Name: harness.Release}}
	release.Spec.SupportedUntil = "2027-10-28"
	release.Spec.KubeletConfiguration.Raw = []byte(`{"kind": "KubeletConfiguration"}`)
	system := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.SystemNamespace}}
	for _, o := range []client.Object{system, release} {
		if err := management.Client.Create(context.Background(), o); err != nil {
			return err
		}
	}
	return nil
}
