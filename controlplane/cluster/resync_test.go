package cluster

import (
	"context"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/operation"
)

// resync is what the network asks the pools for.
func (w *world) resync() string {
	w.Helper()
	list := &v1alpha1.ClusterNetworkList{}
	w.must(w.api.List(context.Background(), list))
	if len(list.Items) == 0 {
		return ""
	}
	return list.Items[0].Spec.Resync
}

// A Resync ends when also the network and all servers have been looked at, as they say.
func TestResyncInTheCloud(t *testing.T) {
	runs := running(op(v1alpha1.OperationResync, "r"), 1)
	at := func(change func(*v1alpha1.ClusterNetwork, *v1alpha1.NodePool)) situation {
		s := given{operations: ops(runs)}.situation()
		s.cluster.Spec.InfrastructureRef = &v1alpha1.LocalReference{Name: "paris"}
		s.hcp.Status.Resynced = string(runs.UID)
		n := &v1alpha1.ClusterNetwork{ObjectMeta: metav1.ObjectMeta{Generation: 2}}
		n.Spec.Resync, n.Status.ObservedGeneration = string(runs.UID), 2
		n.Status.Conditions = []metav1.Condition{{Type: "Ready", Status: "True"}}
		p := v1alpha1.NodePool{}
		p.Status.Resynced = string(runs.UID)
		change(n, &p)
		s.network, s.pools = n, []v1alpha1.NodePool{p}
		return s
	}
	for name, tc := range map[string]struct {
		change func(*v1alpha1.ClusterNetwork, *v1alpha1.NodePool)
		left   string
	}{
		"all looked at":          {func(*v1alpha1.ClusterNetwork, *v1alpha1.NodePool) {}, ""},
		"the network not asked":  {func(n *v1alpha1.ClusterNetwork, _ *v1alpha1.NodePool) { n.Spec.Resync = "earlier" }, "; not done: Network"},
		"the network not looked": {func(n *v1alpha1.ClusterNetwork, _ *v1alpha1.NodePool) { n.Status.ObservedGeneration = 1 }, "; not done: Network"},
		"the pool not looked at": {func(_ *v1alpha1.ClusterNetwork, p *v1alpha1.NodePool) { p.Status.Resynced = "" }, "; not done: Nodes"},
		"a pool that goes is not": {func(_ *v1alpha1.ClusterNetwork, p *v1alpha1.NodePool) {
			p.Status.Resynced, p.DeletionTimestamp = "", &metav1.Time{Time: noon}
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := at(tc.change)
			if left := operation.LeftOver(stepsOf(runs, s)); left != tc.left {
				t.Errorf("%q is left, want %q", left, tc.left)
			}
			want := runs.Name
			if tc.left == "" {
				want = ""
			}
			if got := describe(decide(s)); got != want {
				t.Errorf("%q runs, want %q", got, want)
			}
		})
	}
}

// What is about a pool of a cluster's name is no matter to the cluster.
func TestOperationsOnAPoolOfTheName(t *testing.T) {
	w := newWorld(t)
	w.create()
	o := op(v1alpha1.OperationResync, "of-a-pool")
	o.Spec.TargetRef.Kind = "NodePool"
	w.must(w.api.Create(context.Background(), o))
	w.settle()
	if got := w.operation("of-a-pool"); got.Status.Phase != "" {
		t.Errorf("it is %s: %s", got.Status.Phase, got.Status.Message)
	}
	w.delete()
	w.settle()
	if got := w.operation("of-a-pool"); got.Status.Phase != "" {
		t.Errorf("it is %s: %s", got.Status.Phase, got.Status.Message)
	}
}

func decide(s situation) operation.Decision { return operation.Decide(s, s.operations) }
