package etcd

import (
	"context"
	"strings"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// TestKeysOutliveEverythingButTheCluster: an EtcdTenant that is deleted while its Cluster
// lives keeps its keys and says so. They go as soon as the Cluster is deleted.
func TestKeysOutliveEverythingButTheCluster(t *testing.T) {
	w := sharedWorld(t)
	const uid = "guarded"
	owner := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: "project", Name: "mine", UID: uid, Finalizers: []string{v1alpha1.ClusterFinalizer}}}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "marina-" + uid, Labels: map[string]string{
		v1alpha1.LabelClusterNamespace: owner.Namespace, v1alpha1.LabelClusterName: owner.Name,
	}}}
	for _, o := range []client.Object{owner, namespace} {
		if err := w.api.Create(context.Background(), o); err != nil {
			t.Fatal(err)
		}
	}
	tenant := w.addTenant(t, uid)
	root := w.root(t)
	if _, err := root.Put(soon(t), "/"+uid+"/registry/data", "1"); err != nil {
		t.Fatal(err)
	}
	keys := func() int64 {
		got, err := root.Get(soon(t), "/"+uid+"/", clientv3.WithPrefix(), clientv3.WithCountOnly())
		if err != nil {
			t.Fatal(err)
		}
		return got.Count
	}

	if err := w.api.Delete(context.Background(), tenant); err != nil {
		t.Fatal(err)
	}
	r := &TenantReconciler{Client: w.api, Pool: w.pool}
	result, err := r.Reconcile(context.Background(), requestFor(tenant))
	if err != nil || result.RequeueAfter == 0 {
		t.Errorf("%+v, %v; want that it looks again by itself: no event tells of the Cluster", result, err)
	}
	if keys() != 1 {
		t.Fatal("the keys of a Cluster that nobody has deleted are gone")
	}
	if err := w.api.Get(context.Background(), client.ObjectKeyFromObject(tenant), tenant); err != nil {
		t.Fatal(err)
	}
	c := meta.FindStatusCondition(tenant.Status.Conditions, v1alpha1.ConditionDeleting)
	if c == nil || c.Reason != "ClusterNotDeleted" || !strings.Contains(c.Message, "kubectl -n project delete cluster mine") {
		t.Errorf("condition %+v, want what to do", c)
	}

	if err := w.api.Delete(context.Background(), owner); err != nil {
		t.Fatal(err)
	}
	if err := w.runDeletion(r, tenant); err != nil {
		t.Fatal(err)
	}
	if keys() != 0 {
		t.Error("the keys of a deleted Cluster are still there")
	}
}

// A Cluster that has only the name of the tenant's is another one.
func TestAnotherClusterOfTheNameGuardsNothing(t *testing.T) {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "marina-one", Labels: map[string]string{
		v1alpha1.LabelClusterNamespace: "project", v1alpha1.LabelClusterName: "mine",
	}}}
	for name, tc := range map[string]struct {
		uid  types.UID
		kept bool
	}{"TheSame": {uid: "one", kept: true}, "AnotherOne": {uid: "two"}} {
		t.Run(name, func(t *testing.T) {
			owner := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: "project", Name: "mine", UID: tc.uid}}
			r := &TenantReconciler{Client: newAPI(namespace.DeepCopy(), owner)}
			if err := r.guard(t.Context(), &tenantScope{tenant: newTenant("one")}); (err != nil) != tc.kept {
				t.Errorf("%v, want the keys kept: %v", err, tc.kept)
			}
		})
	}
}
