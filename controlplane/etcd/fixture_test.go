package etcd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	certmanager "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	clientv3 "go.etcd.io/etcd/client/v3"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/pki"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// patience is how long a test waits for real processes on a busy machine.
const patience = 3 * time.Minute

// world is an API and one EtcdCluster of three real members, brought up by the
// ClusterReconciler.
type world struct {
	api    client.WithWatch
	runner *runner
	pool   *Pool
	events *events.FakeRecorder
	// reconciler lives as long as a manager does.
	reconciler *ClusterReconciler
}

// cluster is the name of the one EtcdCluster.
const cluster = "default"

func newAPI(objects ...client.Object) client.WithWatch {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, certmanager.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			panic(err)
		}
	}
	b := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).
		WithStatusSubresource(&v1alpha1.EtcdCluster{}, &v1alpha1.EtcdTenant{}, &certmanager.Certificate{})
	for name, index := range Indexes() {
		b = b.WithIndex(&v1alpha1.EtcdTenant{}, name, index)
	}
	return b.Build()
}

func newCluster() *v1alpha1.EtcdCluster {
	return &v1alpha1.EtcdCluster{
		ObjectMeta: metav1.ObjectMeta{Name: cluster, UID: "5d6b7f9e-0000-4000-8000-000000000001", Generation: 1},
		Spec:       v1alpha1.EtcdClusterSpec{Version: "3.7.3", MaxTenants: ptr.To[int32](250), StorageQuota: resource.MustParse("1Gi")},
	}
}

// newWorld starts three members and returns when all of them are: two are enough to
// be Ready, and a third that has never been there is not one that is missed.
func newWorld(change ...func(*v1alpha1.EtcdCluster)) (*world, error) {
	etcd := newCluster()
	for _, c := range change {
		c(etcd)
	}
	w := &world{api: newAPI(etcd), pool: &Pool{}}
	var err error
	if w.runner, err = newRunner(w.api); err != nil {
		return nil, err
	}
	w.events = events.NewFakeRecorder(1000)
	w.reconciler = &ClusterReconciler{Client: w.api, Host: w.runner, Pool: w.pool, events: w.events}
	if err := eventually(func() error {
		if _, err := w.reconcileCluster(); err != nil {
			return err
		}
		conditions := w.cluster().Status.Conditions
		if err := readyError(conditions); err != nil {
			return err
		}
		return want(conditions, v1alpha1.ConditionAvailable, "True", "AsExpected", "")
	}); err != nil {
		return nil, fmt.Errorf("EtcdCluster: %w\n%s", err, w.runner.logs())
	}
	return w, nil
}

func (w *world) stop() {
	w.pool.Close()
	w.runner.stop()
}

func (w *world) reconcileCluster() (ctrl.Result, error) {
	return w.reconciler.Reconcile(context.Background(), ctrl.Request{NamespacedName: types.NamespacedName{Name: cluster}})
}

func (w *world) cluster() *v1alpha1.EtcdCluster {
	c := &v1alpha1.EtcdCluster{}
	if err := w.api.Get(context.Background(), types.NamespacedName{Name: cluster}, c); err != nil {
		panic(err)
	}
	return c
}

// shared is the EtcdCluster of all tests that do it no harm.
var shared struct {
	once sync.Once
	*world
	err error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.world != nil {
		shared.stop()
	}
	os.Exit(code)
}

func sharedWorld(t testing.TB) *world {
	t.Helper()
	shared.once.Do(func() { shared.world, shared.err = newWorld() })
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.world
}

// ownWorld is an EtcdCluster that the test may harm.
func ownWorld(t testing.TB, change ...func(*v1alpha1.EtcdCluster)) *world {
	t.Helper()
	w, err := newWorld(change...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(w.runner.logs())
		}
		w.stop()
	})
	return w
}

