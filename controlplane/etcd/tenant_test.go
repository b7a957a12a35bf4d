package etcd

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/etcd/api/v3/authpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/pki"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// TestUnchangedObjectsAreNotWritten: a pass over what is as it should be writes
// nothing, neither to the API nor to etcd.
func TestUnchangedObjectsAreNotWritten(t *testing.T) {
	w := sharedWorld(t)
	tenant := w.addTenant(t, "f")
	t.Cleanup(func() { w.removeTenant(t, tenant) })
	root := w.root(t)
	state := func() (revisions [2]int64) {
		store, err := root.Get(soon(t), "/f/", clientv3.WithCountOnly())
		if err != nil {
			t.Fatal(err)
		}
		auth, err := root.AuthStatus(soon(t))
		if err != nil {
			t.Fatal(err)
		}
		return [2]int64{store.Header.Revision, int64(auth.AuthRevision)}
	}
	if _, err := w.reconcileCluster(); err != nil {
		// It counts the tenant.
		t.Fatal(err)
	}
	before := state()

	r, calls := w.process(t, 0)
	for range 2 {
		result, err := r.Reconcile(context.Background(), requestFor(tenant))
		if err != nil {
			t.Fatal(err)
		}
		if result.RequeueAfter != time.Hour {
			t.Errorf("looks again after %s, want an hour, for a clock that jumps", result.RequeueAfter)
		}
	}
	want := []string{"/etcdserverpb.Auth/AuthStatus", "/etcdserverpb.Auth/RoleGet", "/etcdserverpb.Auth/UserGet", "/etcdserverpb.Auth/RoleGet", "/etcdserverpb.Auth/UserGet"}
	if diff := cmp.Diff(want, calls.calls); diff != "" {
		t.Errorf("calls of two passes over a tenant (-want +got):\n%s", diff)
	}

	cluster := &ClusterReconciler{Client: r.Client, Host: w.runner, Pool: r.Pool}
	const status, members, auth = "/etcdserverpb.Maintenance/Status", "/etcdserverpb.Cluster/MemberList", "/etcdserverpb.Auth/AuthStatus"
	// The second follows at once, as when a tenant comes.
	for i, want := range [][]string{{status, status, status, members, auth}, {auth}} {
		calls.calls = nil
		if result, err := cluster.Reconcile(context.Background(), requestFor(newCluster())); err != nil || result.RequeueAfter != time.Minute {
			t.Errorf("%+v, %v; want it to rest for a minute", result, err)
		}
		if diff := cmp.Diff(want, calls.calls); diff != "" {
			t.Errorf("calls of pass %d over the EtcdCluster (-want +got):\n%s", i, diff)
		}
	}
	if after := state(); after != before {
		t.Errorf("revisions of store and permissions went from %v to %v", before, after)
	}
}

