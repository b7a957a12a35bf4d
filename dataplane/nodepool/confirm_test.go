package nodepool

import (
	"context"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// meanwhile is a look past the cache, before which something happens, at the nth list.
type meanwhile struct {
	client.Reader
	nth, seen int
	happens   func()
}

func (m *meanwhile) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	if _, ok := list.(*v1alpha1.MachineList); ok {
		if m.seen++; m.seen == m.nth {
			m.happens()
		}
	}
	return m.Reader.List(ctx, list, opts...)
}

// TestRule23LastLook is about what happens after it has been decided to give a node up, and
// before it is: nothing is deleted then, and nothing made.
func TestRule23LastLook(t *testing.T) {
	const lost = "shop-web-00001"
	ready := func(w *world) {
		for _, m := range w.machines() {
			if m.Name == lost {
				w.report(m, func(s *v1alpha1.MachineStatus) { s.Node.Ready = true })
			}
		}
	}
	for name, tc := range map[string]struct {
		nth     int
		happens func(*world)
	}{
		"The node is Ready again":     {1, ready},
		"A moment before the request": {2, ready},
		"autoHeal is disabled": {1, func(w *world) {
			w.change(func(s *v1alpha1.NodePoolSpec) { s.AutoHeal.Enabled = new(false) })
		}},
		"The control plane is upgraded": {1, func(w *world) {
			w.cluster.Status.Conditions[2].Status = "False"
			w.writeStatus(w.cluster)
		}},
		"Another Machine of that name": {1, func(w *world) {
			for _, m := range w.machines() {
				if m.Name == lost {
					other := m.DeepCopy()
					other.UID, other.ResourceVersion = "", ""
					m.Finalizers = nil
					w.must(management.Client.Update(w.Context(), &m))
					w.must(management.Client.Delete(w.Context(), &m))
					w.must(management.Client.Create(w.Context(), other))
					other.Status = m.Status
					w.writeStatus(other)
				}
			}
		}},
		"All nodes are lost": {2, func(w *world) {
			for _, name := range w.names() {
				w.lose(name, time.Hour)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t).active()
			w.lose(lost, time.Hour)
			w.mustPass() // asks
			w.join()
			look := &meanwhile{Reader: w.reconciler.Live, nth: tc.nth, happens: func() { tc.happens(w) }}
			w.reconciler.Live = look
			w.mustPass()
			if look.seen < tc.nth {
				t.Fatalf("%d lists past the cache: nothing has happened", look.seen)
			}
			w.history("Create Succeeded 4/4", "Heal Running 0/3")
			w.has("00001", "00002", "00003")
			if n := len(w.machines()); n != 3 {
				t.Errorf("%d Machines", n)
			}
		})
	}
}

// A Heal that finds nothing left to do has not failed.
func TestHealOfNothing(t *testing.T) {
	for name, nodes := range map[string][]string{"Ready again": {"shop-web-00001"}, "Not there any more": {"shop-web-00009"}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t).active()
			w.ask(v1alpha1.OperationHeal, "asked", nodes...)
			w.mustPass()
			w.ended(v1alpha1.OperationHeal, v1alpha1.OperationCancelled, "nothing is left to do: no node of these is to be healed now")
			w.has("00001", "00002", "00003")
		})
	}
}

// While the pool changes, and for two minutes after it, no node is healed.
func TestRule23QuietWhileThePoolChanges(t *testing.T) {
	w := newWorld(t)
	w.pool.Spec.Replicas = new(int32(5))
	w.active()
	w.lose("shop-web-00001", time.Hour)
	w.change(func(s *v1alpha1.NodePoolSpec) { s.Replicas = new(int32(6)) })
	w.mustPass()
	w.says("Healthy", "False", "PoolBusy", "(Scale) has ended")
	w.lost = map[string]bool{}
	w.settle()
	w.history("Create Succeeded 4/4", "Scale Succeeded 3/3")
	w.lose("shop-web-00001", time.Hour)
	w.settle()
	w.says("Healthy", "False", "NodeNotReady", "it is healed at")
	w.has("00001", "00002", "00003", "00004", "00005", "00006")
	w.now = w.now.Add(2 * time.Minute)
	w.settle()
	w.has("00002", "00003", "00004", "00005", "00006", "00007")
}

func TestMoving(t *testing.T) {
	for name, tc := range map[string]struct {
		f    facts
		busy bool
	}{
		"Settled":       {facts{Live: 3, Wanted: 3, Ready: 2}, false},
		"Replaced":      {facts{Live: 3, Wanted: 3, Old: 1}, true},
		"Being drained": {facts{Live: 3, Wanted: 3, Going: 1}, true},
		"Too many":      {facts{Live: 4, Wanted: 3}, true},
		"Too few":       {facts{Live: 2, Wanted: 3}, true},
	} {
		if got := moving(tc.f); (got != "") != tc.busy {
			t.Errorf("%s: %q", name, got)
		}
	}
}
