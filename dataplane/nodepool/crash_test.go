package nodepool

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// The controller is killed after each write of each change, in turn, which is before the next, for
// it does nothing else in between; with a cache that is up to date and with one that is behind: there are as many Machines as asked for in
// the end, of the kind that was asked for, and never more than there may be; and each change is
// recorded once, with its end.
func TestRule10KilledAtAnyWrite(t *testing.T) {
	cases := map[string]struct {
		begin func(*world)
		// want is how many Machines there are in the end, and most how many at any time.
		want, most int
		// history is what is recorded besides the creation.
		history string
	}{
		"Create":  {func(w *world) { w.create(w.pool) }, 2, 2, ""},
		"Up":      {func(w *world) { w.change(func(s *v1alpha1.NodePoolSpec) { s.Replicas = new(int32(4)) }) }, 4, 4, "Scale Succeeded 3/3"},
		"Down":    {func(w *world) { w.change(func(s *v1alpha1.NodePoolSpec) { s.Replicas = new(int32(0)) }) }, 0, 2, "Scale Succeeded 3/3"},
		"Replace": {func(w *world) { w.change(func(s *v1alpha1.NodePoolSpec) { s.Flavor = "b3-16" }) }, 2, 3, "Update Succeeded 4/4"},
		"LeftOut": {func(w *world) { w.change(func(s *v1alpha1.NodePoolSpec) { s.Flavor, s.Replicas = "b3-16", nil }) }, 2, 3, "Update Succeeded 4/4"},
		"InPlace": {func(w *world) { w.runs(next) }, 2, 2, ""},
		"Resync":  {func(w *world) { w.ask(v1alpha1.OperationResync, "asked") }, 2, 2, "Resync Succeeded 1/1"},
		"Heal":    {func(w *world) { w.lose(w.names()[0], 10*time.Minute) }, 2, 3, "Heal Succeeded 3/3"},
		"Rebuild": {func(w *world) { w.lose(w.names()[0], 10*time.Minute) }, 2, 2, "Heal Succeeded 2/2"},
		"Gone":    {func(w *world) { w.deleteServer(w.names()[0]) }, 2, 3, "Heal Succeeded 3/3"},
		"Swap":    {func(w *world) { w.ask(v1alpha1.OperationReplaceNode, "asked", w.names()...) }, 2, 3, "ReplaceNode Succeeded 3/3"},
		"Evict":   {func(w *world) { w.ask(v1alpha1.OperationEvictNode, "asked", w.names()[0]) }, 1, 2, "EvictNode Succeeded 2/2"},
		"Reboot":  {func(w *world) { w.step = 40 * time.Second; w.ask(v1alpha1.OperationRebootNode, "asked", w.names()...) }, 2, 2, "RebootNode Succeeded 2/2"},
		"Labels":  {func(w *world) { w.change(func(s *v1alpha1.NodePoolSpec) { s.Labels = map[string]string{"a": "b"} }) }, 2, 2, "Update Succeeded 4/4"},
		"Delete":  {func(w *world) { w.must(management.Client.Delete(w.Context(), w.pool)) }, 0, 2, "Delete Succeeded 2/2"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			run := func(t *testing.T, killAt int64, behind bool) int64 {
				w := newWorld(t)
				w.pool.Spec.Replicas = new(int32(2))
				switch name {
				case "InPlace":
					w.pool.Spec.Upgrade.Strategy = v1alpha1.UpgradeInPlace
				case "Rebuild":
					w.pool.Spec.AutoHeal.Action = v1alpha1.HealRebuild
				}
				if name != "Create" {
					w.active()
				}
				before := w.names()
				w.Writes.Store(0)
				w.KillAt, w.KillAfter, w.behind = killAt, true, behind
				tc.begin(w)
				w.settleBelow(tc.most)
				recorded := []string{"Create Succeeded 4/4"}
				if tc.history != "" {
					recorded = append(recorded, tc.history)
				}
				w.history(recorded...)
				names := w.names()
				if len(names) != tc.want || len(w.machines()) != tc.want {
					t.Errorf("%v are there, want %d", names, tc.want)
				}
				if name == "Delete" {
					if !w.gone() {
						t.Error("the pool is still there")
					}
					return w.Writes.Load()
				}
				if name == "InPlace" && (!slices.Equal(names, before) || w.pool.Status.Version != next) {
					t.Errorf("%v of %s are there, want %v of %s", names, w.pool.Status.Version, before, next)
				}
				if name == "Rebuild" && !slices.Equal(names, before) {
					t.Errorf("%v are there, want the same ones: %v", names, before)
				}
				w.is(v1alpha1.PoolActive, fmt.Sprintf("%d of %d", tc.want, tc.want))
				for _, m := range w.machines() {
					if m.Spec.Template.Flavor != w.pool.Spec.Flavor || m.Spec.Labels["a"] != w.pool.Spec.Labels["a"] || m.Spec.Template.Release != w.pool.Status.Version {
						t.Errorf("%s is of another kind: %+v", m.Name, m.Spec)
					}
				}
				return w.Writes.Load()
			}
			writes := run(t, 0, false)
			if writes < 3 {
				t.Fatalf("%d writes: the test looks at nothing", writes)
			}
			for at := int64(1); at <= writes; at++ {
				for _, behind := range []bool{false, true} {
					t.Run(fmt.Sprintf("write %d of %d, cache behind %t", at, writes, behind), func(t *testing.T) {
						t.Parallel()
						run(t, at, behind)
					})
				}
			}
		})
	}
}
