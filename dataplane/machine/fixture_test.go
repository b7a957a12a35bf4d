package machine

import (
	"context"
	"fmt"
	"net/http"
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
	apitest.Main(m, &management, unlimited, clientgoscheme.AddToScheme, v1alpha1.AddToScheme)
}

// unlimited takes away the limit of requests: the tests make many lives.
func unlimited() (err error) {
	management.Config.QPS = -1
	management.Client, err = client.New(management.Config, client.Options{Scheme: management.Scheme})
	return err
}

const flavorName = "b3-8"

// world is a cloud with a project in it, a ClusterNetwork that is ready, and Machines. The
// test plays the control plane, see play.
type world struct {
	*openstacksim.Simulator
	apitest.Killable
	clock      *testclock.FakeClock
	project    openstacksim.Project
	external   string
	flavor     string
	image      string
	infra      *v1alpha1.Infrastructure
	network    *v1alpha1.ClusterNetwork
	secret     *corev1.Secret
	machines   []*v1alpha1.Machine
	reconciler *Reconciler
	// noJoin keeps nodes from becoming Ready.
	noJoin bool
	// unheard keeps what the tenant tells of its nodes from being heard.
	unheard bool
	// wrap is what the controller's requests to the cloud go through, if it is not nil.
	wrap func(http.RoundTripper) http.RoundTripper
}

var worlds atomic.Int64

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{clock: testclock.NewFakeClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))}
	var err error
	w.Simulator, err = openstacksim.Start(openstacksim.Options{Clock: w.clock, BuildTime: 30 * time.Second, ActionTime: 30 * time.Second, DeleteTime: 2 * time.Second})
	w.must(t, err)
	t.Cleanup(w.Close)
	w.project = w.AddProject("tenant")
	w.external = w.AddExternalNetwork("public", "203.0.113.0/24")
	w.flavor, w.image = w.AddFlavor(flavorName, 4, 8192, 50), w.AddImage("node", nil)
	w.AddVolumeType("ssd")
	network, subnet := w.AddNetwork(w.project.ID, "nodes", "10.250.0.0/22")

	n := worlds.Add(1)
	name, uid := fmt.Sprintf("w%d", n), types.UID(fmt.Sprintf("%08d-7a52-4d9b-9f0c-3b8f2f9a0001", n))
	w.infra = &v1alpha1.Infrastructure{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.InfrastructureSpec{
			AuthURL: w.AuthURL(), Region: openstacksim.Region, CredentialsRef: v1alpha1.LocalReference{Name: name},
			ExternalNetwork: "public", Flavors: []string{flavorName},
			Releases: []v1alpha1.InfrastructureRelease{{Release: "1.37.1-1", Image: "node"}},
		},
	}
	status := v1alpha1.InfrastructureStatus{
		ExternalNetworkID: w.external,
		Images:            []v1alpha1.InfrastructureImage{{Release: "1.37.1-1", ID: w.image}},
		Flavors:           []v1alpha1.InfrastructureFlavor{{Name: flavorName, ID: w.flavor, VCPUs: 4, MemoryMiB: 8192, DiskGiB: 50}},
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
	for _, name := range []string{w.secret.Namespace, w.network.Namespace} {
		err := management.Client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
		w.must(t, client.IgnoreAlreadyExists(err))
	}
	w.must(t, management.Client.Create(t.Context(), w.infra))
	w.infra.Status = status
	w.must(t, management.Client.Status().Update(t.Context(), w.infra))
	w.give(t, w.CloudsYAML(w.project))
	w.must(t, management.Client.Create(t.Context(), w.network))
	w.network.Status = v1alpha1.ClusterNetworkStatus{
		ProjectID: w.project.ID, NetworkID: network, SubnetID: subnet, CIDR: "10.250.0.0/22", NodeSecurityGroupID: w.makeGroup(t),
		Conditions: []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: "AsExpected", LastTransitionTime: metav1.Now()}},
	}
	w.must(t, management.Client.Status().Update(t.Context(), w.network))
	w.SetUp()
	w.ResetCalls()
	w.restart()
	return w
}

