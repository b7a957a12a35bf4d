//go:build kind

package kind

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// scene is three clusters of two minors, with workers in two of them.
type scene struct {
	red, green, blue *tenant
}

func (s *scene) all() []*tenant { return []*tenant{s.red, s.green, s.blue} }

// TestTenants creates clusters and does with them what happens to clusters in production.
// The parts share them, because there is one machine; each leaves them as it has found
// them.
func TestTenants(t *testing.T) {
	ownClass(t, "green")
	s := &scene{
		red:   createTenant(t, "red", "1.36.4-1", ""),
		green: createTenant(t, "green", "1.37.1-1", "green"),
		blue:  createTenant(t, "blue", "1.37.1-1", ""),
	}
	part := func(name string, run func(*testing.T, *scene)) {
		began := time.Now()
		if !t.Run(name, func(t *testing.T) { run(t, s) }) && name == "creation" {
			t.FailNow()
		}
		t.Logf("%s took %.0f s", name, time.Since(began).Seconds())
	}
	part("creation", testCreation)
	part("workloads", testWorkloads)
	part("isolation", testIsolation)
	part("one worker", testOneWorker)
	part("two workers and disturbances", testTwoWorkers)
	part("deletion", testDeletion)
}

// ownClass makes a HostingClass for one cluster alone, like the default one.
func ownClass(t *testing.T, name string) {
	t.Helper()
	class := &v1alpha1.HostingClass{}
	harness.Check(t, management.client.Get(t.Context(), client.ObjectKey{Name: "default"}, class))
	own := &v1alpha1.HostingClass{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: class.Spec}
	harness.Check(t, management.client.Create(t.Context(), own))
	t.Cleanup(func() {
		ctx, cancel := background(time.Minute)
		defer cancel()
		if err := management.client.Delete(ctx, own); err != nil {
			t.Error(err)
		}
	})
}

func testCreation(t *testing.T, s *scene) {
	for _, tenant := range s.all() {
		t.Run(tenant.name, func(t *testing.T) {
			t.Parallel()
			tenant.awaitUsable(t)
			tenant.awaitReplicas(t)
			info, err := tenant.api.Discovery().ServerVersion()
			harness.Check(t, err)
			if want := "v" + tenant.version[:len(tenant.version)-2]; info.GitVersion != want {
				t.Errorf("it serves %s, want %s", info.GitVersion, want)
			}
		})
	}
}

func testDeletion(t *testing.T, s *scene) {
	for _, tenant := range s.all() {
		t.Run(tenant.name, func(t *testing.T) {
			t.Parallel()
			tenant.delete(t)
		})
	}
}

// testOneWorker joins a machine by kubeadm, and then deletes the cluster with it.
func testOneWorker(t *testing.T, s *scene) {
	newWorkers(t, map[string]string{"red-1": s.red.version})
	s.red.joinByKubeadm(t, "red-1")
	s.red.assertWorks(t, buildBackend(t, t.TempDir()), "red-1")
	s.red.delete(t)
}

// testTwoWorkers joins a machine by user data and one by kubeadm, and disturbs the cluster
// while it works; the third cluster looks on.
func testTwoWorkers(t *testing.T, s *scene) {
	newWorkers(t, map[string]string{"green-1": s.green.version, "green-2": s.green.version})
	s.green.joinByUserData(t, "green-1")
	s.green.joinByKubeadm(t, "green-2")
	_, err := execute(t.Context(), "hack/kind/kind.sh", "worker", "routes", s.green.kubeconfig)
	harness.Check(t, err)
	s.green.assertWorks(t, buildBackend(t, t.TempDir()), "green-1", "green-2")
	t.Run("addresses of the management cluster", func(t *testing.T) { testOtherNetwork(t, s.green) })
	testDisturbances(t, s.green, []*tenant{s.green, s.blue})
}

// assertWorks checks that pods run on the workers, and that they and the API servers reach
// each other.
func (s *tenant) assertWorks(t *testing.T, archive string, workers ...string) {
	t.Helper()
	s.awaitAddons(t)
	s.deployBackend(t, archive, workers...)
	t.Run("network", func(t *testing.T) { s.assertNetwork(t) })
	for what, ask := range s.tunnelled(t) {
		t.Run(what, func(t *testing.T) { harness.Check(t, ask(t.Context())) })
	}
	if t.Failed() {
		t.FailNow()
	}
}
