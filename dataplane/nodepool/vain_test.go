package nodepool

import (
	"testing"
	"time"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// newest is the name of the node that was made last.
func (w *world) newest() string {
	names := w.names()
	return names[len(names)-1]
}

// TestHealingStops is about nodes whose replacements are lost as well: the third one is the last,
// until somebody asks for anything.
func TestHealingStops(t *testing.T) {
	w := newWorld(t).active()
	for range 3 {
		w.lose(w.newest(), 10*time.Minute)
		w.settle()
		w.is(v1alpha1.PoolActive, "3 of 3")
		w.now = w.now.Add(20 * time.Minute)
	}
	w.has("00001", "00002", "00006")
	w.lose(w.newest(), 10*time.Minute)
	w.restart()
	w.settle()
	w.now = w.now.Add(24 * time.Hour)
	w.settle()
	w.has("00001", "00002", "00006")
	w.is(v1alpha1.PoolDegraded, "2 of 3")
	w.says("Healthy", "False", "HealingStopped", "3 nodes in a row have been replaced, and no new one has stayed Ready")
	w.history("Create Succeeded 4/4", "Heal Succeeded 3/3", "Heal Succeeded 3/3", "Heal Succeeded 3/3")

	w.ask(v1alpha1.OperationResync, "asked")
	w.settle()
	w.has("00001", "00002", "00007")
	w.is(v1alpha1.PoolActive, "3 of 3")
}

// Nodes whose replacements stay are replaced, however many, and so are those of replacements
// that have been good for long.
func TestHealingGoesOn(t *testing.T) {
	t.Run("Four nodes", func(t *testing.T) {
		w := newWorld(t)
		w.pool.Spec.Replicas = new(int32(10))
		w.active()
		for _, name := range w.names()[:4] {
			w.lose(name, 10*time.Minute)
		}
		w.settle()
		w.is(v1alpha1.PoolActive, "10 of 10")
		w.has("00005", "00006", "00007", "00008", "00009", "00010", "00011", "00012", "00013", "00014")
	})
	t.Run("One node, for long each time", func(t *testing.T) {
		w := newWorld(t).active()
		for range 4 {
			w.now = w.now.Add(2 * time.Hour)
			w.lose(w.newest(), 10*time.Minute)
			w.settle()
			w.is(v1alpha1.PoolActive, "3 of 3")
		}
		w.has("00001", "00002", "00007")
	})
}
