package up

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

func TestCloudCredentials(t *testing.T) {
	const want = `clouds:
  openstack:
    auth:
      auth_url: http://127.0.0.1:21000/identity/v3
      password: "123"
      project_domain_name: Default
      project_name: tenant
      user_domain_name: Default
      username: tenant-user
    region_name: RegionOne
`
	secret := cloudCredentials("default", CloudSimulator, "http://127.0.0.1:21000/identity/v3", accountTenant, "123")
	got := secret.Data[v1alpha1.CloudsKey]
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error("(-want +got)", diff)
	}
	if _, err := openstack.ParseCloudsYAML(got, v1alpha1.CloudName); err != nil {
		t.Errorf("nobody can read it: %v", err)
	}
	if secret.Labels[v1alpha1.LabelShard] == "" {
		t.Error("it has no label, without which no controller sees it")
	}
}

func TestTheSimulatedCloud(t *testing.T) {
	o := testOptions(t)
	o.Controllers = true
	const process = "marina-system/openstack-simulator/0/simulator"
	// with starts Marina, and returns what it has told of the cloud; it may be nothing.
	with := func(cloud string) (*Running, client.Client, *v1alpha1.Infrastructure, string) {
		t.Helper()
		o.Cloud = cloud
		running, c := mustStart(t, o)
		infra, secret := &v1alpha1.Infrastructure{}, &corev1.Secret{}
		err := c.Get(t.Context(), client.ObjectKey{Name: "local"}, infra)
		if err == nil {
			err = c.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: "simulator"}, secret)
		}
		if err != nil && !apierrors.IsNotFound(err) {
			t.Fatal(err)
		}
		return running, c, infra, string(secret.Data["clouds.yaml"])
	}

	none, _, infra, clouds := with(CloudNone)
	if infra.Name != "" || clouds != "" || processes(t, o.DataDir)[process] != 0 {
		t.Errorf("without a cloud there is %v %q", infra, clouds)
	}
	mustStop(t, none)

	first, c, infra, clouds := with(CloudSimulator)
	answer, err := http.Get(infra.Spec.AuthURL)
	if err != nil {
		t.Fatalf("the cloud does not serve when Marina is ready: %v", err)
	}
	answer.Body.Close()
	credentials, err := openstack.ParseCloudsYAML([]byte(clouds), v1alpha1.CloudName)
	if err != nil {
		t.Fatal(err)
	}
	pool := &openstack.Pool{}
	if _, err := pool.Client(t.Context(), openstack.Cloud{AuthURL: infra.Spec.AuthURL, Region: infra.Spec.Region}, credentials); err != nil {
		t.Errorf("the tenant does not get in: %v", err)
	}
	if err := c.Delete(t.Context(), &corev1.Secret{ObjectMeta: cloudCredentials("default", "simulator", "", "", "").ObjectMeta}); err != nil {
		t.Fatal(err)
	}
	mustStop(t, first)

	// Switched off, it is kept.
	none, _, again, _ := with(CloudNone)
	if again.UID != infra.UID || processes(t, o.DataDir)[process] != 0 {
		t.Errorf("left out, there are %v and the process %d", again, processes(t, o.DataDir)[process])
	}
	mustStop(t, none)
	if _, err := os.Stat(filepath.Join(o.DataDir, "cloud", "cloud.json")); err != nil {
		t.Error(err)
	}

	_, _, again, same := with(CloudSimulator)
	if diff := cmp.Diff(infra.Spec, again.Spec); diff != "" {
		t.Error("the infrastructure has changed (-before +after)", diff)
	}
	if diff := cmp.Diff(clouds, same); diff != "" {
		t.Error("the credentials have changed (-before +after)", diff)
	}
}
