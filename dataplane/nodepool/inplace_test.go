package nodepool

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// newInPlace is a pool of three nodes of an earlier version, which are made anew in place.
func newInPlace(t testing.TB) *world {
	w := newVersionWorld(t)
	w.pool.Spec.Version, w.pool.Spec.Upgrade.Strategy = earlier, v1alpha1.UpgradeInPlace
	return w.active()
}

// rebuilding are the Machines that are being made anew.
func (w *world) rebuilding() []v1alpha1.Machine {
	w.Helper()
	return slices.DeleteFunc(w.machines(), func(m v1alpha1.Machine) bool { return !m.Rebuilding() })
}

// In place every Machine stays, strictly one at a time is changed, the last made first, and the
// number of nodes is frozen meanwhile.
func TestRule16InPlace(t *testing.T) {
	w := newInPlace(t)
	before := w.names()
	w.change(func(s *v1alpha1.NodePoolSpec) { s.Version, s.Replicas = patched, new(int32(4)) })
	w.mustPass()
	seen := map[string]bool{}
	for range 3 {
		for range 3 {
			w.mustPass()
		}
		busy := w.rebuilding()
		if len(busy) != 1 || seen[busy[0].Name] {
			t.Fatalf("%d are changed at a time, after %v: want one that was not", len(busy), seen)
		}
		m := busy[0]
		if r := m.Spec.Rebuild; r.Release != earlier || m.Spec.Template.Release != patched {
			t.Errorf("it comes from %s to %s", r.Release, m.Spec.Template.Release)
		}
		seen[m.Name] = true
		w.is(v1alpha1.PoolUpgrading, "2 of 3 nodes are ready")
		w.says("SizeFrozen", "True", "ResizeWaits", "")
		if len(seen) < 3 {
			w.join()
		}
	}
	if !slices.Equal(w.names(), before) {
		t.Errorf("the nodes are %v, were %v", w.names(), before)
	}
	w.settle()
	w.releases(patched)
	if names := w.names(); len(names) != 4 || slices.ContainsFunc(before, func(n string) bool { return !slices.Contains(names, n) }) {
		t.Errorf("the nodes are %v in the end, were %v", names, before)
	}
}

// Rolling has no node in common with before.
func TestRule16Rolling(t *testing.T) {
	w := newVersionWorld(t)
	w.pool.Spec.Version = earlier
	w.active()
	before := w.names()
	w.change(func(s *v1alpha1.NodePoolSpec) { s.Version = patched })
	w.settle()
	w.releases(patched)
	for _, name := range w.names() {
		if slices.Contains(before, name) {
			t.Errorf("%s was there before", name)
		}
	}
}

// What Nova cannot change in a server that stays has it replaced, and that is said.
func TestInPlaceWithAnotherFlavor(t *testing.T) {
	w := newInPlace(t)
	before := w.names()
	w.change(func(s *v1alpha1.NodePoolSpec) { s.Flavor = "b3-16" })
	w.mustPass()
	if o := w.operation(v1alpha1.OperationUpdate); len(w.rebuilding()) > 0 || !strings.Contains(o.Status.Message, "replaced and not made anew in place") {
		t.Errorf("%d are made anew, and the Operation says %q", len(w.rebuilding()), o.Status.Message)
	}
	w.settle()
	w.is(v1alpha1.PoolActive, "3 of 3")
	if slices.ContainsFunc(w.names(), func(n string) bool { return slices.Contains(before, n) }) {
		t.Errorf("the nodes are %v, were %v", w.names(), before)
	}
}

// A server that could not be made anew stops the others. A Resync has it tried once more,
// another strategy has it replaced, and the former version leads back.
func TestInPlaceFails(t *testing.T) {
	for name, help := range map[string]func(*world){
		"Resync": func(w *world) { w.ask(v1alpha1.OperationResync, "again") },
		"Rolling": func(w *world) {
			w.change(func(s *v1alpha1.NodePoolSpec) { s.Upgrade.Strategy = v1alpha1.UpgradeRolling })
		},
		"Back": func(w *world) { w.change(func(s *v1alpha1.NodePoolSpec) { s.Version = earlier }) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newInPlace(t)
			before := w.names()
			w.change(func(s *v1alpha1.NodePoolSpec) { s.Version = patched })
			w.mustPass()
			m := w.rebuilding()[0]
			w.report(m, func(s *v1alpha1.MachineStatus) {
				s.Message = "the server is in ERROR"
				meta.SetStatusCondition(&s.Conditions, metav1.Condition{Type: "ServerReady", Status: "False", Reason: "ServerError", Message: s.Message, ObservedGeneration: m.Generation})
			})
			for range 3 {
				w.mustPass()
			}
			w.is(v1alpha1.PoolDegraded, "no other node is made anew, as "+m.Name+": the server is in ERROR; the others go on serving")
			w.history("Create Succeeded 4/4", "Update Failed 1/4")
			if again := w.rebuilding(); len(again) != 1 || again[0].Spec.Rebuild.ID != m.Spec.Rebuild.ID {
				t.Fatalf("it is tried again by itself: %+v", again)
			}
			help(w)
			w.settle()
			w.is(v1alpha1.PoolActive, "3 of 3")
			w.releases(w.pool.Spec.Version)
			if kept := slices.Equal(w.names(), before); kept != (name != "Rolling") {
				t.Errorf("the nodes are %v, were %v", w.names(), before)
			}
		})
	}
}