// TestTenantSecret: what an API server mounts, and no more.
func TestTenantSecret(t *testing.T) {
	w := sharedWorld(t)
	tenant := w.addTenant(t, "0f0f1a11-4c2a-4f57-8d0f-4e7c9f6e00aa")
	t.Cleanup(func() { w.removeTenant(t, tenant) })
	secret := &corev1.Secret{}
	if err := w.api.Get(context.Background(), types.NamespacedName{Namespace: tenant.Namespace, Name: "etcd-client"}, secret); err != nil {
		t.Fatal(err)
	}
	var keys []string
	for key := range secret.Data {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	if want := []string{"ca.crt", "tls.crt", "tls.key"}; !slices.Equal(keys, want) {
		t.Errorf("keys %v, want %v", keys, want)
	}
	if secret.Labels["marina.dev/shard"] != "default" {
		t.Errorf("labels %v: without marina.dev/shard the managers' caches do not see it", secret.Labels)
	}
	if !metav1.IsControlledBy(secret, tenant) {
		t.Errorf("owners %v, want the EtcdTenant", secret.OwnerReferences)
	}
	pair, _ := pki.FromSecretData(secret.Data)
	cert, err := pair.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	if cert.Subject.String() != "CN=0f0f1a11-4c2a-4f57-8d0f-4e7c9f6e00aa" || len(cert.DNSNames)+len(cert.IPAddresses) > 0 {
		t.Errorf("certificate of %q for %v %v, want the UID and nothing else", cert.Subject, cert.DNSNames, cert.IPAddresses)
	}
}

// TestAccessIsMadeGood: whatever somebody did to user and role, a pass leaves
// exactly the one permission.
func TestAccessIsMadeGood(t *testing.T) {
	w := sharedWorld(t)
	root := w.root(t)
	tenant, other := w.addTenant(t, "g"), w.addTenant(t, "g0")
	t.Cleanup(func() { w.removeTenant(t, tenant); w.removeTenant(t, other) })
	want := authState(t, root)

	for name, harm := range map[string]func() error{
		"RoleGone":       func() error { _, err := root.RoleDelete(soon(t), "g"); return err },
		"UserGone":       func() error { _, err := root.UserDelete(soon(t), "g"); return err },
		"RightGone":      func() error { _, err := root.UserRevokeRole(soon(t), "g", "g"); return err },
		"RightTooMuch":   func() error { _, err := root.UserGrantRole(soon(t), "g", "g0"); return err },
		"RightOfRoot":    func() error { _, err := root.UserGrantRole(soon(t), "g", "root"); return err },
		"PermissionGone": func() error { _, err := root.RoleRevokePermission(soon(t), "g", "/g/", "/g0"); return err },
		"OnlyRead":       func() error { return grant(t, root, "g", "/g/", "/g0", clientv3.PermRead) },
		"OpenEnd":        func() error { return grant(t, root, "g", "/g/", "\x00", clientv3.PermReadWrite) },
		"OneKeyMore":     func() error { return grant(t, root, "g", "/g0", "", clientv3.PermRead) },
	} {
		t.Run(name, func(t *testing.T) {
			if err := harm(); err != nil {
				t.Fatal(err)
			}
			if cmp.Equal(want, authState(t, root)) {
				t.Fatal("the harm did nothing")
			}
			if _, err := (&TenantReconciler{Client: w.api, Pool: w.pool}).Reconcile(context.Background(), requestFor(tenant)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, authState(t, root)); diff != "" {
				t.Errorf("users and roles (-want +got):\n%s", diff)
			}
		})
	}
}

func grant(t testing.TB, root *clientv3.Client, role, key, end string, p authpb.Permission_Type) error {
	t.Helper()
	_, err := root.RoleGrantPermission(soon(t), role, key, end, clientv3.PermissionType(p))
	return err
}

// TestDeletionTellsHowFarItIs: one that takes longer than a pass may goes on in the
// next, and says how much is left.
func TestDeletionTellsHowFarItIs(t *testing.T) {
	w := sharedWorld(t)
	tenant := w.addTenant(t, "h")
	fill(t, w.open(t, w.tenantPair(t, tenant)), "h", 5)
	admin, err := connect(context.Background(), w.api, &Pool{}, w.cluster())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = admin.client.Close() })
	admin.pageSize = 2
	var seen []int64
	for {
		left, err := admin.deletePage(soon(t), "h")
		if err != nil {
			t.Fatal(err)
		}
		if seen = append(seen, left); left == 0 {
			break
		}
	}
	// The last page with keys cannot know that nothing has come after it.
	if want := []int64{3, 1, 1, 0}; !slices.Equal(seen, want) {
		t.Errorf("keys left after each page: %v, want %v", seen, want)
	}
	w.removeTenant(t, tenant)
}

// TestPlacementOfABurst: of many tenants that come at once, each must see the ones
// before it, although the cache does not show them yet.
func TestPlacementOfABurst(t *testing.T) {
	var objects []client.Object
	for _, name := range []string{"one", "two", "three"} {
		c := newCluster()
		c.Name, c.UID, c.Spec.MaxTenants = name, types.UID(name), ptr.To[int32](4)
		c.Status.Conditions = []metav1.Condition{{Type: "Ready", Status: metav1.ConditionTrue}}
		objects = append(objects, c)
	}
	cache := newAPI(objects...)
	var p placements
	var mu sync.Mutex
	got := map[string]int{}
	var group sync.WaitGroup
	for i := range 13 {
		tenant := newTenant(fmt.Sprintf("burst-%d", i))
		tenant.Spec.EtcdClusters = []string{"one", "two", "three", "missing"}
		group.Go(func() {
			name, err := p.choose(context.Background(), cache, tenant)
			if err == nil {
				// Asked again, it must not move.
				if again, err := p.choose(context.Background(), cache, tenant); again != name || err != nil {
					t.Errorf("%s: %q first and then %q (%v)", tenant.Name, name, again, err)
				}
			} else {
				name = reconcile.As(err).Reason
			}
			mu.Lock()
			defer mu.Unlock()
			got[name]++
		})
	}
	group.Wait()
	if want := map[string]int{"one": 4, "two": 4, "three": 4, "EtcdClustersFull": 1}; !cmp.Equal(want, got) {
		t.Errorf("placed %v, want %v", got, want)
	}
}

