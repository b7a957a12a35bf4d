package cluster

import (
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/apitest"
	"github.com/marina-dev/marina/pkg/reconcile"
)

func TestPhase(t *testing.T) {
	cases := map[string]struct {
		facts facts
		want  v1alpha1.ClusterPhase
	}{
		"nothing has been made yet":                       {facts{Changing: true}, v1alpha1.ClusterPending},
		"the spec is refused before anything was made":    {facts{Refused: true, Changing: true}, v1alpha1.ClusterPending},
		"the control plane has never been ready":          {facts{HasControlPlane: true, Changing: true}, v1alpha1.ClusterCreating},
		"it cannot come up without a person":              {facts{HasControlPlane: true, Refused: true}, v1alpha1.ClusterError},
		"it serves what was asked for":                    {facts{HasControlPlane: true, BeenReady: true, Ready: true}, v1alpha1.ClusterActive},
		"it serves another version":                       {facts{HasControlPlane: true, BeenReady: true, Ready: true, Changing: true}, v1alpha1.ClusterUpgrading},
		"it has served and does not":                      {facts{HasControlPlane: true, BeenReady: true}, v1alpha1.ClusterDegraded},
		"it serves but a change was refused":              {facts{HasControlPlane: true, BeenReady: true, Ready: true, Refused: true, Changing: true}, v1alpha1.ClusterDegraded},
		"it failed in the middle of an upgrade":           {facts{HasControlPlane: true, BeenReady: true, Changing: true}, v1alpha1.ClusterDegraded},
		"the control plane of an active cluster was lost": {facts{BeenReady: true}, v1alpha1.ClusterDegraded},
		"its version is changing and was stopped":         {facts{HasControlPlane: true, BeenReady: true, Ready: true, Changing: true, Stopped: true}, v1alpha1.ClusterDegraded},
		"an operation runs":                               {facts{HasControlPlane: true, BeenReady: true, Ready: true, Operating: true}, v1alpha1.ClusterUpdating},
		"an operation runs and it does not serve":         {facts{HasControlPlane: true, BeenReady: true, Operating: true}, v1alpha1.ClusterDegraded},
		"deleted in the middle of creation":               {facts{Deleting: true, HasControlPlane: true}, v1alpha1.ClusterDeleting},
		"deleted while it serves":                         {facts{Deleting: true, HasControlPlane: true, BeenReady: true, Ready: true}, v1alpha1.ClusterDeleting},
		"deleted after it was refused":                    {facts{Deleting: true, Refused: true}, v1alpha1.ClusterDeleting},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := phase(tc.facts); got != tc.want {
				t.Errorf("phase(%+v) = %s, want %s", tc.facts, got, tc.want)
			}
		})
	}
}

// A phase that is not derived from facts would depend on the one before. Here all
// combinations of facts are walked: no phase may appear that this version does not
// promise, and Deleting wins over everything.
func TestPhaseOfEveryCombination(t *testing.T) {
	known := map[v1alpha1.ClusterPhase]bool{
		"Pending": true, "Creating": true, "Active": true, "Updating": true, "Upgrading": true, "Degraded": true, "Deleting": true, "Error": true,
	}
	bit := func(i, n int) bool { return i>>n&1 == 1 }
	for i := range 1 << 8 {
		f := facts{Deleting: bit(i, 0), Refused: bit(i, 1), HasControlPlane: bit(i, 2), BeenReady: bit(i, 3),
			Ready: bit(i, 4), Changing: bit(i, 5), Stopped: bit(i, 6), Operating: bit(i, 7)}
		got := phase(f)
		if !known[got] {
			t.Errorf("phase(%+v) = %q, which is no phase", f, got)
		}
		if f.Deleting != (got == v1alpha1.ClusterDeleting) {
			t.Errorf("phase(%+v) = %s: Deleting exactly when deleted", f, got)
		}
		if got == v1alpha1.ClusterActive && (!f.Ready || f.Changing || f.Refused || f.Stopped || f.Operating) {
			t.Errorf("phase(%+v) = Active, but it is not as asked", f)
		}
		if f.BeenReady && (got == v1alpha1.ClusterPending || got == v1alpha1.ClusterCreating || got == v1alpha1.ClusterError) {
			t.Errorf("phase(%+v) = %s, but it has been ready: it may serve, and there is something to lose", f, got)
		}
		if !f.BeenReady && (got == v1alpha1.ClusterDegraded || got == v1alpha1.ClusterUpgrading || got == v1alpha1.ClusterUpdating || got == v1alpha1.ClusterActive) {
			t.Errorf("phase(%+v) = %s, but it has never been ready", f, got)
		}
	}
}

