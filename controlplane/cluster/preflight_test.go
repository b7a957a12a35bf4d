package cluster

import (
	"context"
	"errors"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/release"
)

// found is what an upgrade finds in a tenant.
type found struct {
	kubelets   map[string]string
	deprecated []release.DeprecatedAPI
	err        error
	asked      int
	apis       bool // what was asked for last
}

func (f *found) look(_ context.Context, _ string, apis bool) (map[string]string, []release.DeprecatedAPI, error) {
	f.asked++
	if f.apis = apis; !apis {
		return f.kubelets, nil, f.err
	}
	return f.kubelets, f.deprecated, f.err
}

const inNamespace = "marina-shop-0d8ec3f1"

// etcdOf is an EtcdCluster of so many members, of which some are well.
func etcdOf(members, well int) *v1alpha1.EtcdCluster {
	etcd := &v1alpha1.EtcdCluster{ObjectMeta: metav1.ObjectMeta{Name: "shared"}}
	etcd.Status.Endpoints = make([]string, members)
	etcd.Status.ReadyMembers = int32(well)
	etcd.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: "AsExpected"}}
	return etcd
}

func placeInEtcd() *v1alpha1.EtcdTenant {
	return &v1alpha1.EtcdTenant{
		ObjectMeta: metav1.ObjectMeta{Namespace: inNamespace, Name: v1alpha1.NameEtcdTenant},
		Status:     v1alpha1.EtcdTenantStatus{EtcdCluster: "shared"},
	}
}

func (w *world) cluster1() *v1alpha1.Cluster {
	w.Helper()
	c := &v1alpha1.Cluster{}
	w.must(w.api.Get(w.Context(), shop, c))
	return c
}

func (w *world) hcp() *v1alpha1.HostedControlPlane {
	w.Helper()
	hcp := &v1alpha1.HostedControlPlane{}
	w.must(w.api.Get(w.Context(), client.ObjectKey{Namespace: inNamespace, Name: v1alpha1.NameHostedControlPlane}, hcp))
	return hcp
}

// cancel cancels an Operation as a user does.
func (w *world) cancel(name string) {
	w.Helper()
	o := &v1alpha1.Operation{}
	w.must(w.api.Get(w.Context(), client.ObjectKey{Namespace: shop.Namespace, Name: name}, o))
	o.Spec.Cancel = true
	w.must(w.api.Update(w.Context(), o))
}

func (w *world) setEtcd(well int) {
	w.Helper()
	etcd := &v1alpha1.EtcdCluster{}
	w.must(w.api.Get(w.Context(), client.ObjectKey{Name: "shared"}, etcd))
	etcd.Status.ReadyMembers = int32(well)
	w.must(w.api.Update(w.Context(), etcd))
}

var endedAPI = release.DeprecatedAPI{Group: "storage.k8s.io", Version: "v1beta1", Resource: "volumeattributesclasses", RemovedIn: "1.37"}

// Rule 3 asks for a healthy cluster, rule 12 for nodes that are not left behind: an upgrade
// that would break something is refused, or waits, before anything is changed.
func TestRule03NothingIsChangedBeforeThePreflight(t *testing.T) {
	cases := map[string]struct {
		wrong  func(*world)
		right  func(*world)
		reason string
		status metav1.ConditionStatus
		phase  v1alpha1.ClusterPhase
		says   string
	}{
		"a node that somebody brought is too old": {
			func(w *world) { w.found.kubelets = map[string]string{"mine": "v1.33.9+k3s1", "other": "v1.36.4"} },
			func(w *world) { w.found.kubelets["mine"] = "v1.34.0" },
			"NodeTooOld", metav1.ConditionFalse, v1alpha1.ClusterDegraded, "mine (v1.33.9+k3s1)"},
		"an API is in use that ends": {
			func(w *world) { w.found.deprecated = []release.DeprecatedAPI{endedAPI} },
			func(w *world) {
				w.change(func(c *v1alpha1.Cluster) {
					c.Generation-- // annotations have none
					c.Annotations = map[string]string{"marina.dev/allow-removed-apis": "1.37"}
				})
			},
			"RemovedAPIsInUse", metav1.ConditionFalse, v1alpha1.ClusterDegraded, "storage.k8s.io/v1beta1/volumeattributesclasses"},
		"a member of etcd is not well": {
			func(w *world) { w.setEtcd(2) }, func(w *world) { w.setEtcd(3) },
			"EtcdUnhealthy", metav1.ConditionUnknown, v1alpha1.ClusterUpgrading, "2 of 3 members of EtcdCluster shared"},
		"an API server does not answer": {
			func(w *world) { w.found.err = errors.New("2 of 3 API servers are ready") }, func(w *world) { w.found.err = nil },
			"NotInspected", metav1.ConditionUnknown, v1alpha1.ClusterUpgrading, "not all API servers answer"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newCreated(t)
			tc.wrong(w)
			w.change(func(c *v1alpha1.Cluster) { c.Spec.Version = newVersion })
			w.settle()
			c := w.cluster1()
			accepted := meta.FindStatusCondition(c.Status.Conditions, v1alpha1.ConditionSpecAccepted)
			if accepted == nil || accepted.Status != tc.status || accepted.Reason != tc.reason || !strings.Contains(accepted.Message, tc.says) {
				t.Errorf("SpecAccepted = %+v, want %s %s with %q", accepted, tc.status, tc.reason, tc.says)
			}
			if c.Status.Phase != tc.phase || !strings.Contains(c.Status.Message, tc.says) {
				t.Errorf("it is %s: %s; want %s", c.Status.Phase, c.Status.Message, tc.phase)
			}
			if got := w.hcp().Spec.Version; got != oldVersion || c.Status.Accepted.Version != oldVersion {
				t.Errorf("the control plane was told to run %s, and %s was accepted: nothing is to change before", got, c.Status.Accepted.Version)
			}
			list := &v1alpha1.OperationList{}
			w.must(w.api.List(t.Context(), list))
			said := ""
			for _, op := range list.Items {
				if op.Spec.Type == v1alpha1.OperationUpgrade {
					said += op.Status.Message
					for _, step := range op.Status.Steps {
						said += step.Message
					}
				}
			}
			if !strings.Contains(said, tc.says) {
				t.Errorf("the Upgrade says %q, want %q in it", said, tc.says)
			}

			tc.right(w)
			w.settle()
			if c := w.cluster1(); c.Status.Phase != v1alpha1.ClusterActive || c.Status.Version != newVersion {
				t.Errorf("then it is %s with %s: %s", c.Status.Phase, c.Status.Version, c.Status.Message)
			}
		})
	}
}

