package infrastructure

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	testclock "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/e2e/openstacksim"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/apitest"
)

// management is the API server of all tests.
var management *apitest.Server

func TestMain(m *testing.M) {
	apitest.Main(m, &management, func() error {
		return management.Client.Create(context.Background(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.SystemNamespace}})
	}, clientgoscheme.AddToScheme, v1alpha1.AddToScheme)
}

// world is a cloud, with a project, and an Infrastructure that it has everything of.
type world struct {
	*openstacksim.Simulator
	clock      *testclock.FakeClock
	project    openstacksim.Project
	image      string
	large      string
	external   string
	infra      *v1alpha1.Infrastructure
	reconciler *Reconciler
	releases   []string

	mu     sync.Mutex
	waited int
}

const release = "1.37.1-1"

func newWorld(t *testing.T, o openstacksim.Options) *world {
	t.Helper()
	w := &world{clock: testclock.NewFakeClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)), releases: []string{release}}
	o.Clock = w.clock
	var err error
	if w.Simulator, err = openstacksim.Start(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	w.project = w.AddProject("platform", "reader")
	w.large = w.AddFlavor("b3-8", 2, 8192, 50)
	w.AddFlavor("tiny", 1, 1024, 10)
	w.image = w.AddImage("node-1.37.1", nil)
	w.external = w.AddExternalNetwork("public", "203.0.113.0/24")
	w.AddVolumeType("ssd")
	pool := &openstack.Pool{Timeout: 5 * time.Second, Wait: func(context.Context, time.Duration) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.waited++
		return nil
	}}
	w.reconciler = &Reconciler{Client: management.Client, Pool: pool}
	name := strings.ToLower(strings.NewReplacer("/", "-", "_", "-", ",", "", "'", "", "#", "").Replace(t.Name()))
	name = strings.Trim(name[max(0, len(name)-50):], "-0123456789")
	w.infra = &v1alpha1.Infrastructure{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.InfrastructureSpec{
			AuthURL: w.AuthURL(), Region: openstacksim.Region, CredentialsRef: v1alpha1.LocalReference{Name: name},
			ExternalNetwork: "public", Flavors: []string{"b3-8"},
			Releases: []v1alpha1.InfrastructureRelease{{Release: release, Image: "node-1.37.1"}},
		},
	}
	return w
}

// create creates the Infrastructure and what it names in the management cluster.
func (w *world) create(t testing.TB) {
	t.Helper()
	ensureRelease(t, release)
	w.give(t, w.CloudsYAML(w.project))
	if err := management.Client.Create(t.Context(), w.infra); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, o := range []client.Object{w.infra, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: w.infra.Name}}} {
			if err := management.Client.Delete(context.Background(), o); client.IgnoreNotFound(err) != nil {
				t.Error(err)
			}
		}
	})
}

func ensureRelease(t testing.TB, name string) {
	t.Helper()
	r := &v1alpha1.KubernetesRelease{ObjectMeta: metav1.ObjectMeta{Name: name}}
	r.Spec.SupportedUntil = "2027-10-28"
	r.Spec.KubeletConfiguration.Raw = []byte(`{"kind": "KubeletConfiguration"}`)
	if err := management.Client.Create(t.Context(), r); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
}

// give puts a clouds.yaml into the Secret; an empty one takes the Secret away.
func (w *world) give(t testing.TB, file string) {
	t.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{
		Namespace: v1alpha1.SystemNamespace, Name: w.infra.Name, Labels: map[string]string{v1alpha1.LabelShard: v1alpha1.DefaultShard},
	}}
	management.GiveSecret(t, secret, v1alpha1.CloudsKey, file)
}

// pass is one pass, and reads what came of it. Nothing of it may hold a secret.
func (w *world) pass(t testing.TB) (ctrl.Result, error) {
	t.Helper()
	result, err := w.reconciler.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(w.infra)})
	w.read(t)
	apitest.WantNoSecret(t, w.infra, err, "secret of", w.project.Password)
	return result, err
}

func (w *world) read(t testing.TB) {
	t.Helper()
	if err := management.Client.Get(t.Context(), client.ObjectKeyFromObject(w.infra), w.infra); err != nil {
		t.Fatal(err)
	}
}

// is checks a condition: its status, its reason, and a part of its message.
func (w *world) is(t testing.TB, conditionType, status, reason, words string) {
	t.Helper()
	apitest.WantCondition(t, w.infra.Status.Conditions, conditionType, status, reason, words)
}

// quiet makes another pass, which must write nothing.
func (w *world) quiet(t testing.TB) {
	t.Helper()
	before := w.infra.ResourceVersion
	_, _ = w.pass(t)
	if w.infra.ResourceVersion != before {
		t.Errorf("a second pass writes: %+v", w.infra.Status)
	}
}
