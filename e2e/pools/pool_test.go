package pools

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/e2e/openstacksim"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// TestPool takes a pool through its life, as its user sees it.
func TestPool(t *testing.T) {
	s := newScene(t, openstacksim.Options{})
	check(t, harness.Await(t.Context(), 30*time.Second, func(ctx context.Context) error {
		c, err := harness.GetCluster(ctx, s.Marina, s.cluster.Name)
		if err != nil {
			return err
		}
		if c.Status.Phase != v1alpha1.ClusterPending || !strings.Contains(c.Status.Message, "NodePool") {
			return fmt.Errorf("without a pool it is %s: %s; want it to say what to do", c.Status.Phase, c.Status.Message)
		}
		return nil
	}))
	pool := s.add(t, "web", 2)
	check(t, harness.AwaitPhase(t.Context(), s.Marina, s.cluster.Name, v1alpha1.ClusterActive))
	s.settled(t, pool, 2)
	for name, n := range s.nodes(t, "web") {
		if n.Labels["tier"] != "web" || !slices.ContainsFunc(n.Spec.Taints, func(t corev1.Taint) bool { return t.Key == "env" && t.Value == "demo" }) {
			t.Errorf("node %s has the labels %v and the taints %v", name, n.Labels, n.Spec.Taints)
		}
	}

	t.Run("more nodes", func(t *testing.T) {
		before := slices.Collect(maps.Keys(s.nodes(t, "web")))
		s.kubectl(t, "scale", "nodepool", "web", "--replicas=5")
		s.settled(t, pool, 5)
		after := s.nodes(t, "web")
		for _, name := range before {
			if _, ok := after[name]; !ok {
				t.Errorf("node %s was replaced", name)
			}
		}
	})

	t.Run("labels change without new nodes", func(t *testing.T) {
		before := s.nodes(t, "web")
		s.patch(t, pool, `{"spec": {"labels": {"tier": "shop"}, "taints": []}}`)
		check(t, harness.Await(t.Context(), time.Minute, func(context.Context) error {
			now := s.nodes(t, "web")
			for name, n := range now {
				if _, ok := before[name]; !ok {
					return harness.Fatal(fmt.Errorf("node %s is new", name))
				}
				if n.Labels["tier"] != "shop" || slices.ContainsFunc(n.Spec.Taints, func(t corev1.Taint) bool { return t.Key == "env" }) {
					return fmt.Errorf("node %s has the labels %v and the taints %v", name, n.Labels, n.Spec.Taints)
				}
			}
			return nil
		}))
	})

	t.Run("a named node goes first", func(t *testing.T) {
		names := slices.Sorted(maps.Keys(s.nodes(t, "web")))
		s.patch(t, pool, fmt.Sprintf(`{"spec": {"replicas": 4, "nodesToRemove": [%q]}}`, names[0]))
		s.settled(t, pool, 4)
		if _, ok := s.nodes(t, "web")[names[0]]; ok {
			t.Errorf("node %s was named and is there", names[0])
		}
	})

	t.Run("a server that is gone is replaced", func(t *testing.T) {
		s.kubectl(t, "scale", "nodepool", "web", "--replicas=2")
		s.settled(t, pool, 2)
		lost := slices.Sorted(maps.Keys(s.nodes(t, "web")))[0]
		if !s.cloud.RemoveServer(lost) {
			t.Fatalf("there is no server %s", lost)
		}
		check(t, harness.Await(t.Context(), 3*time.Minute, func(context.Context) error {
			if _, ok := s.nodes(t, "web")[lost]; ok {
				return fmt.Errorf("node %s is still there", lost)
			}
			return nil
		}))
		s.settled(t, pool, 2)
	})

	t.Run("another flavor replaces the nodes", func(t *testing.T) {
		before := s.nodes(t, "web")
		s.patch(t, pool, `{"spec": {"flavor": "b3-8"}}`)
		check(t, harness.Await(t.Context(), 2*time.Minute, func(context.Context) error {
			for name, n := range s.nodes(t, "web") {
				if _, ok := before[name]; ok {
					return fmt.Errorf("node %s is still there", name)
				}
				if got := n.Status.Capacity.Memory().String(); got != "8Gi" {
					return fmt.Errorf("node %s has %s of memory", name, got)
				}
			}
			return nil
		}))
		s.settled(t, pool, 2)
	})

	t.Run("no nodes", func(t *testing.T) {
		s.kubectl(t, "scale", "nodepool", "web", "--replicas=0")
		s.settled(t, pool, 0)
		s.holds(t, onlyTheNetwork)
	})

	t.Run("with the cluster all of it goes", func(t *testing.T) {
		s.kubectl(t, "scale", "nodepool", "web", "--replicas=1")
		s.settled(t, pool, 1)
		for name := range s.nodes(t, "web") {
			s.orbit(t, name)
		}
		c, err := harness.GetCluster(t.Context(), s.Marina, s.cluster.Name)
		check(t, err)
		// Both at once, as somebody does who deletes what a file describes.
		check(t, s.Client.Delete(t.Context(), c))
		check(t, s.Client.Delete(t.Context(), pool))
		s.deorbits(t, "web")
		harness.Gone(t, s.Marina, c)
		s.holds(t, map[string]int{})
		if err := s.Client.Get(t.Context(), client.ObjectKeyFromObject(pool), pool); client.IgnoreNotFound(err) != nil || err == nil {
			t.Errorf("its pool is still there (%v)", err)
		}
	})
}

func (s *scene) patch(t testing.TB, pool *v1alpha1.NodePool, text string) {
	t.Helper()
	check(t, s.Client.Patch(t.Context(), pool, client.RawPatch(types.MergePatchType, []byte(text))))
}
