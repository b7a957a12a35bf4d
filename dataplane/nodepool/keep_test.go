package nodepool

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// scaleTo writes the number of nodes as an autoscaler does.
func (w *world) scaleTo(n int32) {
	w.Helper()
	scale := &autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: n}}
	w.must(management.Client.SubResource("scale").Update(w.Context(), w.pool.DeepCopy(), client.WithSubResourceBody(scale)))
}

// leaveOut replaces the whole pool by one of which the spec has no number of nodes.
func (w *world) leaveOut() {
	w.Helper()
	w.change(func(s *v1alpha1.NodePoolSpec) { s.Replicas = nil })
	if w.pool.Spec.Replicas != nil {
		w.Fatal("the API has a number of its own: the test looks at nothing")
	}
}

// kept is how often it was told that a number of nodes was kept.
func (w *world) kept() (n int) {
	for _, e := range w.told() {
		if strings.Contains(e, "ReplicasKept") {
			n++
		}
	}
	return n
}

// What is left out of a spec is kept: a pool has the number of nodes in its spec again that it
// had, whoever had set that, and none of its nodes is touched.
func TestRule11ReplicasLeftOutAreKept(t *testing.T) {
	for name, tc := range map[string]struct {
		begin func(*world)
		want  int
	}{
		"Three":            {func(w *world) {}, 3},
		"None":             {func(w *world) { w.scaleTo(0); w.settle() }, 0},
		"AnAutoscalers":    {func(w *world) { w.scaleTo(6); w.settle() }, 6},
		"WhileItGrows":     {func(w *world) { w.scaleTo(6); w.mustPass() }, 6},
		"WhileItShrinks":   {func(w *world) { w.scaleTo(2); w.mustPass() }, 2},
		"AfterAnEviction":  {func(w *world) { w.ask(v1alpha1.OperationEvictNode, "asked", w.names()[0]); w.settle() }, 2},
		"WhileItIsChanged": {func(w *world) { w.change(func(s *v1alpha1.NodePoolSpec) { s.Flavor = "b3-16" }); w.mustPass() }, 3},
		// The number that was taken up counts, and not one that waits for the upgrade to end.
		"WhileItIsUpgraded": {func(w *world) {
			w.runs(patched)
			w.mustPass()
			w.scaleTo(6)
			w.mustPass()
			w.says("SizeFrozen", "True", "ResizeWaits", "only then the 6")
		}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			w := newVersionWorld(t)
			w.runs(version)
			w.active()
			tc.begin(w)
			w.told()
			nodes, operations := w.names(), len(w.operations())
			w.leaveOut()
			w.mustPass()
			if got := w.pool.Spec.Replicas; got == nil || int(*got) != tc.want {
				t.Fatalf("the spec has %v, want %d", got, tc.want)
			}
			if diff := cmp.Diff(nodes, w.names()); diff != "" {
				t.Errorf("nodes come or go (-before +after):\n%s", diff)
			}
			if n := len(w.operations()); n != operations {
				t.Errorf("%d Operations are recorded of what changes nothing", n-operations)
			}
			if n := w.kept(); n != 1 {
				t.Errorf("told %d times that the number was kept, want once", n)
			}
			w.settle()
			w.is(v1alpha1.PoolActive, "")
			if n := len(w.names()); n != tc.want {
				t.Errorf("%d nodes in the end, want %d", n, tc.want)
			}
			before := w.Writes.Load()
			w.mustPass()
			if n := w.Writes.Load() - before; n != 0 || w.kept() != 0 {
				t.Errorf("%d writes of a pool that has its number", n)
			}
			w.scaleTo(4)
			w.settle()
			w.is(v1alpha1.PoolActive, "4 of 4")
		})
	}
}

// A new pool of which nobody says how many nodes it is to have has one, and no event of it.
func TestReplicasOfANewPool(t *testing.T) {
	for name, begin := range map[string]func(*world){
		"ThatIsMade": func(*world) {},
		"ThatWaits":  func(w *world) { w.setNetwork("False", "Creating", "the router is being created") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			begin(w)
			w.pool.Spec.Replicas = nil
			w.create(w.pool)
			w.mustPass()
			if got := w.pool.Spec.Replicas; got == nil || *got != 1 {
				t.Fatalf("the spec has %v, want 1", got)
			}
			if w.pool.Status.ObservedGeneration != w.pool.Generation || w.pool.Status.Accepted.Replicas != 1 {
				t.Errorf("the status is of generation %d of %d: %+v", w.pool.Status.ObservedGeneration, w.pool.Generation, w.pool.Status.Accepted)
			}
			if n := w.kept(); n != 0 {
				t.Error("it is told that a number was kept, and there was none")
			}
			w.setNetwork("True", "AsExpected", "nodes can have ports")
			w.settle()
			w.is(v1alpha1.PoolActive, "1 of 1")
			w.history("Create Succeeded 4/4")
		})
	}
}

// Whoever asks for another number at the same moment has it.
func TestRule11KeptNumberYields(t *testing.T) {
	w := newWorld(t).active()
	w.told()
	w.leaveOut()
	raced := false
	w.reconciler.Client = interceptor.NewClient(w.reconciler.Client.(client.WithWatch), interceptor.Funcs{
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
			if !raced {
				raced = true
				w.scaleTo(7)
			}
			return c.Patch(ctx, o, p, opts...)
		},
	})
	result, err := w.pass()
	if err != nil || result != reconcile.Again() || !raced {
		t.Errorf("overtaken, the pass ends with %+v, %v; want another one", result, err)
	}
	if got := w.pool.Spec.Replicas; got == nil || *got != 7 || len(w.names()) != 3 {
		t.Errorf("the spec has %v, and %v are there; want 7, and nothing done yet", got, w.names())
	}
	w.settle()
	w.is(v1alpha1.PoolActive, "7 of 7")
	if n := w.kept(); n != 0 {
		t.Error("it is told that a number was kept, which was not")
	}
}

// A pool that is deleted needs no number.
func TestReplicasOfADeletedPool(t *testing.T) {
	w := newWorld(t).active()
	w.leaveOut()
	w.must(management.Client.Delete(t.Context(), w.pool))
	w.mustPass()
	if w.pool.Spec.Replicas != nil {
		t.Errorf("the spec has %d", *w.pool.Spec.Replicas)
	}
	w.settle()
	if !w.gone() {
		t.Error("the pool is still there")
	}
}

// The room that a pool has is that of the number it keeps, before it is in its spec again.
func TestClaimOfAPoolWithoutNumber(t *testing.T) {
	older, younger := &v1alpha1.NodePool{}, &v1alpha1.NodePool{}
	older.Name, younger.Name = "a", "b"
	older.Spec.Upgrade.MaxSurge = new(int32(0))
	got := []int{claimed(older, younger)}
	older.Status.Accepted = &v1alpha1.AcceptedPool{Replicas: 12}
	got = append(got, claimed(older, younger), claimed(younger, older))
	if want := []int{1, 12, 0}; !slices.Equal(got, want) {
		t.Errorf("claims of a new pool, of one of 12 nodes, and of a younger one: %v, want %v", got, want)
	}
}
