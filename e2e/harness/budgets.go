package harness

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// Occupy runs pods on the nodes of a pool, of which one may be missing at a time, and which
// tolerate a taint "env". Deployment and PodDisruptionBudget have the pool's name.
func Occupy(t testing.TB, tenant kubernetes.Interface, pool string, pods int32, image string) {
	t.Helper()
	labels, one := map[string]string{"app": pool}, intstr.FromInt32(1)
	_, err := tenant.AppsV1().Deployments("default").Create(t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: pool},
		Spec: appsv1.DeploymentSpec{
			Replicas: &pods, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{
				NodeSelector: map[string]string{v1alpha1.LabelPool: pool}, TerminationGracePeriodSeconds: new(int64(1)),
				Tolerations: []corev1.Toleration{{Key: "env", Operator: corev1.TolerationOpExists}},
				Containers:  []corev1.Container{{Name: "main", Image: image}},
				TopologySpreadConstraints: []corev1.TopologySpreadConstraint{{
					MaxSkew: 1, TopologyKey: corev1.LabelHostname, WhenUnsatisfiable: corev1.ScheduleAnyway, LabelSelector: &metav1.LabelSelector{MatchLabels: labels},
				}},
			}},
		},
	}, metav1.CreateOptions{})
	Check(t, err)
	_, err = tenant.PolicyV1().PodDisruptionBudgets("default").Create(t.Context(), &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Name: pool},
		Spec:       policyv1.PodDisruptionBudgetSpec{MaxUnavailable: &one, Selector: &metav1.LabelSelector{MatchLabels: labels}},
	}, metav1.CreateOptions{})
	Check(t, err)
}

// AwaitOccupied waits until all pods of a pool are ready, and its budget knows.
func AwaitOccupied(t testing.TB, tenant kubernetes.Interface, pool string, pods int32) {
	t.Helper()
	Check(t, Await(t.Context(), 2*time.Minute, func(ctx context.Context) error {
		b, err := tenant.PolicyV1().PodDisruptionBudgets("default").Get(ctx, pool, metav1.GetOptions{})
		if err == nil && (b.Status.CurrentHealthy != pods || b.Status.ObservedGeneration != b.Generation) {
			err = fmt.Errorf("%d of %d pods of pool %s are healthy", b.Status.CurrentHealthy, pods, pool)
		}
		return err
	}))
}

// Budgets looks at the PodDisruptionBudgets of pools that are occupied ten times a second, by
// the pods themselves: what a budget says of them comes later.
type Budgets struct {
	asked *Prober

	mu       sync.Mutex
	violated []string
}

// WatchBudgets begins to look; the test's end stops it.
func WatchBudgets(t testing.TB, config *rest.Config, pools ...string) *Budgets {
	t.Helper()
	config = rest.CopyConfig(config)
	config.QPS = -1 // or who looks would wait for its turn
	tenant, err := kubernetes.NewForConfig(config)
	Check(t, err)
	b := &Budgets{}
	b.asked = StartAsking(t, 100*time.Millisecond, func(ctx context.Context) error {
		for _, pool := range pools {
			if err := b.look(ctx, tenant, pool); err != nil {
				return err
			}
		}
		return nil
	})
	return b
}

func (b *Budgets) look(ctx context.Context, tenant kubernetes.Interface, pool string) error {
	budget, err := tenant.PolicyV1().PodDisruptionBudgets("default").Get(ctx, pool, metav1.GetOptions{})
	if err != nil {
		return err
	}
	pods, err := tenant.CoreV1().Pods("default").List(ctx, metav1.ListOptions{LabelSelector: "app=" + pool})
	if err != nil {
		return err
	}
	if n := healthy(pods.Items); n < budget.Status.DesiredHealthy {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.violated = append(b.violated, fmt.Sprintf("%s: %d pods of %s are healthy, want %d", time.Now().Format(time.TimeOnly), n, pool, budget.Status.DesiredHealthy))
	}
	return nil
}

// AssertKept stops to look, and fails if a budget was violated, or was not looked at.
func (b *Budgets) AssertKept(t testing.TB) {
	t.Helper()
	report := b.asked.Stop()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range report.Failed() {
		t.Errorf("at %s the budgets were not looked at: %v", r.Start.Format(time.TimeOnly), r.Err)
	}
	if looks := len(report.Requests); len(b.violated) > 0 || looks < 100 {
		t.Errorf("in %d looks at the budgets %d violations were seen, the first: %v", looks, len(b.violated), b.violated[:min(3, len(b.violated))])
	}
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
