package cluster

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// nodeNetwork plays the part of the controller of ClusterNetworks, which says at once what
// the cloud does; it reports whether there was anything to do.
func (w *world) nodeNetwork() (busy bool) {
	w.Helper()
	list := &v1alpha1.ClusterNetworkList{}
	w.must(w.api.List(context.Background(), list))
	for i := range list.Items {
		n := &list.Items[i]
		before := n.DeepCopy()
		c := w.cloud
		if c.Status == "" {
			c = metav1.Condition{Status: metav1.ConditionTrue, Reason: "AsExpected", Message: "nodes can have ports in the network"}
		}
		c.LastTransitionTime = metav1.NewTime(noon)
		switch {
		case n.DeletionTimestamp != nil && c.Status == metav1.ConditionTrue:
			n.Finalizers = nil
			w.must(w.api.Update(context.Background(), n))
			busy = true
			continue
		case n.DeletionTimestamp != nil:
			c.Type = v1alpha1.ConditionDeleting
		default:
			c.Type = v1alpha1.ConditionReady
		}
		n.Status.Conditions, n.Status.ObservedGeneration = []metav1.Condition{c}, n.Generation
		if !cmp.Equal(before.Status, n.Status) {
			w.must(w.api.Status().Update(context.Background(), n))
			busy = true
		}
	}
	return busy
}

// place creates a Cluster with a NodePool, in an Infrastructure that offers releases.
func (w *world) place(releases ...string) {
	w.Helper()
	infra := &v1alpha1.Infrastructure{ObjectMeta: metav1.ObjectMeta{Name: "paris"}}
	for _, r := range releases {
		infra.Spec.Releases = append(infra.Spec.Releases, v1alpha1.InfrastructureRelease{Release: r, Image: "node"})
		infra.Status.Images = append(infra.Status.Images, v1alpha1.InfrastructureImage{Release: r, ID: "of " + r})
	}
	if releases != nil {
		w.must(w.api.Create(context.Background(), infra))
	}
	w.createPool("web")
	w.placeWithoutPool()
}

// placeWithoutPool creates one in an Infrastructure that is there already.
func (w *world) placeWithoutPool() {
	w.Helper()
	c := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: shop.Name, UID: "0d8ec3f1-7a52", Generation: 1}}
	c.Spec.Version, c.Spec.HostingClassRef.Name = oldVersion, "default"
	c.Spec.InfrastructureRef, c.Spec.CredentialsRef = &v1alpha1.LocalReference{Name: "paris"}, &v1alpha1.LocalReference{Name: "mine"}
	c.Spec.Network.PodCIDR, c.Spec.Network.ServiceCIDR = "10.244.0.0/16", "10.96.0.0/16"
	w.must(w.api.Create(context.Background(), c))
}

func (w *world) readCluster() *v1alpha1.Cluster {
	w.Helper()
	c := &v1alpha1.Cluster{}
	w.must(w.api.Get(context.Background(), shop, c))
	return c
}

func (w *world) readNetwork() *v1alpha1.ClusterNetwork {
	w.Helper()
	n := &v1alpha1.ClusterNetwork{}
	w.must(w.api.Get(context.Background(), client.ObjectKey{Namespace: "marina-shop-0d8ec3f1", Name: "network"}, n))
	return n
}

func (w *world) delete() {
	w.Helper()
	c := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: shop.Name}}
	w.must(w.api.Delete(context.Background(), c))
}

func TestAKilledMarinaLosesNoNetwork(t *testing.T) {
	cases := map[string]struct {
		begin func(*world)
		want  []string
		gone  bool
	}{
		"create": {func(*world) {}, []string{"1 Create Succeeded 5/5"}, false},
		"other credentials": {func(w *world) {
			w.change(func(c *v1alpha1.Cluster) { c.Spec.CredentialsRef.Name = "new" })
		}, []string{"1 Create Succeeded 5/5", "1 Update Succeeded 2/2"}, false},
		"resync": {func(w *world) { w.ask(v1alpha1.OperationResync) },
			[]string{"1 Create Succeeded 5/5", "1 Resync Succeeded 3/3"}, false},
		"delete": {(*world).delete, []string{"1 Create Succeeded 5/5", "1 Delete Succeeded 5/5"}, true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			killAnywhere(t, func(t testing.TB) *world {
				w := newWorld(t)
				w.place(oldVersion, newVersion)
				if name != "create" {
					w.settle()
				}
				return w
			}, tc.begin, tc.want, tc.gone)
		})
	}
}

