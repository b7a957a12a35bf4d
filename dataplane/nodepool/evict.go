package nodepool

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// evict makes the pool smaller by the nodes that an Operation removes, in one write with a mark
// that it has been: a pool that is killed after it is not made smaller twice, and one that is
// killed before it has not removed anything, so that no node is made in the place of another.
func (r *Reconciler) evict(ctx context.Context, s *scope) error {
	op := s.evicts
	if op == nil || isEvicted(s.pool, op) {
		return nil
	}
	live, _ := repairs{changes: changes{machines: s.machines}}.named(op)
	next := s.pool.DeepCopy()
	wanted := max(0, replicas(s.pool.Spec)-len(live))
	if len(live) > 0 {
		next.Spec.Replicas = new(int32(wanted))
	}
	next.Spec.NodesToRemove = s.toRemove(live)
	generation := s.pool.Generation
	if !equality.Semantic.DeepEqual(next.Spec, s.pool.Spec) {
		generation++
	}
	if next.Annotations == nil {
		next.Annotations = map[string]string{}
	}
	next.Annotations[v1alpha1.AnnotationEvicted] = fmt.Sprintf("%s/%d", op.UID, generation)
	if err := r.writeSpec(ctx, s, next); err != nil {
		return fmt.Errorf("making the pool smaller: %w", err)
	}
	s.leave = s.named(op)
	return nil
}

// toRemove are the names that the spec is to have of nodes that go first: those that are evicted,
// and those that users have named. Of more than the API takes, users' go that no node has.
func (s *scope) toRemove(evicted []*v1alpha1.Machine) (names []string) {
	const most = 20
	for _, m := range evicted[:min(len(evicted), most)] {
		names = append(names, m.Name)
	}
	there := func(name string) bool {
		return slices.ContainsFunc(s.machines, func(m v1alpha1.Machine) bool { return m.Name == name })
	}
	for _, wanted := range []bool{true, false} {
		for _, name := range s.pool.Spec.NodesToRemove {
			if there(name) == wanted && len(names) < most && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// isEvicted reports whether the pool has been made smaller for an Operation.
func isEvicted(pool *v1alpha1.NodePool, op *v1alpha1.Operation) bool {
	uid, _, found := strings.Cut(pool.Annotations[v1alpha1.AnnotationEvicted], "/")
	return found && uid == string(op.UID)
}

// shrunk reports whether the number of nodes is the one that an EvictNode has left, which is its
// own record: nobody has written the spec since.
func shrunk(pool *v1alpha1.NodePool) bool {
	_, generation, _ := strings.Cut(pool.Annotations[v1alpha1.AnnotationEvicted], "/")
	return generation == fmt.Sprint(pool.Generation)
}
