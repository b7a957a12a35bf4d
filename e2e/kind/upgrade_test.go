//go:build kind

package kind

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// Rules 12, 16 and 17: a control plane of pods goes to another minor version, in two rolls, and
// then its nodes follow, containers with pods: those of one pool are replaced, those of another
// made anew in place. No client notices, and no PodDisruptionBudget is violated. That it begins
// at all shows that the manager may ask each of the API servers what is in use, past the
// NetworkPolicies.
func TestRule12And16And17AnUpgradeIsNotNoticed(t *testing.T) {
	const from, to = "1.36.4-1", "1.37.1-1"
	newCloud(t, from, to)
	c := harness.NewCluster("rising", from)
	c.Spec.InfrastructureRef, c.Spec.CredentialsRef = &v1alpha1.LocalReference{Name: "paris"}, &v1alpha1.LocalReference{Name: "team"}
	s := create(t, c)
	rolling, inPlace := s.addPool(t, "rolling", v1alpha1.UpgradeRolling), s.addPool(t, "inplace", v1alpha1.UpgradeInPlace)
	s.awaitUsable(t)
	s.awaitReplicas(t)
	image, err := imageOf(management.root, "pause")
	harness.Check(t, err)
	before := s.awaitPools(t, kubernetesOf(from), rolling, inPlace)
	for pool := range before {
		harness.Occupy(t, s.api, pool, 2, image)
	}
	for pool := range before {
		harness.AwaitOccupied(t, s.api, pool, 2)
	}
	t.Logf("the nodes and their pods are ready after %.1f s", time.Since(s.created).Seconds())
	prober, budgets := harness.StartProber(t, s.config), harness.WatchBudgets(t, s.config, rolling.Name, inPlace.Name)
	awaitSucceeded(t, prober, time.Time{}, 5)

	began := time.Now()
	s.upgrade(t, to)
	t.Logf("the control plane is upgraded after %.1f s", time.Since(began).Seconds())
	after := s.awaitPools(t, kubernetesOf(to), rolling, inPlace)
	t.Logf("the nodes, too, are upgraded after %.1f s", time.Since(began).Seconds())
	s.awaitReplicas(t)
	awaitSucceeded(t, prober, time.Now(), 10)
	report := prober.Stop()
	t.Log(report)
	if err := none(report); err != nil {
		t.Error(err)
	}
	budgets.AssertKept(t)
	lost, err := report.Lost(t.Context(), s.api)
	harness.Check(t, err)
	if len(lost) > 0 {
		t.Errorf("writes that were confirmed are lost: %v", lost)
	}
	version, err := s.api.Discovery().ServerVersion()
	harness.Check(t, err)
	if version.GitVersion != kubernetesOf(to) || version.EmulationMinor != "37" {
		t.Errorf("the API server is %s and behaves as 1.%s", version.GitVersion, version.EmulationMinor)
	}

	for node, server := range after[rolling.Name] {
		if slices.Contains(slices.Collect(maps.Values(before[rolling.Name])), server) {
			t.Errorf("node %s of the pool that is replaced has its server still", node)
		}
	}
	if !maps.Equal(before[inPlace.Name], after[inPlace.Name]) {
		t.Errorf("the servers of the pool that is made anew in place are %v, want %v", after[inPlace.Name], before[inPlace.Name])
	}
	for pool := range after {
		harness.AwaitOccupied(t, s.api, pool, 2)
	}

	list := &v1alpha1.OperationList{}
	harness.Check(t, management.client.List(t.Context(), list, client.InNamespace("default")))
	var steps []v1alpha1.OperationStep
	for _, op := range list.Items {
		if op.Spec.Type == v1alpha1.OperationUpgrade && op.Spec.TargetRef.UID == c.UID {
			steps = op.Status.Steps
		}
	}
	for _, step := range steps {
		t.Logf("%-32s %s", step.Name, step.FinishedAt.Sub(step.StartedAt.Time))
	}
	if len(steps) != 7 {
		t.Errorf("the upgrade had %d steps, want 7: checks, and two rolls of three components", len(steps))
	}
}

// upgrade asks for a version, and waits until the control plane has it; no node may have it
// before.
func (s *tenant) upgrade(t *testing.T, to string) {
	t.Helper()
	key, c := client.ObjectKey{Namespace: "default", Name: s.name}, &v1alpha1.Cluster{}
	harness.Check(t, management.client.Get(t.Context(), key, c))
	before := c.DeepCopy()
	c.Spec.Version = to
	harness.Check(t, management.client.Patch(t.Context(), c, client.MergeFrom(before)))
	harness.Check(t, harness.AwaitEvery(t.Context(), time.Second/2, 8*time.Minute, func(ctx context.Context) error {
		nodes, err := s.api.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		if err := errors.Join(err, management.client.Get(ctx, key, c)); err != nil {
			return err
		}
		for _, node := range nodes.Items {
			if c.Status.Version != to && node.Status.NodeInfo.KubeletVersion == kubernetesOf(to) {
				return harness.Fatal(fmt.Errorf("node %s runs %s while the control plane runs %s", node.Name, to, c.Status.Version))
			}
		}
		if c.Status.Phase != v1alpha1.ClusterActive || c.Status.Version != to {
			return fmt.Errorf("%s with %s: %s; %+v", c.Status.Phase, c.Status.Version, c.Status.Message, meta.FindStatusCondition(c.Status.Conditions, v1alpha1.ConditionSpecAccepted))
		}
		return nil
	}))
}
