package cluster

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
	"github.com/marina-dev/marina/pkg/release"
)

// nodePools plays the part of the controller of NodePools, which have at once what they ask
// for; it reports whether there was anything to do.
func (w *world) nodePools() (busy bool) {
	w.Helper()
	list := &v1alpha1.NodePoolList{}
	w.must(w.api.List(context.Background(), list))
	for i := range list.Items {
		p := &list.Items[i]
		before := p.DeepCopy()
		p.Status = w.pool
		if p.Status.Phase == "" {
			p.Status = v1alpha1.NodePoolStatus{Phase: v1alpha1.PoolActive, Message: "3 of 3 nodes are ready", Resynced: w.resync()}
			if p.DeletionTimestamp != nil {
				p.Finalizers = nil
				w.must(w.api.Update(context.Background(), p))
				busy = true
				continue
			}
		}
		if !cmp.Equal(before.Status, p.Status) {
			w.must(w.api.Status().Update(context.Background(), p))
			busy = true
		}
	}
	return busy
}

func (w *world) createPool(name string) {
	w.Helper()
	p := &v1alpha1.NodePool{ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: name, Finalizers: []string{v1alpha1.NodePoolFinalizer}}}
	p.Spec.ClusterRef.Name = shop.Name
	w.must(w.api.Create(context.Background(), p))
}

func (w *world) deletePool(name string) {
	w.Helper()
	p := &v1alpha1.NodePool{ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: name}}
	w.must(w.api.Delete(context.Background(), p))
}

// poolsReady checks the condition; an empty status is for none.
func (w *world) poolsReady(status, reason, words string) {
	w.Helper()
	c := meta.FindStatusCondition(w.readCluster().Status.Conditions, "NodePoolsReady")
	if status == "" {
		if c != nil {
			w.Errorf("it says %+v of pools", c)
		}
		return
	}
	if c == nil || string(c.Status) != status || c.Reason != reason || !strings.Contains(c.Message, words) {
		w.Errorf("%+v, want %s/%s: ...%s", c, status, reason, words)
	}
}

// Nothing is made of a Cluster before it has a pool, and it says what is missing.
func TestRule02FirstPoolAndNone(t *testing.T) {
	w := newWorld(t)
	w.place(oldVersion)
	w.deletePool("web")
	w.nodePools()
	other := &v1alpha1.NodePool{ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: "theirs"}}
	other.Spec.ClusterRef.Name = "another"
	w.must(w.api.Create(context.Background(), other))
	w.settle()
	c := w.readCluster()
	if c.Status.Phase != v1alpha1.ClusterPending || !strings.Contains(c.Status.Message, "create a NodePool with spec.clusterRef.name shop in this namespace, 0 replicas will do") {
		t.Errorf("%s: %s; want Pending, and what to do", c.Status.Phase, c.Status.Message)
	}
	w.poolsReady("False", "NoPool", "there is no node pool")
	if got := meta.FindStatusCondition(c.Status.Conditions, v1alpha1.ConditionSpecAccepted); got == nil || got.Status != metav1.ConditionTrue {
		t.Errorf("%+v, want that nothing is wrong with the spec", got)
	}
	if h := w.history(); len(h) > 0 {
		t.Errorf("%v has begun", h)
	}
	namespaces, networks := &corev1.NamespaceList{}, &v1alpha1.ClusterNetworkList{}
	w.must(w.api.List(context.Background(), namespaces))
	w.must(w.api.List(context.Background(), networks))
	if len(namespaces.Items)+len(networks.Items) > 0 || c.Status.Namespace != "" {
		t.Errorf("%v, %v were made", namespaces.Items, networks.Items)
	}

	w.createPool("web")
	w.settle()
	c = w.readCluster()
	if c.Status.Phase != v1alpha1.ClusterActive {
		t.Errorf("%s: %s; want Active", c.Status.Phase, c.Status.Message)
	}
	w.poolsReady("True", "AsExpected", "")
	if diff := cmp.Diff([]string{"1 Create Succeeded 5/5"}, w.history()); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}

	// Without its last one it goes on.
	w.deletePool("web")
	w.settle()
	c = w.readCluster()
	if c.Status.Phase != v1alpha1.ClusterActive {
		t.Errorf("%s: %s; want Active", c.Status.Phase, c.Status.Message)
	}
	w.poolsReady("False", "NoPool", "create a NodePool to have nodes")
}

