package nodepool

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// Names of nodes to remove that users have given stay when others are evicted.
func TestEvictLeavesUsersNames(t *testing.T) {
	w := newWorld(t)
	w.pool.Spec.NodesToRemove = []string{"gone", "shop-web-00002"}
	w.active()
	w.ask(v1alpha1.OperationEvictNode, "asked", "shop-web-00001")
	w.settle()
	w.has("00002", "00003")
	if diff := cmp.Diff([]string{"shop-web-00001", "shop-web-00002", "gone"}, w.pool.Spec.NodesToRemove); diff != "" {
		t.Errorf("nodesToRemove (-want +got):\n%s", diff)
	}
	w.change(func(s *v1alpha1.NodePoolSpec) { s.Replicas = new(int32(1)) })
	w.settle()
	w.has("00003")
}

// The API takes no more than twenty names: those that no node has go.
func TestNamesToRemove(t *testing.T) {
	s := &scope{pool: &v1alpha1.NodePool{}}
	for i := range 19 {
		s.pool.Spec.NodesToRemove = append(s.pool.Spec.NodesToRemove, fmt.Sprintf("gone-%d", i))
	}
	s.pool.Spec.NodesToRemove = append(s.pool.Spec.NodesToRemove, "there")
	for _, name := range []string{"evicted", "there"} {
		s.machines = append(s.machines, v1alpha1.Machine{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
	got := s.toRemove([]*v1alpha1.Machine{&s.machines[0]})
	if len(got) != 20 || got[0] != "evicted" || got[1] != "there" || got[2] != "gone-0" || got[19] != "gone-17" {
		t.Errorf("%d: %v", len(got), got)
	}
}

// An EvictNode whose node has gone meanwhile makes the pool no smaller, and what a user asks for
// next is recorded.
func TestEvictOfNothing(t *testing.T) {
	w := newWorld(t)
	w.pool.Spec.NodesToRemove = []string{"gone"}
	w.active()
	o := w.ask(v1alpha1.OperationEvictNode, "begun", "gone")
	o.Status = v1alpha1.OperationStatus{Phase: v1alpha1.OperationRunning, StartedAt: &metav1.Time{Time: w.now}, Generation: w.pool.Generation}
	w.writeStatus(o)
	before := w.pool.Spec.DeepCopy()
	w.settle()
	if diff := cmp.Diff(before, &w.pool.Spec); diff != "" {
		t.Errorf("the spec has changed:\n%s", diff)
	}
	w.history("Create Succeeded 4/4", "EvictNode Succeeded 2/2")
	w.change(func(s *v1alpha1.NodePoolSpec) { s.Replicas = new(int32(4)) })
	w.settle()
	w.has("00001", "00002", "00003", "00004")
	w.history("Create Succeeded 4/4", "EvictNode Succeeded 2/2", "Scale Succeeded 3/3")
}
