package etcd

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	certmanager "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/apitest"
)

func conditionsOf(obj client.Object) *[]metav1.Condition {
	if etcd, ok := obj.(*v1alpha1.EtcdCluster); ok {
		return &etcd.Status.Conditions
	}
	return &obj.(*v1alpha1.EtcdTenant).Status.Conditions
}

// TestManager runs both reconcilers as the product does, against a real API
// server: with the CRDs, with caches limited to our label, and woken by nothing but
// events. No step of it may need a second push.
func TestManager(t *testing.T) {
	api, mgr := startAPI(t)
	ctx := context.Background()
	_, step := runMembers(t, api, mgr, "marina-one", "marina-two")

	one, two := newTenant("one"), newTenant("two")
	etcd := newCluster()
	for _, obj := range []client.Object{one, etcd} {
		obj.SetUID("")
		if err := api.Create(ctx, obj); err != nil {
			t.Fatal(err)
		}
	}
	at := client.ObjectKeyFromObject

	step("a tenant that came before its EtcdCluster is ready", func() error {
		if err := api.Get(ctx, at(one), one); err != nil {
			return err
		}
		return readyError(one.Status.Conditions)
	})
	step("it is counted", func() error {
		if err := api.Get(ctx, at(etcd), etcd); err != nil || etcd.Status.Tenants != 1 {
			return fmt.Errorf("%d tenants, %w", etcd.Status.Tenants, err)
		}
		return want(etcd.Status.Conditions, "Available", "True", "AsExpected", "")
	})
	// As a pass leaves it that has taken an older status from the cache for what is.
	for name, obj := range map[string]client.Object{"EtcdCluster": etcd, "EtcdTenant": one} {
		before := obj.DeepCopyObject().(client.Object)
		meta.SetStatusCondition(conditionsOf(obj), metav1.Condition{Type: "Ready", Status: metav1.ConditionFalse, Reason: "Outdated"})
		if err := api.Status().Patch(ctx, obj, client.MergeFrom(before)); err != nil {
			t.Fatal(err)
		}
		step("an outdated status is put right: "+name, func() error {
			if err := api.Get(ctx, at(obj), obj); err != nil {
				return err
			}
			return readyError(*conditionsOf(obj))
		})
	}
	for _, key := range []types.NamespacedName{secretKey(cluster, "root"), {Namespace: "marina-one", Name: "etcd-client"}} {
		secret := &corev1.Secret{}
		if err := api.Get(ctx, key, secret); err != nil {
			t.Fatal(err)
		}
		lost := secret.UID
		if err := api.Delete(ctx, secret); err != nil {
			t.Fatal(err)
		}
		step("lost, made again: "+key.String(), func() error {
			if err := api.Get(ctx, key, secret); err != nil || secret.UID == lost {
				return fmt.Errorf("it is %s, %w", secret.UID, err)
			}
			return nil
		})
	}

	if err := api.Delete(ctx, etcd); err != nil {
		t.Fatal(err)
	}
	step("the EtcdCluster waits for its tenant", func() error {
		if err := api.Get(ctx, at(etcd), etcd); err != nil {
			return err
		}
		return want(etcd.Status.Conditions, "Deleting", "Unknown", "TenantsPlaced", "marina-one/tenant")
	})
	two.SetUID("")
	if err := api.Create(ctx, two); err != nil {
		t.Fatal(err)
	}
	step("nobody comes any more", func() error {
		if err := api.Get(ctx, at(two), two); err != nil || two.Status.EtcdCluster != "" {
			return fmt.Errorf("placed on %q, %w", two.Status.EtcdCluster, err)
		}
		return want(two.Status.Conditions, "Ready", "Unknown", "WaitingForEtcdCluster", "")
	})
	for _, obj := range []client.Object{two, one} {
		if err := api.Delete(ctx, obj); err != nil {
			t.Fatal(err)
		}
	}
	for _, obj := range []client.Object{two, one, etcd} {
		step(fmt.Sprintf("%T %s is gone", obj, obj.GetNamespace()), func() error {
			if err := api.Get(ctx, at(obj), obj); !apierrors.IsNotFound(err) {
				return fmt.Errorf("still there, %w", err)
			}
			return nil
		})
	}
	left := &corev1.SecretList{}
	if err := api.List(ctx, left, client.InNamespace("marina-system")); err != nil || len(left.Items) > 0 {
		t.Errorf("%d Secrets left, %v", len(left.Items), err)
	}
}

// startAPI starts an API server with our CRDs, and makes a manager for it.
func startAPI(t testing.TB) (client.Client, ctrl.Manager) {
	t.Helper()
	ctrl.SetLogger(logr.Discard())
	env, err := apitest.Environment(apitest.Newest)
	if err != nil {
		t.Fatal(err)
	}
	env.CRDDirectoryPaths, env.ErrorIfCRDPathMissing = []string{filepath.Join("..", "..", "manifests", "crds")}, true
	management, err := env.Start()
	t.Cleanup(func() { _ = env.Stop() })
	if err != nil {
		t.Fatal(err)
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, certmanager.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	api, err := client.New(management, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	mgr, err := ctrl.NewManager(management, ctrl.Options{
		Scheme:  scheme,
		Metrics: server.Options{BindAddress: "0"},
		// Another test has a manager with the same controllers.
		Controller: config.Controller{SkipNameValidation: ptr.To(true)},
		Cache:      apitest.SecretsOfShard(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return api, mgr
}

// runMembers starts both reconcilers, with members on this machine, in a management
// cluster that has the namespaces. What it returns as step waits for something with a name.
func runMembers(t testing.TB, api client.Client, mgr ctrl.Manager, namespaces ...string) (members *runner, step func(what string, so func() error)) {
	t.Helper()
	for _, name := range append([]string{"marina-system"}, namespaces...) {
		if err := api.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
			t.Fatal(err)
		}
	}
	members, err := newRunner(api)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(members.stop)
	startControllers(t, mgr, members)
	return members, func(what string, so func() error) {
		t.Helper()
		started := time.Now()
		if err := eventually(so); err != nil {
			t.Fatalf("%s: %v\n%s", what, err, members.logs())
		}
		t.Logf("%s: after %s", what, time.Since(started).Round(10*time.Millisecond))
	}
}

// startControllers starts both reconcilers, until the test ends.
func startControllers(t testing.TB, mgr ctrl.Manager, members *runner) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	pool := &Pool{}
	if err := AddIndexes(ctx, mgr); err != nil {
		t.Fatal(err)
	}
	if err := (&ClusterReconciler{Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Host: members, Pool: pool}).SetupWithManager(mgr); err != nil {
		t.Fatal(err)
	}
	if err := (&TenantReconciler{Client: mgr.GetClient(), Pool: pool}).SetupWithManager(mgr); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("manager: %v", err)
		}
		pool.Close()
	})
}