// One that never had a pool can be deleted.
func TestDeletedBeforeItsFirstPool(t *testing.T) {
	w := newWorld(t)
	w.place(oldVersion)
	w.deletePool("web")
	w.nodePools()
	w.settle()
	w.delete()
	w.settle()
	if err := w.api.Get(context.Background(), shop, &v1alpha1.Cluster{}); !apierrors.IsNotFound(err) {
		t.Errorf("it is still there: %v", err)
	}
}

// What pools say is said of the Cluster, which is ready nevertheless.
func TestPoolsReady(t *testing.T) {
	cases := map[string]struct {
		pool           v1alpha1.NodePoolStatus
		status, reason string
	}{
		"All":      {v1alpha1.NodePoolStatus{Phase: "Active", Message: "as asked"}, "True", "AsExpected"},
		"Creating": {v1alpha1.NodePoolStatus{Phase: "Creating", Message: "0 of 3 nodes are ready"}, "Unknown", "Creating"},
		"Degraded": {v1alpha1.NodePoolStatus{Phase: "Degraded", Message: "2 of 3 nodes are ready"}, "False", "Degraded"},
		"Error":    {v1alpha1.NodePoolStatus{Phase: "Error", Message: "no such flavor"}, "False", "Error"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.place(oldVersion)
			w.createPool("batch")
			w.pool = tc.pool
			// The first pass sees pools that nobody has looked at.
			w.nodePools()
			w.settle()
			words := "node pool batch: " + tc.pool.Message
			if tc.status == "True" {
				words = "all node pools have the nodes"
			}
			w.poolsReady(tc.status, tc.reason, words)
			if c := w.readCluster(); c.Status.Phase != v1alpha1.ClusterActive {
				t.Errorf("%s: %s; want Active", c.Status.Phase, c.Status.Message)
			}
		})
	}
	t.Run("WithoutInfrastructure", func(t *testing.T) {
		w := newCreated(t)
		w.poolsReady("", "", "")
	})
}

// The one that needs somebody is named before the one that needs time.
func TestWhichPoolIsNamed(t *testing.T) {
	pool := func(name string, phase v1alpha1.PoolPhase) v1alpha1.NodePool {
		return v1alpha1.NodePool{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: v1alpha1.NodePoolStatus{Phase: phase, Message: "m"}}
	}
	err := poolsError([]v1alpha1.NodePool{pool("a", "Active"), pool("b", "Scaling"), pool("c", "Updating"), pool("d", "Degraded")})
	if err == nil || err.Error() != "Degraded: node pool d: m" {
		t.Errorf("%v, want d", err)
	}
	if err := poolsError([]v1alpha1.NodePool{pool("a", "Active"), pool("b", "Scaling"), pool("c", "")}); err == nil || err.Error() != "Scaling: node pool b: m" {
		t.Errorf("%v, want b", err)
	}
}

// Pools go before the network, and their Cluster says what they wait for.
func TestDeletionOfPools(t *testing.T) {
	w := newWorld(t)
	w.place(oldVersion)
	w.createPool("batch")
	w.settle()
	w.pool = v1alpha1.NodePoolStatus{Phase: v1alpha1.PoolDeleting, Conditions: []metav1.Condition{{
		Type: "Deleting", Status: "Unknown", Reason: "DeletingMachines", Message: "waiting for 3 nodes", LastTransitionTime: metav1.NewTime(noon),
	}}}
	w.delete()
	w.settle()
	c := w.readCluster()
	if c.Status.Phase != v1alpha1.ClusterDeleting || c.Status.Message != "node pool batch: waiting for 3 nodes" {
		t.Errorf("%s: %s; want Deleting, and what it waits for", c.Status.Phase, c.Status.Message)
	}
	pools := &v1alpha1.NodePoolList{}
	w.must(w.api.List(context.Background(), pools))
	for _, p := range pools.Items {
		if p.DeletionTimestamp == nil {
			t.Errorf("%s is not deleted", p.Name)
		}
	}
	if n := w.readNetwork(); n.DeletionTimestamp != nil {
		t.Error("the network goes while there are nodes")
	}
	// They may wait for credentials, which they have from the network.
	w.change(func(c *v1alpha1.Cluster) { c.Spec.CredentialsRef.Name = "new" })
	w.settle()
	if n := w.readNetwork(); n.Spec.CredentialsRef.Name != "new" {
		t.Errorf("the network has the credentials %q while nodes are deleted, want new", n.Spec.CredentialsRef.Name)
	}
	w.pool = v1alpha1.NodePoolStatus{}
	w.settle()
	if err := w.api.Get(context.Background(), shop, c); !apierrors.IsNotFound(err) {
		t.Errorf("the cluster is still there: %v", err)
	}
}

