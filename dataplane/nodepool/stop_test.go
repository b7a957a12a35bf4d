package nodepool

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// fails has the server of a Machine fail as often as that.
func (w *world) fails(m v1alpha1.Machine, times int32, reason, message string) {
	w.Helper()
	w.report(m, func(s *v1alpha1.MachineStatus) {
		s.Failures, s.Message, s.RetryAt = times, message, &metav1.Time{Time: w.now.Add(time.Minute)}
		meta.SetStatusCondition(&s.Conditions, metav1.Condition{Type: "ServerReady", Status: "False", Reason: reason, Message: message})
	})
}

// added are the Machines that there are besides some.
func (w *world) added(before []string) (added []v1alpha1.Machine) {
	w.Helper()
	return slices.DeleteFunc(w.machines(), func(m v1alpha1.Machine) bool { return slices.Contains(before, m.Name) })
}

// An upgrade stops when as many new nodes did not come as there may be more and fewer: the old
// ones stay, and everybody is told why. It goes on when they come, and back when that is asked
// for.
func TestRule20UpgradeStops(t *testing.T) {
	for name, back := range map[string]bool{"GoesOn": false, "GoesBack": true} {
		t.Run(name, func(t *testing.T) {
			w := newVersionWorld(t)
			w.pool.Spec.Version, w.pool.Spec.Upgrade.MaxSurge = earlier, new(int32(2))
			w.active()
			old := w.names()
			w.change(func(s *v1alpha1.NodePoolSpec) { s.Version = patched })
			w.mustPass()
			added := w.added(old)
			if len(added) != 2 {
				t.Fatalf("%d new nodes are made, want 2", len(added))
			}
			for _, m := range added {
				w.fails(m, 3, "CreationTimeout", "it has not become a Ready node within 30m0s")
			}
			for range 3 {
				w.mustPass()
			}
			w.is(v1alpha1.PoolDegraded, "2 new nodes have not come: "+added[0].Name+" (it has not become a Ready node within 30m0s), "+added[1].Name)
			w.says("Ready", "False", "ReplacementStopped", "marina nodepool resync web")
			w.history("Create Succeeded 4/4", "Update Failed 1/4")
			if n := len(w.names()); n != 5 {
				t.Errorf("%d nodes are there, want the three old ones and two", n)
			}
			want := patched
			if back {
				want = earlier
				w.change(func(s *v1alpha1.NodePoolSpec) { s.Version = earlier })
			}
			w.settle()
			w.is(v1alpha1.PoolActive, "3 of 3")
			w.releases(want)
			if back != slices.Equal(w.names(), old) {
				t.Errorf("back: %t, and the nodes are %v, were %v", back, w.names(), old)
			}
		})
	}
}

// Without one more node there is no room for a new one: with maxUnavailable an old one makes
// place for it, and else it is said what would help.
func TestSurgeWithoutRoom(t *testing.T) {
	for name, tc := range map[string]struct {
		unavailable int32
		phase       v1alpha1.PoolPhase
		words       string
	}{
		"OneMayBeMissing": {1, v1alpha1.PoolUpgrading, "nodes are replaced fewer at a time, as there is no room for more"},
		"NoneMayBe":       {0, v1alpha1.PoolDegraded, "give it room, or set upgrade.maxUnavailable to 1"},
	} {
		for _, reason := range []string{"NoCapacity", "QuotaExceeded"} {
			t.Run(name+reason, func(t *testing.T) {
				w := newVersionWorld(t)
				w.pool.Spec.Version, w.pool.Spec.Upgrade.MaxUnavailable = earlier, &tc.unavailable
				w.active()
				old := w.names()
				w.change(func(s *v1alpha1.NodePoolSpec) { s.Version = patched })
				// There is room for three servers, and those that go have theirs until then.
				for range 60 {
					w.mustPass()
					room := 3 - len(w.machines())
					added := w.added(old)
					for _, m := range added {
						room++
						if isReady(m) {
							room--
						}
					}
					for _, m := range added {
						switch {
						case m.DeletionTimestamp != nil || isReady(m):
						case room > 0:
							room--
							w.report(m, func(s *v1alpha1.MachineStatus) {
								s.ServerID, s.ReadySince, s.Node = m.Name, &metav1.Time{Time: w.now}, &v1alpha1.MachineNode{Ready: true}
								meta.SetStatusCondition(&s.Conditions, metav1.Condition{Type: "ServerReady", Status: "True", Reason: "AsExpected"})
							})
						default:
							w.fails(m, 0, reason, "there is none")
						}
					}
					if len(added) == 1 && !isReady(w.added(old)[0]) {
						w.mustPass()
						w.is(tc.phase, tc.words)
						if o := w.operation(v1alpha1.OperationUpdate); o.Status.Phase != v1alpha1.OperationRunning {
							t.Errorf("it is %s: %s", o.Status.Phase, o.Status.Message)
						}
					}
					w.vanish()
				}
				if tc.unavailable == 0 {
					if n := len(w.added(old)); n != 1 {
						t.Errorf("%d new nodes, want one that waits", n)
					}
					w.settle() // there is room
				}
				w.is(v1alpha1.PoolActive, "3 of 3")
				w.releases(patched)
			})
		}
	}
}

// Whatever becomes of new nodes, there are never fewer ready ones than may be missing, and never
// more servers than there may be.
func TestRule20NeverFewerReady(t *testing.T) {
	for seed := range uint64(400) {
		random := rand.New(rand.NewPCG(seed, 20))
		wanted, surge, unavailable := 1+random.Int32N(6), random.Int32N(4), random.Int32N(4)
		if surge+unavailable == 0 {
			continue
		}
		all := machines(t, many(int(wanted), "ready old")...)
		w := wish{template: v1alpha1.MachineTemplate{Flavor: "b3-8"}}
		w.spec.Replicas, w.spec.Upgrade = &wanted, v1alpha1.PoolUpgrade{MaxSurge: &surge, MaxUnavailable: &unavailable}
		for turn := range 60 {
			todo := plan(w, all)
			former := todo.former != nil && len(todo.delete) == 0 && todo.rebuild == nil
			if w.isStopped(all) && !todo.none() && !former {
				t.Fatalf("seed %d: it has stopped, and %+v", seed, todo)
			}
			for _, d := range todo.delete {
				i := slices.IndexFunc(all, func(m v1alpha1.Machine) bool { return m.Name == d.Name })
				all[i].DeletionTimestamp, all[i].Status.Node = &metav1.Time{Time: noon}, nil
			}
			added := machines(t, many(todo.create, "new")...)
			for i := range added {
				if former {
					added[i].Spec.Template = *todo.former
				}
				added[i].Name = fmt.Sprintf("t%d-%d", turn, i)
			}
			all = append(all, added...)
			ready := int32(0)
			for _, m := range all {
				if m.DeletionTimestamp == nil && isReady(m) {
					ready++
				}
			}
			if ready < wanted-unavailable || int32(len(all)) > wanted+surge {
				t.Fatalf("seed %d: %d of %d are ready with %d missing at most, %d servers with %d more at most", seed, ready, wanted, unavailable, len(all), surge)
			}
			i := random.IntN(len(all))
			switch m := &all[i]; {
			case m.DeletionTimestamp != nil:
				all = slices.Delete(all, i, i+1)
			case !isReady(*m) && random.IntN(3) == 0:
				m.Status.Failures++
			case !isReady(*m) && m.Status.Failures == 0:
				m.Status.ReadySince, m.Status.Node = &metav1.Time{Time: noon}, &v1alpha1.MachineNode{Ready: true}
			}
		}
	}
}