// machine creates a Machine, as its pool does.
func (w *world) machine(t testing.TB, change ...func(*v1alpha1.Machine)) *v1alpha1.Machine {
	t.Helper()
	m := &v1alpha1.Machine{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: w.network.Namespace, Name: fmt.Sprintf("shop-web-%d", len(w.machines)),
			Finalizers: []string{v1alpha1.MachineFinalizer, v1alpha1.NodeFinalizer},
		},
		Spec: v1alpha1.MachineSpec{
			ClusterRef: w.network.Spec.ClusterRef, PoolRef: v1alpha1.PoolReference{Name: "web", UID: "11111111-7a52-4d9b-9f0c-3b8f2f9a0001"},
			Template:               v1alpha1.MachineTemplate{Release: "1.37.1-1", Flavor: flavorName},
			Labels:                 map[string]string{v1alpha1.LabelPool: "web"},
			Taints:                 []v1alpha1.Taint{{Key: "web", Effect: corev1.TaintEffectNoSchedule}},
			CreationTimeoutSeconds: 1800,
		},
	}
	for _, c := range change {
		c(m)
	}
	w.must(t, management.Client.Create(t.Context(), m))
	w.machines = append(w.machines, m)
	return m
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
	pool := &openstack.Pool{Timeout: 5 * time.Second, Now: w.clock.Now, Wrap: w.wrap, Wait: func(context.Context, time.Duration) error { return nil }}
	projects := &project.Opener{Client: c, Live: c, Pool: pool, Now: w.clock.Now}
	w.reconciler = &Reconciler{Client: c, Live: c, Projects: projects, Now: w.clock.Now}
}

// pass is one pass over a Machine, and reads what came of it, if there is still something.
// Nothing of it may hold a secret.
func (w *world) pass(t testing.TB, m *v1alpha1.Machine) (ctrl.Result, error) {
	t.Helper()
	result, err := w.reconciler.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(m)})
	w.read(t, m)
	apitest.WantNoSecret(t, m, err, "secret of", w.project.Password)
	return result, err
}

func (w *world) read(t testing.TB, m *v1alpha1.Machine) {
	t.Helper()
	w.must(t, client.IgnoreNotFound(management.Client.Get(t.Context(), client.ObjectKeyFromObject(m), m)))
}

// round is a pass over each Machine and a turn of the control plane, twice, as events would
// have it, and a time that goes by.
func (w *world) round(t testing.TB, after time.Duration) {
	t.Helper()
	for range 2 {
		for _, m := range w.machines {
			_, _ = w.pass(t, m)
		}
		w.play(t)
	}
	w.clock.Step(after)
}

// is checks a condition: its status, its reason, and a part of its message.
func (w *world) is(t testing.TB, m *v1alpha1.Machine, conditionType, status, reason, words string) {
	t.Helper()
	apitest.WantCondition(t, m.Status.Conditions, conditionType, status, reason, words)
}

// dismiss deletes a Machine, as its pool does.
func (w *world) dismiss(t testing.TB, m *v1alpha1.Machine) {
	t.Helper()
	w.must(t, client.IgnoreNotFound(management.Client.Delete(t.Context(), m.DeepCopy())))
}

// gone reports whether a Machine is.
func (w *world) gone(t testing.TB, m *v1alpha1.Machine) bool {
	t.Helper()
	err := management.Client.Get(t.Context(), client.ObjectKeyFromObject(m), &v1alpha1.Machine{})
	w.must(t, client.IgnoreNotFound(err))
	return apierrors.IsNotFound(err)
}

// left are the kinds of what was made and is there, with how many there are of each.
func (w *world) left() map[string]int {
	return w.LeftKinds(w.project.ID)
}