// Rule 7: what waits can be cancelled, whatever it waits for. Tried again it does not begin
// before it may.
func TestRule07AnUpgradeThatWaitsIsCancelledAndTriedAgain(t *testing.T) {
	w := newCreated(t)
	w.unready, w.found.err = true, errors.New("2 of 3 API servers are ready")
	w.change(func(c *v1alpha1.Cluster) { c.Spec.Version = newVersion })
	w.settle()
	first := w.cluster1().Status.Operation
	w.cancel(first)
	w.settle()
	if c := w.cluster1(); c.Status.Operation != "" || c.Status.Phase != v1alpha1.ClusterDegraded || w.hcp().Status.Version != oldVersion {
		t.Fatalf("cancelled it is %s with operation %q: %s", c.Status.Phase, c.Status.Operation, c.Status.Message)
	}
	w.unready, w.found.err = false, nil
	w.settle()
	if hcp := w.hcp(); hcp.Spec.Version != oldVersion || hcp.Status.Version != oldVersion {
		t.Fatalf("what was cancelled before it began has begun: %+v", hcp.Spec)
	}
	// What pools hold for, see dataplane/nodepool.
	if c := w.cluster1(); c.Status.Accepted.Version != oldVersion || c.Status.Accepted.Generation != c.Generation || c.Status.Phase != v1alpha1.ClusterDegraded ||
		!strings.Contains(c.Status.Message, "was cancelled before it began: 'marina operation retry'") {
		t.Errorf("accepted: %+v, %s: %s", c.Status.Accepted, c.Status.Phase, c.Status.Message)
	}
	w.change(func(c *v1alpha1.Cluster) { c.Spec.Access.CertSANs = []string{"shop.example.com"} })
	w.settle()
	if hcp := w.hcp(); hcp.Spec.Version != oldVersion || len(hcp.Spec.CertSANs) != 1 {
		t.Errorf("another change is to be taken up, and the version not: %+v", hcp.Spec)
	}
	retry := retryOf(upgradeTo(newVersion, "again"), first)
	w.setEtcd(2)
	w.must(w.api.Create(t.Context(), retry))
	w.settle()
	if hcp := w.hcp(); hcp.Status.Version != oldVersion {
		t.Errorf("a retry begins without a member of etcd: %+v", hcp.Spec)
	}
	if c := w.cluster1(); c.Status.Operation != "again" || c.Status.Phase != v1alpha1.ClusterUpgrading {
		t.Errorf("it waits as %s, with operation %q: %s", c.Status.Phase, c.Status.Operation, c.Status.Message)
	}
	w.setEtcd(3)
	w.settle()
	if c := w.cluster1(); c.Status.Version != newVersion || c.Status.Phase != v1alpha1.ClusterActive {
		t.Errorf("then it is %s with %s: %s", c.Status.Phase, c.Status.Version, c.Status.Message)
	}
}

