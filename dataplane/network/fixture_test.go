package network

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	testclock "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/dataplane/project"
	"github.com/marina-dev/marina/e2e/openstacksim"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/apitest"
)

// management is the API server of all tests.
var management *apitest.Server

func TestMain(m *testing.M) {
	apitest.Main(m, &management, nil, clientgoscheme.AddToScheme, v1alpha1.AddToScheme)
}

// world is a cloud with a project in it, and a ClusterNetwork whose Secret has credentials
// for that. The Cluster itself is not there: nothing but a guard asks for it.
type world struct {
	*openstacksim.Simulator
	apitest.Killable
	clock      *testclock.FakeClock
	project    openstacksim.Project
	external   string
	infra      *v1alpha1.Infrastructure
	network    *v1alpha1.ClusterNetwork
	secret     *corev1.Secret
	reconciler *Reconciler
}

var worlds atomic.Int64

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{clock: testclock.NewFakeClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))}
	var err error
	if w.Simulator, err = openstacksim.Start(openstacksim.Options{Clock: w.clock}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	w.project = w.AddProject("tenant")
	w.external = w.AddExternalNetwork("public", "203.0.113.0/24")
	w.SetUp()

	n := worlds.Add(1)
	name, uid := fmt.Sprintf("w%d", n), types.UID(fmt.Sprintf("%08d-7a52-4d9b-9f0c-3b8f2f9a0001", n))
	w.infra = &v1alpha1.Infrastructure{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.InfrastructureSpec{
			AuthURL: w.AuthURL(), Region: openstacksim.Region, CredentialsRef: v1alpha1.LocalReference{Name: name},
			ExternalNetwork: "public", Flavors: []string{"b3-8"},
			Releases: []v1alpha1.InfrastructureRelease{{Release: "1.37.1-1", Image: "node"}},
		},
	}
	w.secret = &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "mine"}}
	w.network = &v1alpha1.ClusterNetwork{
		ObjectMeta: metav1.ObjectMeta{Namespace: "marina-" + name, Name: "network", Finalizers: []string{v1alpha1.ClusterNetworkFinalizer}},
		Spec: v1alpha1.ClusterNetworkSpec{
			ClusterRef:        v1alpha1.ClusterReference{Namespace: name, Name: "shop", UID: uid},
			InfrastructureRef: v1alpha1.LocalReference{Name: name}, CredentialsRef: v1alpha1.LocalReference{Name: "mine"},
			NodeCIDR: "10.250.0.0/22", PodCIDR: "10.244.0.0/16", ServiceCIDR: "10.96.0.0/16",
		},
	}
	w.restart()
	return w
}

// create creates what there is in the management cluster.
func (w *world) create(t testing.TB) *world {
	t.Helper()
	for _, name := range []string{w.secret.Namespace, w.network.Namespace} {
		err := management.Client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
		w.must(t, client.IgnoreAlreadyExists(err))
	}
	w.must(t, management.Client.Create(t.Context(), w.infra))
	w.know(t, w.external)
	w.give(t, w.CloudsYAML(w.project))
	w.must(t, management.Client.Create(t.Context(), w.network))
	return w
}

// know has the Infrastructure know its external network.
func (w *world) know(t testing.TB, external string) {
	t.Helper()
	w.infra.Status.ExternalNetworkID = external
	w.must(t, management.Client.Status().Update(t.Context(), w.infra))
}

// give puts a clouds.yaml into the Secret; an empty one takes the Secret away.
func (w *world) give(t testing.TB, file string) {
	t.Helper()
	management.GiveSecret(t, w.secret, v1alpha1.CloudsKey, file)
}

func (w *world) must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// restart starts a controller that knows nothing of an earlier one.
func (w *world) restart() {
	c := w.Restart(management)
	pool := &openstack.Pool{Timeout: 5 * time.Second, Now: w.clock.Now, Wait: func(context.Context, time.Duration) error { return nil }}
	projects := &project.Opener{Client: c, Live: c, Pool: pool, Now: w.clock.Now}
	w.reconciler = &Reconciler{Client: c, Live: c, Projects: projects, Now: w.clock.Now}
}

// pass is one pass, and reads what came of it, if there is still something. Nothing of it
// may hold a secret.
func (w *world) pass(t testing.TB) (ctrl.Result, error) {
	t.Helper()
	result, err := w.reconciler.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(w.network)})
	w.read(t)
	apitest.WantNoSecret(t, w.network, err, "secret of", w.project.Password)
	return result, err
}

// later is a pass when it is time for one.
func (w *world) later(t testing.TB, after time.Duration) (ctrl.Result, error) {
	t.Helper()
	w.clock.Step(after)
	return w.pass(t)
}

func (w *world) read(t testing.TB) {
	t.Helper()
	w.must(t, client.IgnoreNotFound(management.Client.Get(t.Context(), client.ObjectKeyFromObject(w.network), w.network)))
}

// ready makes passes until the network is.
func (w *world) ready(t testing.TB) *world {
	t.Helper()
	if result, err := w.pass(t); err != nil || result.RequeueAfter != 15*time.Minute {
		t.Fatalf("it looks again after %s, %v; want 15 minutes: %+v", result.RequeueAfter, err, w.network.Status.Conditions)
	}
	w.is(t, "Ready", "True", "AsExpected", "")
	return w
}

// is checks a condition: its status, its reason, and a part of its message.
func (w *world) is(t testing.TB, conditionType, status, reason, words string) {
	t.Helper()
	apitest.WantCondition(t, w.network.Status.Conditions, conditionType, status, reason, words)
}

// dismiss deletes the ClusterNetwork, as the controller of Clusters does.
func (w *world) dismiss(t testing.TB) {
	t.Helper()
	w.must(t, client.IgnoreNotFound(management.Client.Delete(t.Context(), w.network.DeepCopy())))
}

// gone reports whether the ClusterNetwork is.
func (w *world) gone(t testing.TB) bool {
	t.Helper()
	err := management.Client.Get(t.Context(), client.ObjectKeyFromObject(w.network), &v1alpha1.ClusterNetwork{})
	w.must(t, client.IgnoreNotFound(err))
	return apierrors.IsNotFound(err)
}

// neutron is the cloud as somebody in the project uses it.
func (w *world) neutron(t testing.TB) *cloud {
	t.Helper()
	return w.neutronOf(t, w.project)
}

func (w *world) neutronOf(t testing.TB, project openstacksim.Project) *cloud {
	t.Helper()
	credentials, err := openstack.ParseCloudsYAML([]byte(w.CloudsYAML(project)), v1alpha1.CloudName)
	w.must(t, err)
	c, err := (&openstack.Pool{}).Client(t.Context(), openstack.Cloud{AuthURL: w.AuthURL(), Region: openstacksim.Region}, credentials)
	w.must(t, err)
	sc, err := c.Service(t.Context(), openstack.Network)
	w.must(t, err)
	return newCloud(sc, project.ID, w.network.Spec.ClusterRef)
}

// left are the kinds of what was made and is there, with how many there are of each.
func (w *world) left() map[string]int {
	return w.LeftKinds(w.project.ID)
}

// whole is what a network consists of. The port is the router's.
var whole = map[string]int{"network": 1, "subnet": 1, "router": 1, "security group": 1, "port": 1}
