//go:build chaos

package pools

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/e2e/openstacksim"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// TestHeal has nodes die whose servers the cloud takes for running: one of three is replaced,
// and all of them at once are not.
func TestHeal(t *testing.T) {
	s := newScene(t, openstacksim.Options{})
	pool := s.add(t, "web", 3)
	check(t, harness.AwaitPhase(t.Context(), s.Marina, s.cluster.Name, v1alpha1.ClusterActive))
	s.settled(t, pool, 3)
	s.patch(t, pool, `{"spec": {"autoHeal": {"notReadyTimeoutSeconds": 60}}}`)
	before := slices.Sorted(maps.Keys(s.nodes(t, "web")))

	s.die(t, before[0])
	died := time.Now()
	s.unreachable(t, before[:1], 0, 1)
	check(t, harness.Await(t.Context(), 5*time.Minute, func(context.Context) error {
		now := s.nodes(t, "web")
		if _, ok := now[before[0]]; ok {
			return fmt.Errorf("node %s is still there", before[0])
		}
		return nil
	}))
	s.settled(t, pool, 3)
	t.Logf("healed %s after it died", time.Since(died).Round(time.Second))
	for _, name := range before[1:] {
		if _, ok := s.nodes(t, "web")[name]; !ok {
			t.Errorf("node %s was replaced, too", name)
		}
	}
	s.healthy(t, pool, "AsExpected")
	if heals := s.heals(t); len(heals) != 1 || heals[0].Status.Phase != v1alpha1.OperationSucceeded || !slices.Equal(heals[0].Spec.Nodes, before[:1]) {
		t.Errorf("recorded: %+v, want one Heal of %s", heals, before[0])
	}

	all := slices.Sorted(maps.Keys(s.nodes(t, "web")))
	for _, name := range all {
		s.die(t, name)
	}
	s.healthy(t, pool, "AllNodesNotReady")
	// The tenant's controller-manager, too, holds its evictions while all nodes are lost. One it
	// may have begun in that moment; it would have come to all of them by now, each 10 s.
	s.unreachable(t, all, 40*time.Second, 1)
	if now := slices.Sorted(maps.Keys(s.nodes(t, "web"))); !slices.Equal(now, all) {
		t.Errorf("the nodes are %v, want %v", now, all)
	}
	if heals := s.heals(t); len(heals) != 1 {
		t.Errorf("%d Heals are recorded, want one", len(heals))
	}
}

// unreachable waits until the tenant's controller-manager has taken nodes for unreachable for some
// time, and evicts the pods of as many of them by a taint, at most.
func (s *scene) unreachable(t testing.TB, names []string, since time.Duration, evicted int) {
	t.Helper()
	check(t, harness.Await(t.Context(), 3*time.Minute, func(context.Context) error {
		nodes, evicts := s.nodes(t, "web"), 0
		for _, name := range names {
			has := map[corev1.TaintEffect]*metav1.Time{}
			for _, taint := range nodes[name].Spec.Taints {
				if taint.Key == corev1.TaintNodeUnreachable {
					has[taint.Effect] = taint.TimeAdded
				}
			}
			if at := has[corev1.TaintEffectNoSchedule]; at == nil || time.Since(at.Time) < since {
				return fmt.Errorf("node %s has the taints %v, want it unreachable for %s", name, nodes[name].Spec.Taints, since)
			}
			if has[corev1.TaintEffectNoExecute] != nil {
				evicts++
			}
		}
		if evicts > evicted || evicted == len(names) && evicts < evicted {
			return fmt.Errorf("the pods of %d of the nodes %v are evicted, want %d", evicts, names, evicted)
		}
		return nil
	}))
}

// die ends the kubelet of a node. Its server runs on, as far as the cloud knows.
func (s *scene) die(t testing.TB, node string) {
	t.Helper()
	machines := &v1alpha1.MachineList{}
	check(t, s.Client.List(t.Context(), machines))
	for _, m := range machines.Items {
		if m.Name == node {
			check(t, s.driver.Stop(t.Context(), m.Status.ServerID))
			return
		}
	}
	t.Fatalf("there is no Machine %s", node)
}

// healthy waits until the condition Healthy of a pool has a reason.
func (s *scene) healthy(t testing.TB, pool *v1alpha1.NodePool, reason string) {
	t.Helper()
	check(t, harness.Await(t.Context(), 5*time.Minute, func(ctx context.Context) error {
		now := &v1alpha1.NodePool{}
		if err := s.Client.Get(ctx, client.ObjectKeyFromObject(pool), now); err != nil {
			return err
		}
		if c := meta.FindStatusCondition(now.Status.Conditions, v1alpha1.ConditionHealthy); c == nil || c.Reason != reason {
			return fmt.Errorf("Healthy: %+v, want %s", c, reason)
		}
		return nil
	}))
}

// heals are the Operations of that type, the oldest first.
func (s *scene) heals(t testing.TB) (heals []v1alpha1.Operation) {
	t.Helper()
	all := &v1alpha1.OperationList{}
	check(t, s.Client.List(t.Context(), all, client.InNamespace("default")))
	for _, op := range all.Items {
		if op.Spec.Type == v1alpha1.OperationHeal {
			heals = append(heals, op)
		}
	}
	return heals
}
