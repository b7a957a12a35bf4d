package nodepool

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// newGivenUp is a pool of so many nodes whose upgrade was given up, as new nodes do not come of
// which there may be two more.
func newGivenUp(t *testing.T, nodes int32, change func(*v1alpha1.NodePoolSpec)) *world {
	t.Helper()
	w := newVersionWorld(t)
	w.pool.Spec.Version, w.pool.Spec.Replicas, w.pool.Spec.Upgrade.MaxSurge = earlier, &nodes, new(int32(2))
	change(&w.pool.Spec)
	w.active()
	w.change(func(s *v1alpha1.NodePoolSpec) { s.Version = patched })
	w.fruitless()
	w.is(v1alpha1.PoolDegraded, "the replacement of nodes has stopped")
	w.now = w.now.Add(time.Hour)
	return w
}

// fruitless is settle where no node comes that is of the kind asked for.
func (w *world) fruitless() {
	w.Helper()
	for again := true; again; {
		w.mustPass()
		again = w.vanish()
		for _, m := range w.machines() {
			if m.Spec.Template.Release == patched && !w.lost[m.Name] {
				again, w.lost[m.Name] = true, true
				w.fails(m, tries, "CreationTimeout", "it has not become a Ready node within 30m0s")
			}
		}
	}
	w.settle()
}

// kinds are the releases of nodes, with how many are Ready: "1.34.9-1 3 of 3".
func (w *world) kinds() (words []string) {
	w.Helper()
	all, ready := map[string]int{}, map[string]int{}
	for _, m := range w.machines() {
		if all[m.Spec.Template.Release]++; isReady(m) {
			ready[m.Spec.Template.Release]++
		}
	}
	for release, n := range all {
		words = append(words, fmt.Sprintf("%s %d of %d", release, ready[release], n))
	}
	slices.Sort(words)
	return words
}

func (w *world) wantKinds(want ...string) {
	w.Helper()
	if diff := cmp.Diff(want, w.kinds()); diff != "" {
		w.Errorf("nodes (-want +got):\n%s", diff)
	}
}

func asIs(*v1alpha1.NodePoolSpec) {}

// Rule 20: when an upgrade has been given up, the pool can have another number of nodes, which are of
// the kind that serves; and the upgrade comes to its end with that number when new ones come.
func TestRule20TheNumberIsFreeWhenAnUpgradeIsGivenUp(t *testing.T) {
	for name, tc := range map[string]struct {
		nodes, wanted int32
		change        func(*v1alpha1.NodePoolSpec)
		want          []string
	}{
		"More":  {3, 5, asIs, []string{earlier + " 5 of 5", patched + " 0 of 2"}},
		"Fewer": {3, 2, asIs, []string{earlier + " 2 of 2", patched + " 0 of 2"}},
		"One":   {3, 1, asIs, []string{earlier + " 1 of 1", patched + " 0 of 1"}},
		"None":  {3, 0, asIs, nil},
		// With more nodes there may be two more, of which one has not been tried.
		"MoreAreTried": {1, 3, asIs, []string{earlier + " 3 of 3", patched + " 0 of 3"}},
		"OneIsMissing": {3, 5, func(s *v1alpha1.NodePoolSpec) {
			s.Upgrade.MaxSurge, s.Upgrade.MaxUnavailable = new(int32(1)), new(int32(1))
		}, []string{earlier + " 4 of 4", patched + " 0 of 2"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newGivenUp(t, tc.nodes, tc.change)
			w.change(func(s *v1alpha1.NodePoolSpec) { s.Replicas = &tc.wanted })
			w.fruitless()
			w.wantKinds(tc.want...)
			if tc.wanted > 0 {
				w.is(v1alpha1.PoolDegraded, fmt.Sprintf("of %d", tc.wanted))
				w.says("Ready", "False", "ReplacementStopped", "")
			}
			if name != "OneIsMissing" {
				w.history("Create Succeeded 4/4", "Scale Succeeded 3/3", "Update Failed 1/4")
			}
			w.lost = map[string]bool{} // what was wrong is corrected
			w.settle()
			w.is(v1alpha1.PoolActive, fmt.Sprintf("%d of %d", tc.wanted, tc.wanted))
			w.releases(patched)
			w.history("Create Succeeded 4/4", "Scale Succeeded 3/3", "Update Failed 1/4")
		})
	}
}

