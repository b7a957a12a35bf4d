//go:build chaos

package fleet

import (
	"context"
	"fmt"
	"os"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/apitest"
)

var check = harness.Check

// management is the API server of all.
var management *apitest.Server

const older = "1.36.4-1"

func TestMain(m *testing.M) {
	if kubeconfig := os.Getenv(kubeconfigOfManager); kubeconfig != "" {
		fmt.Fprintln(os.Stderr, runManager(kubeconfig))
		os.Exit(1)
	}
	apitest.Main(m, &management, prepare, clientgoscheme.AddToScheme, v1alpha1.AddToScheme)
}

func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return nil, err
	}
	return scheme, v1alpha1.AddToScheme(scheme)
}

// prepare makes what all Clusters share.
func prepare() (err error) {
	management.Config.QPS = -1
	if management.Client, err = client.New(management.Config, client.Options{Scheme: management.Scheme}); err != nil {
		return err
	}
	objects := []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.SystemNamespace}},
		&v1alpha1.HostingClass{ObjectMeta: metav1.ObjectMeta{Name: "default"}, Spec: v1alpha1.HostingClassSpec{EtcdClusters: []string{"shared"}}},
	}
	for _, name := range []string{older, harness.Release} {
		release := &v1alpha1.KubernetesRelease{ObjectMeta: metav1.ObjectMeta{Name: name}}
		release.Spec.SupportedUntil = "2099-10-28"
		release.Spec.KubeletConfiguration.Raw = []byte(`{"kind": "KubeletConfiguration"}`)
		objects = append(objects, release)
	}
	etcd := &v1alpha1.EtcdCluster{ObjectMeta: metav1.ObjectMeta{Name: "shared"}, Spec: v1alpha1.EtcdClusterSpec{Version: "3.7.3"}}
	for _, o := range append(objects, etcd) {
		if err := management.Client.Create(context.Background(), o); err != nil {
			return err
		}
	}
	etcd.Status.Endpoints, etcd.Status.ReadyMembers = []string{"a", "b", "c"}, 3
	etcd.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: "AsExpected", LastTransitionTime: metav1.Now()}}
	return management.Client.Status().Update(context.Background(), etcd)
}
