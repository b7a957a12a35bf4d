package nodepool

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// sizes are the numbers of Machines that stay, after each pass until nothing happens any more.
func (w *world) sizes() (seen []int) {
	w.Helper()
	for quiet := 0; quiet < 3; quiet++ {
		before := w.Writes.Load()
		w.mustPass()
		seen = append(seen, len(w.names()))
		joined, vanished := w.join(), w.vanish()
		if w.Writes.Load() != before || joined || vanished {
			quiet = -1
		}
	}
	return seen
}

// While a pool is upgraded its number of nodes stays, whoever changes it and in whatever
// direction; and then it gets the number that was asked for last.
func TestRule20SizeIsFrozen(t *testing.T) {
	for name, wanted := range map[string]int32{"More": 6, "Fewer": 1, "None": 0} {
		t.Run(name, func(t *testing.T) {
			w := newVersionWorld(t)
			w.pool.Spec.Version = earlier
			w.active()
			w.change(func(s *v1alpha1.NodePoolSpec) { s.Version = patched })
			w.mustPass()
			w.is(v1alpha1.PoolUpgrading, "3 of 3")
			w.says("SizeFrozen", "True", "Upgrading", "is to have 3 nodes until that ends")
			w.change(func(s *v1alpha1.NodePoolSpec) { s.Replicas = &wanted })
			w.mustPass()
			w.says("SizeFrozen", "True", "ResizeWaits", "is to have 3 nodes until that ends: only then the "+fmt.Sprint(wanted)+" that are asked for")
			if told := w.told(); !slices.ContainsFunc(told, func(e string) bool { return strings.Contains(e, "ResizeWaits") }) {
				t.Errorf("no event tells of it: %q", told)
			}
			// Three, and one more while each is replaced, until all are of the version.
			for range 100 {
				if meta.FindStatusCondition(w.pool.Status.Conditions, v1alpha1.ConditionSizeFrozen) == nil {
					break
				}
				if n := len(w.names()); n < 3 || n > 4 {
					t.Fatalf("%d nodes are there while the pool is upgraded, want 3 or 4", n)
				}
				w.join()
				w.vanish()
				w.mustPass()
			}
			w.settle()
			w.releases(patched)
			if n := len(w.names()); n != int(wanted) {
				t.Errorf("%d nodes are there in the end, want %d", n, wanted)
			}
			if c := meta.FindStatusCondition(w.pool.Status.Conditions, v1alpha1.ConditionSizeFrozen); c != nil {
				t.Errorf("it is still frozen: %+v", c)
			}
		})
	}
}

// A change of the version and of the number at once is an upgrade, and then another number.
func TestRule20VersionAndSizeAtOnce(t *testing.T) {
	w := newVersionWorld(t)
	w.pool.Spec.Version = earlier
	w.active()
	w.change(func(s *v1alpha1.NodePoolSpec) { s.Version, s.Replicas = patched, new(int32(5)) })
	w.mustPass()
	if n := len(w.names()); n != 4 {
		t.Errorf("%d nodes are there at the beginning, want one more than three", n)
	}
	w.settle()
	w.releases(patched)
	if n := len(w.names()); n != 5 {
		t.Errorf("%d nodes are there in the end, want 5", n)
	}
}

// A pool that follows its cluster is frozen like one that is upgraded by its own version, and
// one whose upgrade is refused is not.
func TestRule20Follows(t *testing.T) {
	w := newVersionWorld(t)
	w.runs(earlier)
	w.active()
	w.runs(patched)
	w.change(func(s *v1alpha1.NodePoolSpec) { s.Replicas = new(int32(2)) })
	w.mustPass()
	w.says("SizeFrozen", "True", "ResizeWaits", "only then the 2")
	w.settle()
	w.releases(patched)

	w.change(func(s *v1alpha1.NodePoolSpec) { s.Version, s.Replicas = next, new(int32(1)) })
	if seen := w.sizes(); seen[len(seen)-1] != 1 {
		t.Errorf("the sizes are %v: a refused upgrade keeps nobody from fewer nodes", seen)
	}
}