// A pool of a Cluster that has no Infrastructure has no nodes, and goes as well.
func TestDeletionOfAMisplacedPool(t *testing.T) {
	w := newWorld(t)
	w.create()
	w.createPool("web")
	w.settle()
	w.delete()
	w.settle()
	for _, o := range []client.Object{&v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: shop.Name}}, &v1alpha1.NodePool{ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: "web"}}} {
		if err := w.api.Get(context.Background(), client.ObjectKeyFromObject(o), o); !apierrors.IsNotFound(err) {
			t.Errorf("%T is still there: %v", o, err)
		}
	}
}

// A control plane does not leave the nodes of a pool behind that has a version of its own.
func TestRule12NoPoolIsLeftTooFarBehind(t *testing.T) {
	pool := func(version string) v1alpha1.NodePool {
		return v1alpha1.NodePool{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: v1alpha1.NodePoolSpec{Version: version}}
	}
	leaving := pool("1.34.9-1")
	leaving.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
	for name, tc := range map[string]struct {
		pools []v1alpha1.NodePool
		want  string
	}{
		"NoPool":     {},
		"Following":  {pools: []v1alpha1.NodePool{pool("")}},
		"Alike":      {pools: []v1alpha1.NodePool{pool("1.38.0-1")}},
		"ThreeOlder": {pools: []v1alpha1.NodePool{pool("1.35.0-1")}},
		"FourOlder": {pools: []v1alpha1.NodePool{pool(""), pool("1.34.9-1")},
			want: "node pool web has version 1.34.9-1: kubelet 1.34.9-1 is more than 3 minor versions older than the control plane 1.38.0-1: upgrade the nodes to at least 1.35 first, or leave its version out, so that its nodes follow the control plane"},
		"Leaving": {pools: []v1alpha1.NodePool{leaving}},
	} {
		t.Run(name, func(t *testing.T) {
			to, err := release.Parse("1.38.0-1")
			if err != nil {
				t.Fatal(err)
			}
			e := reconcile.As(checkPoolVersions(tc.pools, to))
			if tc.want == "" && e != nil || tc.want != "" && (e == nil || e.Kind != reconcile.KindUser || e.Message != tc.want) {
				t.Errorf("%+v, want %q", e, tc.want)
			}
		})
	}
}

// The upgrade of a Cluster is refused while a pool asks for a version that is too old for it.
func TestRule12AnUpgradeBeyondAPoolIsRefused(t *testing.T) {
	w := newWorld(t)
	w.place(oldVersion, newVersion)
	w.settle()
	p := &v1alpha1.NodePool{}
	w.must(w.api.Get(context.Background(), client.ObjectKey{Namespace: shop.Namespace, Name: "web"}, p))
	p.Spec.Version = "1.30.0-1"
	w.must(w.api.Update(context.Background(), p))
	w.change(func(c *v1alpha1.Cluster) { c.Spec.Version = newVersion })
	w.settle()
	c := w.readCluster()
	got := meta.FindStatusCondition(c.Status.Conditions, v1alpha1.ConditionSpecAccepted)
	if got == nil || got.Status != metav1.ConditionFalse || got.Reason != "NodePoolTooOld" || c.Status.Version != oldVersion {
		t.Errorf("%s runs, and it says %+v", c.Status.Version, got)
	}
	w.must(w.api.Get(context.Background(), client.ObjectKey{Namespace: shop.Namespace, Name: "web"}, p))
	p.Spec.Version = ""
	w.must(w.api.Update(context.Background(), p))
	w.settle()
	if c := w.readCluster(); c.Status.Version != newVersion {
		t.Errorf("%s runs, want %s: %s", c.Status.Version, newVersion, c.Status.Message)
	}
}
