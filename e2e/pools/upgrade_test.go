package pools

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/e2e/openstacksim"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// TestRule12And16AnUpgradeOfAClusterWithPods takes a control plane and two pools of five nodes,
// with pods on each, to the next minor version: one pool is replaced, the other made anew in
// place. No request to the API fails meanwhile, and no PodDisruptionBudget is violated.
func TestRule12And16AnUpgradeOfAClusterWithPods(t *testing.T) {
	const nodes = 5
	s := newSceneAt(t, openstacksim.Options{}, olderRelease)
	for _, quota := range []string{"instances", "cores", "ram"} {
		s.cloud.SetQuota(s.team.ID, "compute", quota, -1) // for one node more
	}
	pools := map[string]*v1alpha1.NodePool{"rolling": s.add(t, "rolling", nodes), "inplace": s.add(t, "inplace", nodes)}
	s.patch(t, pools["inplace"], `{"spec": {"upgrade": {"strategy": "InPlace"}}}`)
	check(t, harness.AwaitPhase(t.Context(), s.Marina, s.cluster.Name, v1alpha1.ClusterActive))
	for _, name := range slices.Sorted(maps.Keys(pools)) {
		s.ready(t, pools[name], nodes, olderVersion)
	}
	before := map[string]map[string]string{}
	for name := range pools {
		before[name] = s.servers(t, name)
		harness.Occupy(t, s.tenant, name, nodes, "main")
	}
	for name := range pools {
		harness.AwaitOccupied(t, s.tenant, name, nodes)
	}
	_, config := harness.TenantClient(t, s.Marina, s.cluster.Name)
	prober, budgets := harness.StartProber(t, config), harness.WatchBudgets(t, config, slices.Sorted(maps.Keys(pools))...)

	began := time.Now()
	check(t, s.Client.Patch(t.Context(), s.cluster, client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"spec": {"version": %q}}`, harness.Release))))
	for _, name := range slices.Sorted(maps.Keys(pools)) {
		s.ready(t, pools[name], nodes, kubernetesVersion)
		t.Logf("pool %s is upgraded after %s", name, time.Since(began).Round(time.Second))
	}
	report := prober.Stop()
	t.Log(report)
	for _, request := range report.Failed() {
		t.Errorf("during the upgrade: %v", request.Err)
	}
	if lost, err := report.Lost(t.Context(), s.tenant); err != nil || len(lost) > 0 || len(report.Requests) < 100 {
		t.Errorf("of %d requests these were confirmed and came to nothing: %v (%v)", len(report.Requests), lost, err)
	}
	budgets.AssertKept(t)
	s.logUpgrades(t)

	rolled, inplace := s.servers(t, "rolling"), s.servers(t, "inplace")
	for node, server := range rolled {
		if slices.Contains(slices.Collect(maps.Values(before["rolling"])), server) {
			t.Errorf("node %s of the pool that is replaced has its server still", node)
		}
	}
	if !maps.Equal(before["inplace"], inplace) {
		t.Errorf("the servers of the pool that is made anew in place are %v, want %v", inplace, before["inplace"])
	}
	for name := range pools {
		harness.AwaitOccupied(t, s.tenant, name, nodes)
	}
}

// ready waits until a pool is Active with so many nodes, all of a version.
func (s *scene) ready(t testing.TB, pool *v1alpha1.NodePool, replicas int, version string) {
	t.Helper()
	check(t, harness.Await(t.Context(), 20*time.Minute, func(ctx context.Context) error {
		now := &v1alpha1.NodePool{}
		if err := s.Client.Get(ctx, client.ObjectKeyFromObject(pool), now); err != nil {
			return err
		}
		if now.Status.Phase != v1alpha1.PoolActive || int(now.Status.ReadyReplicas) != replicas {
			return fmt.Errorf("pool %s is %s: %s", pool.Name, now.Status.Phase, now.Status.Message)
		}
		for name, n := range s.nodes(t, pool.Name) {
			if got := n.Status.NodeInfo.KubeletVersion; got != version {
				return fmt.Errorf("node %s runs %s, want %s", name, got, version)
			}
		}
		return nil
	}))
}

// servers are the ids of the servers of a pool's nodes, by node.
func (s *scene) servers(t testing.TB, pool string) map[string]string {
	t.Helper()
	machines := &v1alpha1.MachineList{}
	check(t, s.Client.List(t.Context(), machines, client.MatchingLabels{v1alpha1.LabelPool: pool}))
	ids := map[string]string{}
	for _, m := range machines.Items {
		ids[m.Name] = m.Status.ServerID
	}
	return ids
}

// logUpgrades logs how long each step of what was done took.
func (s *scene) logUpgrades(t testing.TB) {
	t.Helper()
	all := &v1alpha1.OperationList{}
	check(t, s.Client.List(t.Context(), all, client.InNamespace("default")))
	for _, op := range all.Items {
		if op.Spec.Type == v1alpha1.OperationCreate {
			continue
		}
		t.Logf("%s %s: %s %s", op.Spec.TargetRef.Kind, op.Spec.TargetRef.Name, op.Spec.Type, op.Status.Phase)
		for _, step := range op.Status.Steps {
			if step.StartedAt != nil && step.FinishedAt != nil {
				t.Logf("  %-34s %s", step.Name, step.FinishedAt.Sub(step.StartedAt.Time))
			}
		}
	}
}
