//go:build kind

package kind

import (
	"context"
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// Rule 17: pods of a control plane go to another minor version, in two rolls, and no client
// notices. That it begins at all shows that the manager may ask each of the API servers what is
// in use, past the NetworkPolicies.
func TestRule17AnUpgradeOfPodsIsNotNoticed(t *testing.T) {
	const from, to = "1.36.4-1", "1.37.1-1"
	s := newTenant(t, "rising", from)
	s.awaitReplicas(t)
	prober := harness.StartProber(t, s.config)
	awaitSucceeded(t, prober, time.Time{}, 5)

	key, c := client.ObjectKey{Namespace: "default", Name: s.name}, &v1alpha1.Cluster{}
	harness.Check(t, management.client.Get(t.Context(), key, c))
	before := c.DeepCopy()
	c.Spec.Version = to
	harness.Check(t, management.client.Patch(t.Context(), c, client.MergeFrom(before)))
	harness.Check(t, harness.AwaitEvery(t.Context(), time.Second/2, 8*time.Minute, func(ctx context.Context) error {
		if err := management.client.Get(ctx, key, c); err != nil {
			return err
		}
		if c.Status.Phase != v1alpha1.ClusterActive || c.Status.Version != to {
			return fmt.Errorf("%s with %s: %s; %+v", c.Status.Phase, c.Status.Version, c.Status.Message, meta.FindStatusCondition(c.Status.Conditions, v1alpha1.ConditionSpecAccepted))
		}
		return nil
	}))
	s.awaitReplicas(t)
	awaitSucceeded(t, prober, time.Now(), 10)
	report := prober.Stop()
	t.Log(report)
	if err := none(report); err != nil {
		t.Error(err)
	}
	lost, err := report.Lost(t.Context(), s.api)
	harness.Check(t, err)
	if len(lost) > 0 {
		t.Errorf("writes that were confirmed are lost: %v", lost)
	}
	version, err := s.api.Discovery().ServerVersion()
	harness.Check(t, err)
	if version.GitVersion != "v1.37.1" || version.EmulationMinor != "37" {
		t.Errorf("the API server is %s and behaves as 1.%s", version.GitVersion, version.EmulationMinor)
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
