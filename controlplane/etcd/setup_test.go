package etcd

import (
	"context"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// TestConcernsTenants: a counter that goes up wakes nobody.
func TestConcernsTenants(t *testing.T) {
	with := func(change func(*v1alpha1.EtcdCluster)) *v1alpha1.EtcdCluster {
		c := newCluster()
		c.Status.Tenants, c.Status.Endpoints = 5, []string{"https://a"}
		meta.SetStatusCondition(&c.Status.Conditions, metav1.Condition{Type: "Ready", Status: metav1.ConditionTrue, Reason: "AsExpected"})
		change(c)
		return c
	}
	same := with(func(*v1alpha1.EtcdCluster) {})
	for name, tc := range map[string]struct {
		is   *v1alpha1.EtcdCluster
		want bool
	}{
		"NothingChanged":    {same, false},
		"ATenantMore":       {with(func(c *v1alpha1.EtcdCluster) { c.Status.Tenants++ }), false},
		"ATenantLess":       {with(func(c *v1alpha1.EtcdCluster) { c.Status.Tenants-- }), true},
		"AMemberLess":       {with(func(c *v1alpha1.EtcdCluster) { c.Status.ReadyMembers-- }), false},
		"RoomForMore":       {with(func(c *v1alpha1.EtcdCluster) { c.Generation++ }), true},
		"OtherEndpoints":    {with(func(c *v1alpha1.EtcdCluster) { c.Status.Endpoints = nil }), true},
		"NotReadyAnyLonger": {with(func(c *v1alpha1.EtcdCluster) { c.Status.Conditions = nil }), true},
	} {
		if got := concernsTenants().Update(event.UpdateEvent{ObjectOld: same, ObjectNew: tc.is}); got != tc.want {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}

// TestWaitingTenants: an EtcdCluster that becomes ready wakes whom it concerns, and
// one that is not ready any more wakes all that are placed there.
func TestWaitingTenants(t *testing.T) {
	c := newCluster()
	c.Status.Endpoints = []string{"https://a"}
	c.Status.Conditions = []metav1.Condition{{Type: "Ready", Status: metav1.ConditionTrue}}
	tenant := func(uid string, change func(*v1alpha1.EtcdTenant)) client.Object {
		n := newTenant(uid)
		n.Status.EtcdCluster, n.Status.Endpoints = cluster, c.Status.Endpoints
		n.Status.Conditions = []metav1.Condition{{Type: "Ready", Status: metav1.ConditionTrue}}
		change(n)
		return n
	}
	r := &TenantReconciler{Client: newAPI(
		tenant("content", func(*v1alpha1.EtcdTenant) {}),
		tenant("not-ready", func(n *v1alpha1.EtcdTenant) { n.Status.Conditions = nil }),
		tenant("not-placed", func(n *v1alpha1.EtcdTenant) { n.Status = v1alpha1.EtcdTenantStatus{} }),
		tenant("moved", func(n *v1alpha1.EtcdTenant) { n.Status.Endpoints = []string{"https://b"} }),
		tenant("leaving", func(n *v1alpha1.EtcdTenant) {
			n.Finalizers, n.DeletionTimestamp = []string{v1alpha1.EtcdTenantFinalizer}, &metav1.Time{Time: day0}
		}),
		tenant("elsewhere", func(n *v1alpha1.EtcdTenant) { n.Status.EtcdCluster = "other"; n.Status.Conditions = nil }),
		tenant("not-placed-elsewhere", func(n *v1alpha1.EtcdTenant) {
			n.Spec.EtcdClusters, n.Status = []string{"other"}, v1alpha1.EtcdTenantStatus{}
		}),
	)}
	woken := func() (names []string) {
		for _, request := range r.waitingTenants(context.Background(), c) {
			names = append(names, strings.TrimPrefix(request.Namespace, "marina-"))
		}
		slices.Sort(names)
		return names
	}
	if got, want := woken(), []string{"leaving", "moved", "not-placed", "not-ready"}; !slices.Equal(got, want) {
		t.Errorf("woken by one that is ready: %v, want %v", got, want)
	}
	c.Status.Conditions[0].Status = metav1.ConditionFalse
	if got, want := woken(), []string{"content", "leaving", "moved", "not-placed", "not-ready"}; !slices.Equal(got, want) {
		t.Errorf("woken by one that is not ready any more: %v, want %v", got, want)
	}
}
