package kubernetes

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/controlplane/component"
)

func TestHopeless(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	type world struct {
		claim    *corev1.PersistentVolumeClaim
		pod      *corev1.Pod
		nodeGone bool
	}
	lost := func(w *world) { w.claim.Status.Phase = corev1.ClaimLost }
	gone := func(w *world) { w.nodeGone = true }
	for name, tc := range map[string]struct {
		change []func(*world)
		since  time.Duration
		why    string
		after  time.Duration
	}{
		"Bound":                  {since: time.Hour},
		"Lost":                   {change: []func(*world){lost}, since: 10 * time.Minute, why: "its PersistentVolume is gone"},
		"SomebodyHasTime":        {change: []func(*world){lost}, since: 4 * time.Minute, why: "its PersistentVolume is gone", after: 6 * time.Minute},
		"LostButItRuns":          {change: []func(*world){lost, func(w *world) { w.pod.Status.Conditions[0].Status = corev1.ConditionTrue }}, since: time.Hour},
		"OnlyItsClaimWasDeleted": {change: []func(*world){func(w *world) { w.claim.DeletionTimestamp = &metav1.Time{Time: now} }}, since: time.Hour, why: "its claim is being deleted"},
		"NeverBound":             {change: []func(*world){func(w *world) { w.claim.Status.Phase = corev1.ClaimPending }, gone}, since: time.Hour},
		"ItsNodeIsGone":          {change: []func(*world){gone}, since: time.Hour, why: "it is on a node that is gone"},
	} {
		w := &world{claim: &corev1.PersistentVolumeClaim{}, pod: &corev1.Pod{}}
		w.claim.Status.Phase = corev1.ClaimBound
		w.pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse, LastTransitionTime: metav1.NewTime(now.Add(-tc.since))}}
		for _, change := range tc.change {
			change(w)
		}
		if why, after := hopeless(w.claim, w.pod, w.nodeGone, now); why != tc.why || after != tc.after {
			t.Errorf("%s: %q after %s, want %q after %s", name, why, after, tc.why, tc.after)
		}
	}
}

func TestElsewhere(t *testing.T) {
	for message, want := range map[string]bool{
		"0/3 nodes are available: 3 node(s) had volume node affinity conflict.":             true,
		"0/3 nodes are available: 3 node(s) didn't match PersistentVolume's node affinity.": true,
		"0/3 nodes are available: 3 Insufficient cpu.":                                      false,
	} {
		p := &corev1.Pod{Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: message}}}}
		if got := elsewhere(p); got != want {
			t.Errorf("%q: %v, want %v", message, got, want)
		}
	}
}

func TestOnlyOnLost(t *testing.T) {
	node := func(name, host, zone string) corev1.Node {
		return corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelHostname: host, corev1.LabelTopologyZone: zone}}}
	}
	nodes := []corev1.Node{node("a", "a", "one"), node("b.example", "b", "one")}
	in := func(key string, values ...string) corev1.NodeSelectorRequirement {
		return corev1.NodeSelectorRequirement{Key: key, Operator: corev1.NodeSelectorOpIn, Values: values}
	}
	term := func(all ...corev1.NodeSelectorRequirement) corev1.NodeSelectorTerm {
		return corev1.NodeSelectorTerm{MatchExpressions: all}
	}
	for name, tc := range map[string]struct {
		terms []corev1.NodeSelectorTerm
		want  bool
	}{
		"Anywhere":           {},
		"ALostMachine":       {terms: []corev1.NodeSelectorTerm{term(in(corev1.LabelHostname, "c"))}, want: true},
		"ALostMachineOfZone": {terms: []corev1.NodeSelectorTerm{term(in(corev1.LabelTopologyZone, "one"), in(corev1.LabelHostname, "c"))}, want: true},
		"AMachineThatIs":     {terms: []corev1.NodeSelectorTerm{term(in(corev1.LabelHostname, "b"))}},
		"ByTheNodesName":     {terms: []corev1.NodeSelectorTerm{term(in(corev1.LabelHostname, "b.example"))}},
		"OneOfThemIs":        {terms: []corev1.NodeSelectorTerm{term(in(corev1.LabelHostname, "c")), term(in(corev1.LabelHostname, "a"))}},
		"AZoneWithoutNodes":  {terms: []corev1.NodeSelectorTerm{term(in(corev1.LabelTopologyZone, "two"))}},
		"NotALostMachine":    {terms: []corev1.NodeSelectorTerm{term(corev1.NodeSelectorRequirement{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpNotIn, Values: []string{"c"}})}},
	} {
		volume := &corev1.PersistentVolume{}
		if tc.terms != nil {
			volume.Spec.NodeAffinity = &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: tc.terms}}
		}
		if got := onlyOnLost(volume, nodes); got != tc.want {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}

// A volume that is lost is given up: late, only for who is expendable, and for nobody
// else.
func TestALostVolumeIsGivenUp(t *testing.T) {
	w := newWorld(t)
	c := w.stateful()
	r := w.run()
	var later atomic.Int64
	r.mu.Lock()
	r.now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	r.mu.Unlock()
	r.settle(c)
	phase := func(ordinal int, phase corev1.PersistentVolumeClaimPhase) {
		t.Helper()
		claim := &corev1.PersistentVolumeClaim{}
		w.get(claim, claimOf(c.Name, ordinal))
		claim.Status.Phase = phase
		if err := w.api.Status().Update(t.Context(), claim); err != nil {
			t.Fatal(err)
		}
	}
	claims := func() map[string]types.UID {
		list := &corev1.PersistentVolumeClaimList{}
		if err := w.api.List(t.Context(), list, client.InNamespace(w.namespace)); err != nil {
			t.Fatal(err)
		}
		uids := map[string]types.UID{}
		for _, claim := range list.Items {
			uids[claim.Name] = claim.UID
		}
		return uids
	}
	for i := range component.EtcdReplicas {
		phase(i, corev1.ClaimBound)
	}
	before := claims()
	for _, i := range []int{1, 2} {
		phase(i, corev1.ClaimLost)
		w.setSick(replicaOf(c.Name, i), true)
		pod := &corev1.Pod{}
		w.get(pod, replicaOf(c.Name, i))
		if err := w.api.Delete(t.Context(), pod); err != nil {
			t.Fatal(err)
		}
	}
	w.await("two are down", func() error {
		s, err := r.Status(t.Context(), c.Namespace, c.Name)
		if err == nil && (s.Ready != 1 || s.Updated != 3) {
			err = fmt.Errorf("status %+v", s)
		}
		return err
	})
	unchanged := func(when string) {
		t.Helper()
		for range 3 {
			if err := r.applyOnce(c); err != nil {
				t.Fatal(err)
			}
		}
		for name, uid := range claims() {
			if before[name] != uid {
				t.Fatalf("%s: %s is another one", when, name)
			}
		}
	}
	later.Store(int64(time.Hour))
	unchanged("nobody is expendable")
	later.Store(int64(9 * time.Minute))
	c.Expendable = []int{1}
	unchanged("somebody may still bring it back")
	later.Store(int64(11 * time.Minute))
	r.want(&c)
	w.await("the claim is another one", func() error {
		uids := claims()
		if uid := uids[claimOf(c.Name, 1)]; uid == "" || uid == before[claimOf(c.Name, 1)] {
			return fmt.Errorf("it is %q still", uid)
		}
		return nil
	})
	after := claims()
	for _, i := range []int{0, 2} {
		if name := claimOf(c.Name, i); after[name] != before[name] {
			t.Errorf("%s is another one: its replica is not expendable", name)
		}
	}
}