// What a Cluster says of its nodes is what their network is made of.
func TestNetworkAsAsked(t *testing.T) {
	w := newWorld(t)
	w.place(oldVersion)
	w.settle()
	n := w.readNetwork()
	want := v1alpha1.ClusterNetworkSpec{
		ClusterRef:        v1alpha1.ClusterReference{Namespace: "project", Name: "shop", UID: "0d8ec3f1-7a52"},
		InfrastructureRef: v1alpha1.LocalReference{Name: "paris"}, CredentialsRef: v1alpha1.LocalReference{Name: "mine"},
		NodeCIDR: "10.250.0.0/22", PodCIDR: "10.244.0.0/16", ServiceCIDR: "10.96.0.0/16",
	}
	if diff := cmp.Diff(want, n.Spec); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
	if !slices.Contains(n.Finalizers, "marina.dev/cluster-network") || n.Labels["marina.dev/cluster-name"] != "shop" || n.Labels["marina.dev/shard"] != "default" {
		t.Errorf("finalizers %v, labels %v", n.Finalizers, n.Labels)
	}

	existing := &v1alpha1.ExistingNetwork{NetworkID: "n", SubnetID: "s"}
	c := w.readCluster()
	c.Spec.Network.Existing = existing
	if spec := desiredNetwork(c).Spec; spec.NodeCIDR != "" || spec.Existing != existing {
		t.Errorf("%+v, want the existing network and no range", spec)
	}
}

// What the network says is said of the Cluster, which is not ready without it.
func TestNetworkReady(t *testing.T) {
	quota := metav1.Condition{Status: metav1.ConditionFalse, Reason: "QuotaExceeded", Message: "0 of 0 networks are used"}
	outage := metav1.Condition{Status: metav1.ConditionUnknown, Reason: "CloudUnreachable", Message: "it does not answer"}
	cases := map[string]struct {
		before, now metav1.Condition
		phase       v1alpha1.ClusterPhase
		message     string
	}{
		"AsItIsToBe":       {phase: v1alpha1.ClusterActive, message: "the control plane serves and nodes can join"},
		"QuotaAtFirst":     {before: quota, now: quota, phase: v1alpha1.ClusterError, message: quota.Message},
		"OutageAtFirst":    {before: outage, now: outage, phase: v1alpha1.ClusterCreating, message: outage.Message},
		"RaisedThen":       {before: quota, phase: v1alpha1.ClusterActive, message: "the control plane serves and nodes can join"},
		"CredentialsLater": {now: quota, phase: v1alpha1.ClusterDegraded, message: quota.Message},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.place(oldVersion)
			w.cloud = tc.before
			w.settle()
			w.cloud = tc.now
			w.settle()
			c := w.readCluster()
			if c.Status.Phase != tc.phase || c.Status.Message != tc.message {
				t.Errorf("%s: %s; want %s: %s", c.Status.Phase, c.Status.Message, tc.phase, tc.message)
			}
			want := tc.now
			if want.Status == "" {
				want.Status, want.Reason = metav1.ConditionTrue, "AsExpected"
			}
			got := meta.FindStatusCondition(c.Status.Conditions, "NetworkReady")
			if got == nil || got.Status != want.Status || got.Reason != want.Reason {
				t.Errorf("NetworkReady %+v, want %s/%s", got, want.Status, want.Reason)
			}
		})
	}
}

// A Cluster without an Infrastructure has no network, says nothing of one, and asks for none.
func TestBringYourOwnNodes(t *testing.T) {
	w := newCreated(t)
	list := &v1alpha1.ClusterNetworkList{}
	w.must(w.api.List(context.Background(), list))
	if len(list.Items) > 0 || meta.FindStatusCondition(w.readCluster().Status.Conditions, "NetworkReady") != nil {
		t.Errorf("it has %+v and says %+v", list.Items, w.readCluster().Status.Conditions)
	}
}

