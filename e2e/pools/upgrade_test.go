package pools

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
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
		s.occupy(t, name, nodes)
	}
	for name := range pools {
		s.occupied(t, name, nodes)
	}
	_, config := harness.TenantClient(t, s.Marina, s.cluster.Name)
	unlimited := rest.CopyConfig(config)
	unlimited.QPS = -1
	prober, budgets := harness.StartProber(t, config), watchBudgets(t, kubernetes.NewForConfigOrDie(unlimited), slices.Sorted(maps.Keys(pools)))

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
	if looks, violated := budgets.end(); len(violated) > 0 || looks < 100 {
		t.Errorf("in %d looks at the budgets these were violated: %v", looks, violated)
	}
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
		s.occupied(t, name, nodes)
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

// occupy runs as many pods on a pool as it has nodes, of which one may be missing at a time.
func (s *scene) occupy(t testing.TB, pool string, pods int32) {
	t.Helper()
	labels, one := map[string]string{"app": pool}, intstr.FromInt32(1)
	_, err := s.tenant.AppsV1().Deployments("default").Create(t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: pool},
		Spec: appsv1.DeploymentSpec{
			Replicas: &pods, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{
				NodeSelector: map[string]string{v1alpha1.LabelPool: pool}, TerminationGracePeriodSeconds: new(int64(1)),
				Tolerations: []corev1.Toleration{{Key: "env", Operator: corev1.TolerationOpExists}},
				Containers:  []corev1.Container{{Name: "main", Image: "main"}},
				TopologySpreadConstraints: []corev1.TopologySpreadConstraint{{
					MaxSkew: 1, TopologyKey: corev1.LabelHostname, WhenUnsatisfiable: corev1.ScheduleAnyway, LabelSelector: &metav1.LabelSelector{MatchLabels: labels},
				}},
			}},
		},
	}, metav1.CreateOptions{})
	check(t, err)
	_, err = s.tenant.PolicyV1().PodDisruptionBudgets("default").Create(t.Context(), &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Name: pool},
		Spec:       policyv1.PodDisruptionBudgetSpec{MaxUnavailable: &one, Selector: &metav1.LabelSelector{MatchLabels: labels}},
	}, metav1.CreateOptions{})
	check(t, err)
}

// occupied waits until all pods of a pool are ready, and its budget knows.
func (s *scene) occupied(t testing.TB, pool string, pods int32) {
	t.Helper()
	check(t, harness.Await(t.Context(), 2*time.Minute, func(ctx context.Context) error {
		b, err := s.tenant.PolicyV1().PodDisruptionBudgets("default").Get(ctx, pool, metav1.GetOptions{})
		if err == nil && (b.Status.CurrentHealthy != pods || b.Status.ObservedGeneration != b.Generation) {
			err = fmt.Errorf("%d of %d pods of pool %s are healthy", b.Status.CurrentHealthy, pods, pool)
		}
		return err
	}))
}

// budgets are looked at ten times a second, by the pods themselves: what a budget says of them
// comes later.
type budgets struct {
	end func() (looks int, violated []string)
}

func watchBudgets(t testing.TB, tenant kubernetes.Interface, pools []string) budgets {
	t.Helper()
	var mu sync.Mutex
	var violated []string
	asked := harness.StartAsking(t, 100*time.Millisecond, func(ctx context.Context) error {
		for _, pool := range pools {
			b, err := tenant.PolicyV1().PodDisruptionBudgets("default").Get(ctx, pool, metav1.GetOptions{})
			if err != nil {
				return err
			}
			pods, err := tenant.CoreV1().Pods("default").List(ctx, metav1.ListOptions{LabelSelector: "app=" + pool})
			if err != nil {
				return err
			}
			if ready := healthy(pods.Items); ready < b.Status.DesiredHealthy {
				mu.Lock()
				violated = append(violated, fmt.Sprintf("%s: %d pods of %s are healthy, want %d", time.Now().Format(time.TimeOnly), ready, pool, b.Status.DesiredHealthy))
				mu.Unlock()
			}
		}
		return nil
	})
	return budgets{end: func() (int, []string) {
		report := asked.Stop()
		mu.Lock()
		defer mu.Unlock()
		for _, r := range report.Failed() {
			violated = append(violated, fmt.Sprintf("not looked at: %v", r.Err))
		}
		return len(report.Requests), violated
	}}
}

// healthy are the pods that a budget counts: ready, and not on their way out.
func healthy(pods []corev1.Pod) (n int32) {
	for _, p := range pods {
		ready := slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue })
		if p.DeletionTimestamp == nil && ready {
			n++
		}
	}
	return n
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