// TestTenantRefusals are what a person has to see to, without any etcd.
func TestTenantRefusals(t *testing.T) {
	ready := newCluster()
	ready.Status.Conditions = []metav1.Condition{{Type: "Ready", Status: metav1.ConditionTrue}}
	waiting, full, noSpace := newCluster(), ready.DeepCopy(), ready.DeepCopy()
	full.Spec.MaxTenants = ptr.To[int32](1)
	noSpace.Status.Conditions = append(noSpace.Status.Conditions, metav1.Condition{Type: "StorageAvailable", Status: metav1.ConditionFalse})
	placed := newTenant("twin")
	placed.Namespace, placed.UID, placed.Status.EtcdCluster = "elsewhere", "first", cluster
	lost := newTenant("x")
	lost.Status.EtcdCluster = cluster
	root := newTenant("x")
	root.Spec.TenantUID = "root"

	for name, tc := range map[string]struct {
		tenant  *v1alpha1.EtcdTenant
		objects []client.Object
		status  metav1.ConditionStatus
		reason  string
		says    string
	}{
		"NoEtcdCluster":      {newTenant("x"), nil, "False", "NoEtcdCluster", "create one"},
		"EtcdClusterWaits":   {newTenant("x"), []client.Object{waiting}, "Unknown", "WaitingForEtcdCluster", "EtcdCluster default"},
		"EtcdClusterIsGone":  {lost, nil, "False", "EtcdClusterLost", "EtcdCluster default"},
		"TheTenantIsThere":   {newTenant("twin"), []client.Object{ready, placed}, "False", "TenantUIDTaken", "elsewhere/tenant"},
		"EtcdClusterIsFull":  {newTenant("x"), []client.Object{full, placed}, "False", "EtcdClustersFull", "default (1 of 1 tenants) has no room: raise its spec.maxTenants or add an EtcdCluster"},
		"ItsStoreIsFull":     {newTenant("x"), []client.Object{noSpace}, "Unknown", "WaitingForEtcdCluster", "EtcdCluster default"},
		"TheTenantWouldRule": {root, []client.Object{ready}, "False", "InvalidTenantUID", "root"},
	} {
		t.Run(name, func(t *testing.T) {
			api := newAPI(append(tc.objects, tc.tenant)...)
			r := &TenantReconciler{Client: api, Pool: &Pool{}}
			if _, err := r.Reconcile(context.Background(), requestFor(tc.tenant)); err != nil {
				t.Fatal(err)
			}
			got := &v1alpha1.EtcdTenant{}
			if err := api.Get(context.Background(), client.ObjectKeyFromObject(tc.tenant), got); err != nil {
				t.Fatal(err)
			}
			c := meta.FindStatusCondition(got.Status.Conditions, "Ready")
			if c == nil || c.Status != tc.status || c.Reason != tc.reason || !strings.Contains(c.Message, tc.says) {
				t.Errorf("condition %+v, want %s, %s, and it to say %q", c, tc.status, tc.reason, tc.says)
			}
			if tc.tenant == lost {
				return
			}
			if got.Status.EtcdCluster != "" {
				t.Errorf("placed on %q", got.Status.EtcdCluster)
			}
			// Never placed, it is deleted at once.
			if err := api.Delete(context.Background(), got); err != nil {
				t.Fatal(err)
			}
			if _, err := r.Reconcile(context.Background(), requestFor(got)); err != nil {
				t.Fatal(err)
			}
			if err := api.Get(context.Background(), client.ObjectKeyFromObject(got), got); !apierrors.IsNotFound(err) {
				t.Errorf("still there after its deletion: %v", err)
			}
		})
	}
}