func TestRule13WhatTheInfrastructureDoesNotOfferIsRefused(t *testing.T) {
	cases := map[string]struct {
		releases      []string
		reason, words string
	}{
		"ThereIsNone":      {nil, "InfrastructureNotFound", "Infrastructure paris does not exist: create it"},
		"OffersOthersOnly": {[]string{newVersion}, "ReleaseNotOffered", "does not offer version " + oldVersion},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.place(tc.releases...)
			w.settle()
			c := w.readCluster()
			got := meta.FindStatusCondition(c.Status.Conditions, v1alpha1.ConditionSpecAccepted)
			if got == nil || got.Reason != tc.reason || !strings.Contains(got.Message, tc.words) || c.Status.Phase != v1alpha1.ClusterPending {
				t.Errorf("%s: %+v, want Pending, %s: %s", c.Status.Phase, got, tc.reason, tc.words)
			}
			if err := w.api.Get(context.Background(), client.ObjectKey{Namespace: "marina-shop-0d8ec3f1", Name: "network"}, &v1alpha1.ClusterNetwork{}); !apierrors.IsNotFound(err) {
				t.Errorf("%v, want that nothing was made", err)
			}
		})
	}
}

// One that runs goes on when its version is offered no longer, and gets other credentials
// also while its spec is refused.
func TestOtherCredentialsWhileRefused(t *testing.T) {
	w := newWorld(t)
	w.place(oldVersion)
	w.settle()
	infra := &v1alpha1.Infrastructure{}
	w.must(w.api.Get(context.Background(), client.ObjectKey{Name: "paris"}, infra))
	infra.Spec.Releases = nil
	w.must(w.api.Update(context.Background(), infra))
	w.settle()
	if c := w.readCluster(); c.Status.Phase != v1alpha1.ClusterActive {
		t.Errorf("%s: %s; want Active", c.Status.Phase, c.Status.Message)
	}
	w.change(func(c *v1alpha1.Cluster) { c.Spec.Version, c.Spec.CredentialsRef.Name = newVersion, "new" })
	w.settle()
	if c := w.readCluster(); c.Status.Phase != v1alpha1.ClusterDegraded {
		t.Errorf("%s: %s; want Degraded: nobody offers the new version", c.Status.Phase, c.Status.Message)
	}
	if got := w.readNetwork().Spec.CredentialsRef.Name; got != "new" {
		t.Errorf("the network has the credentials %q, want new", got)
	}
}

// The network goes before the control plane, and its Cluster says what it waits for.
func TestDeletionSaysWhatIsInTheWay(t *testing.T) {
	w := newWorld(t)
	w.place(oldVersion)
	w.settle()
	w.cloud = metav1.Condition{Status: metav1.ConditionUnknown, Reason: "PortsInUse", Message: "the network is in use by port p"}
	w.delete()
	w.settle()
	c := w.readCluster()
	if c.Status.Phase != v1alpha1.ClusterDeleting || c.Status.Message != w.cloud.Message {
		t.Errorf("%s: %s; want Deleting: %s", c.Status.Phase, c.Status.Message, w.cloud.Message)
	}
	hcp := &v1alpha1.HostedControlPlane{}
	w.must(w.api.Get(context.Background(), client.ObjectKey{Namespace: c.Status.Namespace, Name: v1alpha1.NameHostedControlPlane}, hcp))
	if hcp.DeletionTimestamp != nil {
		t.Error("the control plane goes while the network is there")
	}
	if c := meta.FindStatusCondition(c.Status.Conditions, "NetworkReady"); c == nil {
		t.Error("it says nothing of the network, which is there")
	}
	w.change(func(c *v1alpha1.Cluster) { c.Spec.CredentialsRef.Name = "new" })
	w.settle()
	if n := w.readNetwork(); n.Spec.CredentialsRef.Name != "new" || n.DeletionTimestamp == nil {
		t.Errorf("%+v, want other credentials for its deletion", n.Spec)
	}

	w.cloud = metav1.Condition{}
	w.nodeNetwork()
	_, err := w.controller().Reconcile(context.Background(), ctrl.Request{NamespacedName: shop})
	w.must(err)
	if c := meta.FindStatusCondition(w.readCluster().Status.Conditions, "NetworkReady"); c != nil {
		t.Errorf("it says %s of a network that is gone", c.Message)
	}
	w.settle()
	if err := w.api.Get(context.Background(), shop, c); !apierrors.IsNotFound(err) {
		t.Errorf("the cluster is still there: %v", err)
	}
}