// What is allowed for one version is not for the next.
func TestRemovedAPIsAreAllowedForOneVersion(t *testing.T) {
	f := &found{deprecated: []release.DeprecatedAPI{endedAPI}}
	r := &Reconciler{Inspect: f.look}
	c := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{"marina.dev/allow-removed-apis": "1.36"}}}
	if err := r.checkTenant(t.Context(), c, release.Version{Major: 1, Minor: 37, Patch: 1, Build: 1}); userError(err) == nil {
		t.Errorf("allowed for 1.36, and for 1.37 it comes to %v", err)
	}
	if err := r.checkTenant(t.Context(), c, release.Version{Major: 1, Minor: 36, Patch: 4, Build: 1}); err != nil || f.apis {
		t.Errorf("allowed, it comes to %v, and APIs are looked for: %v", err, f.apis)
	}
}

// What a tenant is told names no address of the platform, and is the same each time: a status that
// changes would wake the Cluster at once.
func TestWhyATenantCannotBeInspectedIsTheSameEachTime(t *testing.T) {
	said := map[string]bool{}
	for _, port := range []string{"40312", "51808"} {
		r := &Reconciler{Inspect: (&found{err: errors.New("read tcp 10.0.0.1:" + port + "->10.0.0.7:6443: connection refused")}).look}
		err := r.checkTenant(t.Context(), &v1alpha1.Cluster{}, release.Version{Major: 1, Minor: 37, Patch: 1, Build: 1})
		if err == nil || strings.Contains(err.Error(), "10.0.0") {
			t.Errorf("it says %v", err)
		}
		said[err.Error()] = true
	}
	if len(said) != 1 {
		t.Errorf("it says another thing each time: %v", said)
	}
}

// Rule 4: what replaces nodes and what replaces API servers do not overlap.
func TestRule04AnUpgradeWaitsForPoolsByName(t *testing.T) {
	pool := func(phase v1alpha1.PoolPhase) v1alpha1.NodePool {
		p := v1alpha1.NodePool{ObjectMeta: metav1.ObjectMeta{Name: "web"}}
		p.Generation, p.Status.ObservedGeneration = 4, 4
		p.Status.Phase, p.Status.Message = phase, "2 of 3 nodes are ready"
		return p
	}
	for phase, busy := range map[v1alpha1.PoolPhase]bool{
		v1alpha1.PoolActive: false, v1alpha1.PoolDegraded: false, v1alpha1.PoolPending: false, v1alpha1.PoolError: false,
		v1alpha1.PoolScaling: true, v1alpha1.PoolUpdating: true, v1alpha1.PoolUpgrading: true, v1alpha1.PoolCreating: true,
	} {
		err := poolBusy([]v1alpha1.NodePool{pool(v1alpha1.PoolActive), pool(phase)})
		if (err != nil) != busy || err != nil && !strings.Contains(err.Error(), "node pool web is Active, which is "+string(phase)) {
			t.Errorf("with a pool that is %s: %v", phase, err)
		}
	}
	for reason, busy := range map[string]bool{"Replacing": true, "NodesNotReady": false, "ReplacementStopped": false, "FlavorNotOffered": false} {
		p := pool(v1alpha1.PoolDegraded)
		p.Status.Conditions = []metav1.Condition{{Type: "Ready", Status: "False", Reason: reason}}
		err := poolBusy([]v1alpha1.NodePool{p})
		if (err != nil) != busy || err != nil && !strings.Contains(err.Error(), "node pool web has replaced its nodes, which is Degraded: 2 of 3 nodes are ready") {
			t.Errorf("with a pool that is Degraded for %s: %v", reason, err)
		}
	}
	changed := pool(v1alpha1.PoolActive)
	changed.Generation++
	if err := poolBusy([]v1alpha1.NodePool{changed}); err == nil || !strings.Contains(err.Error(), "node pool web has taken up its last change") {
		t.Errorf("with a pool whose change nobody has looked at: %v", err)
	}
	changed.DeletionTimestamp = &metav1.Time{Time: noon}
	if err := poolBusy([]v1alpha1.NodePool{changed}); err != nil {
		t.Errorf("with a pool that is being deleted, which goes on at any time: %v", err)
	}
}

// Rule 13: a patch skips what another minor version may break, and going back is always open.
func TestRule13APatchInspectsNothing(t *testing.T) {
	w := newWorld(t)
	w.must(w.api.Create(t.Context(), &v1alpha1.KubernetesRelease{ObjectMeta: metav1.ObjectMeta{Name: "1.36.9-1"}}))
	w.create()
	w.settle()
	w.found.deprecated = []release.DeprecatedAPI{endedAPI}
	w.change(func(c *v1alpha1.Cluster) { c.Spec.Version = "1.36.9-1" })
	w.settle()
	if c := w.cluster1(); c.Status.Version != "1.36.9-1" || w.found.asked != 0 {
		t.Errorf("it runs %s: %s; the tenant was inspected %d times", c.Status.Version, c.Status.Message, w.found.asked)
	}
}