// The pass that creates the control plane has nothing left to do and has seen
// nothing yet: success of the steps is not readiness.
func TestAClusterIsNotReadyBeforeItsControlPlaneIs(t *testing.T) {
	ready := metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: "AsExpected"}
	hcp := func(conditions ...metav1.Condition) *v1alpha1.HostedControlPlane {
		return &v1alpha1.HostedControlPlane{Status: v1alpha1.HostedControlPlaneStatus{Version: "1.37.1-1", Conditions: conditions}}
	}
	cases := map[string]struct {
		hcp  *v1alpha1.HostedControlPlane
		err  error
		want metav1.ConditionStatus
	}{
		"the control plane has just been created":   {nil, nil, metav1.ConditionUnknown},
		"it has no status yet":                      {hcp(), nil, metav1.ConditionUnknown},
		"it is ready":                               {hcp(ready), nil, metav1.ConditionTrue},
		"it is ready and a change of it is refused": {hcp(ready), reconcile.UserError("UpgradeRefused", "no"), metav1.ConditionTrue},
		"the spec is refused at first":              {nil, reconcile.UserError("ReleaseNotFound", "no"), metav1.ConditionFalse},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := &Reconciler{Now: time.Now, events: events.NewFakeRecorder(10)}
			cluster := &v1alpha1.Cluster{Spec: v1alpha1.ClusterSpec{Version: "1.37.1-1"}}
			s := &scope{cluster: cluster, hcp: tc.hcp}
			if s.refused = userError(tc.err); s.refused != nil {
				tc.err = nil
			}
			r.writeStatus(s, cluster.DeepCopy(), tc.err)
			got := meta.FindStatusCondition(cluster.Status.Conditions, v1alpha1.ConditionReady)
			if got == nil || got.Status != tc.want {
				t.Errorf("Ready = %+v, want %s", got, tc.want)
			}
			if wantSince := tc.want == metav1.ConditionTrue; (cluster.Status.ReadySince != nil) != wantSince {
				t.Errorf("readySince = %v", cluster.Status.ReadySince)
			}
		})
	}
}