// What serves on when a replacement has been given up is healed, by nodes of its kind; and not while
// it has only stopped, and goes on.
func TestANodeIsHealedWhereAReplacementIsGivenUp(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*v1alpha1.NodePoolSpec)
		lose   func(*world)
	}{
		"Replace": {asIs, func(w *world) { w.lose("shop-web-00002", 10*time.Minute) }},
		"Rebuild": {func(s *v1alpha1.NodePoolSpec) { s.AutoHeal.Action = v1alpha1.HealRebuild }, func(w *world) { w.lose("shop-web-00002", 10*time.Minute) }},
		"Gone":    {asIs, func(w *world) { w.deleteServer("shop-web-00002") }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newGivenUp(t, 3, tc.change)
			tc.lose(w)
			w.settle()
			w.has("00001", "00003", "00004", "00005", "00006")
			w.wantKinds(earlier+" 3 of 3", patched+" 0 of 2")
			w.says("Healthy", "True", "AsExpected", "")
			w.history("Create Succeeded 4/4", "Heal Succeeded 3/3", "Update Failed 1/4")
			// Back to what serves: nothing is made for that.
			w.change(func(s *v1alpha1.NodePoolSpec) { s.Version = earlier })
			w.settle()
			w.is(v1alpha1.PoolActive, "3 of 3")
			w.has("00001", "00003", "00006")
		})
	}
}

// A server that could not be made anew in place keeps nobody from more nodes either, which are made
// anew in their turn.
func TestRule20TheNumberIsFreeWhenAnUpgradeInPlaceHasStopped(t *testing.T) {
	w := newInPlace(t)
	w.change(func(s *v1alpha1.NodePoolSpec) { s.Version = patched })
	w.mustPass()
	m := w.rebuilding()[0]
	w.report(m, func(s *v1alpha1.MachineStatus) {
		meta.SetStatusCondition(&s.Conditions, metav1.Condition{Type: "ServerReady", Status: "False", Reason: "ServerError", Message: "it is in ERROR", ObservedGeneration: m.Generation})
	})
	w.mustPass()
	w.change(func(s *v1alpha1.NodePoolSpec) { s.Replicas = new(int32(5)) })
	for range 3 {
		w.mustPass()
		for _, added := range w.machines() {
			if added.Status.ServerID == "" {
				w.runsServer(added)
			} else if added.Status.Node == nil {
				w.comes(added)
			}
		}
	}
	w.has("00001", "00002", "00003", "00004", "00005")
	w.is(v1alpha1.PoolDegraded, "4 of 5 nodes are ready; no other node is made anew, as "+m.Name)
	w.ask(v1alpha1.OperationResync, "again")
	w.settle()
	w.has("00001", "00002", "00003", "00004", "00005")
	w.is(v1alpha1.PoolActive, "5 of 5")
	w.releases(patched)
}

// The last one that served is replaced by one of its kind, too, when somebody deletes its server.
func TestTheOnlyNodeIsMadeAgainWhereAReplacementIsGivenUp(t *testing.T) {
	w := newGivenUp(t, 1, asIs)
	w.deleteServer("shop-web-00001")
	w.settle()
	w.wantKinds(earlier+" 1 of 1", patched+" 0 of 1")
}

// Nodes of the former kind need room as any other.
func TestMoreOfTheFormerKindNeedRoom(t *testing.T) {
	w := newGivenUp(t, 3, asIs)
	w.network.Spec.PodCIDR = "10.244.0.0/21"
	w.must(management.Client.Update(t.Context(), w.network))
	w.change(func(s *v1alpha1.NodePoolSpec) { s.Replicas = new(int32(15)) })
	w.mustPass()
	w.says("SpecAccepted", "False", "PodCIDRTooSmall", "room for 8 nodes")
	w.wantKinds(earlier+" 3 of 3", patched+" 0 of 2")
}

// What is made is of a kind that is Ready, before a newer one that came and is not any more.
func TestTheFormerKindIsOneThatIsReady(t *testing.T) {
	at := func(minute int) metav1.Time { return metav1.NewTime(noon.Add(time.Duration(minute) * time.Minute)) }
	machine := func(name, release string, made int) v1alpha1.Machine {
		came := at(made)
		m := v1alpha1.Machine{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), CreationTimestamp: came}}
		m.Spec.Template.Release = release
		m.Status = v1alpha1.MachineStatus{ReadySince: &came, Node: &v1alpha1.MachineNode{UID: "1", Ready: true}}
		return m
	}
	oldest, newer, vain := machine("oldest", "1", 1), machine("newer", "2", 2), machine("vain", "3", 3)
	vain.Status = v1alpha1.MachineStatus{Failures: tries}
	w := wish{spec: v1alpha1.NodePoolSpec{Replicas: new(int32(2))}, template: v1alpha1.MachineTemplate{Release: "3"}}
	if f := w.former([]v1alpha1.Machine{oldest, newer, vain}); f == nil || f.Release != "2" {
		t.Errorf("with two that are Ready: %+v, want the newer one's", f)
	}
	newer.Status.Node.Ready = false
	if f := w.former([]v1alpha1.Machine{oldest, newer, vain}); f == nil || f.Release != "1" {
		t.Errorf("with a newer one that is not Ready: %+v, want that of the one that is", f)
	}
}