// eventually asks again and again until it is so.
func eventually(so func() error) error {
	deadline := time.After(patience)
	for {
		err := so()
		if err == nil {
			return nil
		}
		select {
		case <-deadline:
			return fmt.Errorf("not so after %s: %w", patience, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func readyError(conditions []metav1.Condition) error {
	if reconcile.IsTrue(conditions, v1alpha1.ConditionReady) {
		return nil
	}
	return fmt.Errorf("not Ready: %+v", conditions)
}

// newTenant is an EtcdTenant in a management namespace of its own.
func newTenant(uid string) *v1alpha1.EtcdTenant {
	return &v1alpha1.EtcdTenant{
		ObjectMeta: metav1.ObjectMeta{Namespace: "marina-" + uid, Name: "tenant", UID: types.UID("object-" + uid), Generation: 1},
		Spec:       v1alpha1.EtcdTenantSpec{TenantUID: uid, EtcdClusters: []string{cluster}, ClientSecretName: "etcd-client"},
	}
}

// addTenant places a tenant the way production does.
func (w *world) addTenant(t testing.TB, uid string) *v1alpha1.EtcdTenant {
	t.Helper()
	tenant := newTenant(uid)
	if err := w.api.Create(context.Background(), tenant); err != nil {
		t.Fatal(err)
	}
	if err := w.runTenant(&TenantReconciler{Client: w.api, Pool: w.pool}, tenant); err != nil {
		t.Fatal(err)
	}
	return tenant
}

// runTenant reconciles a tenant until it is Ready.
func (w *world) runTenant(r *TenantReconciler, tenant *v1alpha1.EtcdTenant) error {
	return eventually(func() error {
		key := client.ObjectKeyFromObject(tenant)
		if _, err := r.Reconcile(context.Background(), ctrl.Request{NamespacedName: key}); err != nil {
			return err
		}
		if err := w.api.Get(context.Background(), key, tenant); err != nil {
			return err
		}
		return readyError(tenant.Status.Conditions)
	})
}

// removeTenant deletes a tenant the way production does.
func (w *world) removeTenant(t testing.TB, tenant *v1alpha1.EtcdTenant) {
	t.Helper()
	if err := w.api.Delete(context.Background(), tenant); err != nil {
		t.Fatal(err)
	}
	if err := w.runDeletion(&TenantReconciler{Client: w.api, Pool: w.pool}, tenant); err != nil {
		t.Fatal(err)
	}
}

// runDeletion reconciles a deleted tenant until it is gone.
func (w *world) runDeletion(r *TenantReconciler, tenant *v1alpha1.EtcdTenant) error {
	return eventually(func() error {
		key := client.ObjectKeyFromObject(tenant)
		if _, err := r.Reconcile(context.Background(), ctrl.Request{NamespacedName: key}); err != nil {
			return err
		}
		err := w.api.Get(context.Background(), key, tenant)
		if err == nil {
			return errors.New("the EtcdTenant is still there")
		}
		return client.IgnoreNotFound(err)
	})
}

// pair reads a key pair, and whom its holder trusts, out of a Secret.
func (w *world) pair(t testing.TB, key types.NamespacedName) (pair pki.KeyPair, ca []byte) {
	t.Helper()
	secret := &corev1.Secret{}
	if err := w.api.Get(context.Background(), key, secret); err != nil {
		t.Fatal(err)
	}
	return pki.FromSecretData(secret.Data)
}

// tenantPair is what the API servers of a tenant present.
func (w *world) tenantPair(t testing.TB, tenant *v1alpha1.EtcdTenant) pki.KeyPair {
	t.Helper()
	pair, _ := w.pair(t, types.NamespacedName{Namespace: tenant.Namespace, Name: "etcd-client"})
	return pair
}

// open is a client that presents a pair.
func (w *world) open(t testing.TB, pair pki.KeyPair) *clientv3.Client {
	t.Helper()
	_, ca := w.pair(t, secretKey(cluster, "root"))
	c, err := dial(Connection{Endpoints: w.cluster().Status.Endpoints, Pair: pair, CA: ca})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// root is the administrator's client.
func (w *world) root(t testing.TB) *clientv3.Client {
	t.Helper()
	pair, _ := w.pair(t, secretKey(cluster, "root"))
	return w.open(t, pair)
}

// soon is the context of one request of a test.
func soon(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func requestFor(obj client.Object) ctrl.Request {
	return ctrl.Request{NamespacedName: client.ObjectKeyFromObject(obj)}
}

// ready reports whether the API says that a tenant is Ready.
func (w *world) ready(t testing.TB, tenant *v1alpha1.EtcdTenant) bool {
	t.Helper()
	if err := w.api.Get(context.Background(), client.ObjectKeyFromObject(tenant), tenant); err != nil {
		t.Fatal(err)
	}
	return reconcile.IsTrue(tenant.Status.Conditions, v1alpha1.ConditionReady)
}
