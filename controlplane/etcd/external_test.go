package etcd

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/controlplane/host"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/pki"
)

// noHost must not be asked for anything.
type noHost struct{ host.Host }

// TestExternal uses the members of another EtcdCluster as an etcd that somebody else
// runs: a tenant gets its place there and gives it back, and the rest stays.
func TestExternal(t *testing.T) {
	w := sharedWorld(t)
	ctx := context.Background()
	outside := &v1alpha1.EtcdCluster{ObjectMeta: metav1.ObjectMeta{Name: "outside", UID: "outside", Generation: 1}}
	outside.Spec.External = &v1alpha1.ExternalEtcd{
		Endpoints:         w.cluster().Status.Endpoints,
		ClientCASecretRef: v1alpha1.LocalReference{Name: "outside-ca"},
		RootSecretRef:     v1alpha1.LocalReference{Name: "outside-root"},
	}
	if err := w.api.Create(ctx, outside); err != nil {
		t.Fatal(err)
	}
	key := client.ObjectKeyFromObject(outside)
	r := &ClusterReconciler{Client: w.api, Host: noHost{}, Pool: w.pool, events: w.events}
	pass := func() {
		t.Helper()
		if _, err := r.Reconcile(ctx, ctrl.Request{NamespacedName: key}); err != nil {
			t.Fatal(err)
		}
		if err := w.api.Get(ctx, key, outside); client.IgnoreNotFound(err) != nil {
			t.Fatal(err)
		}
	}
	check := func(conditionType, status, reason, says string) {
		t.Helper()
		if err := want(outside.Status.Conditions, conditionType, status, reason, says); err != nil {
			t.Error(err)
		}
	}

	pass()
	check("SpecAccepted", "False", "SecretNotFound", "has not the label marina.dev/shard=default: create it")
	check("Ready", "False", "SecretNotFound", "")
	put := func(name, from string, keys ...string) {
		t.Helper()
		source := &corev1.Secret{}
		if err := w.api.Get(ctx, secretKey(cluster, from), source); err != nil {
			t.Fatal(err)
		}
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "marina-system", Name: name}, Data: map[string][]byte{}}
		for _, key := range keys {
			secret.Data[key] = source.Data[key]
		}
		_ = w.api.Delete(ctx, secret)
		if err := w.api.Create(ctx, secret); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = w.api.Delete(ctx, secret) })
	}
	put("outside-ca", "ca", "tls.crt", "tls.key")
	put("outside-root", "root", "tls.crt", "tls.key")
	pass()
	check("SpecAccepted", "False", "SecretIncomplete", "marina-system/outside-root has no ca.crt: add it")
	put("outside-root", "root", "tls.crt", "tls.key", "ca.crt")
	pass()
	for _, conditionType := range []string{"SpecAccepted", "Ready", "Available", "StorageAvailable"} {
		check(conditionType, "True", "AsExpected", "")
	}
	if outside.Status.ReadyMembers != 3 || len(outside.Status.Members) > 0 {
		t.Errorf("status %+v, want three ready members and none that Marina runs", outside.Status)
	}
	version := outside.ResourceVersion
	if pass(); outside.ResourceVersion != version {
		t.Error("a second pass wrote something")
	}

	tenant := newTenant("outsider")
	tenant.Spec.EtcdClusters = []string{"outside"}
	if err := w.api.Create(ctx, tenant); err != nil {
		t.Fatal(err)
	}
	if err := w.runTenant(&TenantReconciler{Client: w.api, Pool: w.pool}, tenant); err != nil {
		t.Fatal(err)
	}
	secret := &corev1.Secret{}
	if err := w.api.Get(ctx, types.NamespacedName{Namespace: tenant.Namespace, Name: "etcd-client"}, secret); err != nil {
		t.Fatal(err)
	}
	pair, ca := pki.FromSecretData(secret.Data)
	if _, root := w.pair(t, secretKey(cluster, "root")); !cmp.Equal(ca, root) {
		t.Error("the tenant does not trust whom the administrator trusts")
	}
	c := w.open(t, pair)
	if _, err := c.Put(soon(t), "/outsider/key", ""); err != nil {
		t.Errorf("writing with its certificate: %v", err)
	}
	if _, err := c.Put(soon(t), "/outside/key", ""); !denied(err) {
		t.Errorf("writing elsewhere: %v, want permission denied", err)
	}
	w.removeTenant(t, tenant)

	if err := w.api.Delete(ctx, outside); err != nil {
		t.Fatal(err)
	}
	if pass(); !apierrors.IsNotFound(w.api.Get(ctx, key, outside)) {
		t.Errorf("still there: %+v", outside)
	}
	for _, name := range []string{"outside-ca", "outside-root"} {
		if err := w.api.Get(ctx, types.NamespacedName{Namespace: "marina-system", Name: name}, secret); err != nil {
			t.Errorf("a Secret that somebody else made is gone: %v", err)
		}
	}
	if status := w.runner.ask(ctx); status.Ready != component.EtcdReplicas {
		t.Errorf("%d members are ready: they are not Marina's to stop", status.Ready)
	}
}

func TestExternalThatDoesNotDo(t *testing.T) {
	for name, tc := range map[string]struct {
		asked  []Member
		reason string
	}{
		"NewEnough":        {asked: []Member{{Version: "3.6.13"}, {Version: "3.7.3"}}},
		"NotAllAnswer":     {asked: []Member{{Version: "3.6.13"}, {}}},
		"OneIsTooOld":      {asked: []Member{{Version: "3.7.3"}, {Version: "3.6.12"}}, reason: "VersionTooOld"},
		"OldByNumbers":     {asked: []Member{{Version: "3.6.9"}}, reason: "VersionTooOld"},
		"SomethingStrange": {asked: []Member{{Version: "latest"}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &clusterScope{survey: &survey{asked: tc.asked}}
			checkError(t, (&ClusterReconciler{}).checkVersions(context.Background(), s), tc.reason, 2)
		})
	}
}