// Everything that can happen to a Cluster changes one fact. From each combination of
// facts that can come about, each such change is made; what follows from that is every
// transition of phases that there is, and these are all.
func TestEveryTransition(t *testing.T) {
	want := map[v1alpha1.ClusterPhase][]v1alpha1.ClusterPhase{
		"Pending":  {"Creating", "Deleting"},
		"Creating": {"Pending", "Error", "Active", "Deleting"},
		// It may have come up with what it had been given before its spec was refused.
		"Error":     {"Pending", "Creating", "Degraded", "Deleting"},
		"Active":    {"Updating", "Upgrading", "Degraded", "Deleting"},
		"Updating":  {"Active", "Upgrading", "Degraded", "Deleting"},
		"Upgrading": {"Active", "Updating", "Degraded", "Deleting"},
		"Degraded":  {"Active", "Updating", "Upgrading", "Deleting"},
		// The end: the object goes.
		"Deleting": nil,
	}
	type pair struct{ from, to v1alpha1.ClusterPhase }
	found := map[pair]bool{}
	start := facts{Changing: true}
	seen := map[facts]bool{start: true}
	for todo := []facts{start}; len(todo) > 0; {
		from := todo[0]
		todo = todo[1:]
		for _, to := range happenings(from) {
			found[pair{phase(from), phase(to)}] = true
			if !seen[to] {
				seen[to] = true
				todo = append(todo, to)
			}
		}
	}
	if len(seen) < 50 {
		t.Fatalf("only %d combinations of facts: the walk does not go far", len(seen))
	}
	picture := apitest.Transitions(t, lifecycle, "## A Cluster")
	allowed := map[pair]bool{}
	for from, tos := range want {
		if to := picture[string(from)]; len(to) != len(tos) && from != v1alpha1.ClusterDeleting {
			t.Errorf("the picture leads from %s to %v, and not to %v", from, to, tos)
		}
		for _, to := range tos {
			if !slices.Contains(picture[string(from)], string(to)) {
				t.Errorf("the picture does not lead from %s to %s", from, to)
			}
			allowed[pair{from, to}] = true
			if !found[pair{from, to}] {
				t.Errorf("%s never becomes %s", from, to)
			}
		}
	}
	for p := range found {
		if p.from != p.to && !allowed[p] {
			t.Errorf("%s becomes %s, which must not be", p.from, p.to)
		}
	}
}

// happenings are what facts can become by one thing that happens.
func happenings(f facts) (all []facts) {
	happens := func(can bool, change func(*facts)) {
		if can {
			next := f
			change(&next)
			all = append(all, next)
		}
	}
	// What is deleted stays so, and what has been ready has been.
	happens(!f.Deleting, func(f *facts) { f.Deleting = true })
	happens(true, func(f *facts) { f.Refused = !f.Refused })
	happens(!f.HasControlPlane && !f.Refused, func(f *facts) { f.HasControlPlane = true })
	happens(f.HasControlPlane, func(f *facts) { f.HasControlPlane, f.Ready = false, false })
	happens(f.HasControlPlane && !f.Ready, func(f *facts) {
		f.Changing = f.Changing && f.BeenReady
		f.Ready, f.BeenReady = true, true
	})
	happens(f.Ready, func(f *facts) { f.Ready = false })
	happens(f.BeenReady, func(f *facts) { f.Changing, f.Stopped = !f.Changing, false })
	happens(f.BeenReady && f.Changing, func(f *facts) { f.Stopped = !f.Stopped })
	happens(f.BeenReady, func(f *facts) { f.Operating = !f.Operating })
	return all
}

// A condition that a control plane has no more is not left behind.
func TestConditionsAreMirrored(t *testing.T) {
	r := &Reconciler{Now: time.Now, events: events.NewFakeRecorder(10)}
	cluster := &v1alpha1.Cluster{Spec: v1alpha1.ClusterSpec{Version: "1.37.1-1"}}
	hcp := &v1alpha1.HostedControlPlane{Status: v1alpha1.HostedControlPlaneStatus{Version: "1.37.1-1", Conditions: []metav1.Condition{
		{Type: "KonnectivityReady", Status: metav1.ConditionTrue, Reason: "AsExpected"},
		{Type: "AddonsReady", Status: metav1.ConditionTrue, Reason: "AsExpected"},
	}}}
	for _, want := range []bool{true, false} {
		r.writeStatus(&scope{cluster: cluster, hcp: hcp}, cluster.DeepCopy(), nil)
		if got := meta.IsStatusConditionTrue(cluster.Status.Conditions, "KonnectivityReady"); got != want {
			t.Errorf("KonnectivityReady is shown: %v, want %v", got, want)
		}
		if !meta.IsStatusConditionTrue(cluster.Status.Conditions, "AddonsReady") {
			t.Error("AddonsReady is not shown")
		}
		meta.RemoveStatusCondition(&hcp.Status.Conditions, "KonnectivityReady")
	}
}
