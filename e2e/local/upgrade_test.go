package local

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

func setVersion(t *testing.T, m *harness.Marina, name, version string) {
	t.Helper()
	patch := fmt.Sprintf(`{"spec":{"version":%q}}`, version)
	check(t, m.Client.Patch(t.Context(), newCluster(name, ""), client.RawPatch(types.MergePatchType, []byte(patch))))
}

// awaitVersion waits until a cluster is Active and runs a version.
func awaitVersion(t *testing.T, m *harness.Marina, name, version string) {
	t.Helper()
	check(t, harness.Await(t.Context(), 3*time.Minute, func(ctx context.Context) error {
		c, err := getCluster(ctx, m, name)
		if err != nil {
			return err
		}
		if c.Status.Phase != v1alpha1.ClusterActive || c.Status.Version != version {
			return fmt.Errorf("cluster %s is %s and runs %s: %s", name, c.Status.Phase, c.Status.Version, c.Status.Message)
		}
		return nil
	}))
}

func TestRule17AnUpgradeIsNotNoticedByClients(t *testing.T) {
	const name = "rising"
	c := newCluster(name, clusters["old"])
	check(t, shared.Client.Create(t.Context(), c))
	check(t, awaitAvailable(t.Context(), shared, name))
	api, config := tenant(t, shared, name)
	prober := harness.StartProber(t, config)

	setVersion(t, shared, name, clusters["new"])
	// Rule 12: first all API servers run the new minor version and behave as the old one.
	awaitUpdated(t, shared, c, "kube-apiserver", func(s v1alpha1.ComponentStatus) bool { return s.Emulates == "1.36" && s.Updated == 3 && s.Ready == 3 })
	check(t, harness.Await(t.Context(), 10*time.Second, func(context.Context) error {
		now, err := api.Discovery().ServerVersion()
		if err == nil && (now.GitVersion != "v1.37.1" || now.EmulationMinor != "36") {
			err = fmt.Errorf("the API server is %s and behaves as 1.%s, want v1.37.1 as 1.36", now.GitVersion, now.EmulationMinor)
		}
		return err
	}))
	awaitVersion(t, shared, name, clusters["new"])
	report := prober.Stop()
	t.Log(report)
	logSteps(t, name)
	if n := len(report.Requests); n < 50 {
		t.Errorf("asked %d times: the prober has not worked", n)
	}
	for _, request := range report.Failed() {
		t.Errorf("during the upgrade: %v", request.Err)
	}
	lost, err := report.Lost(t.Context(), api)
	check(t, err)
	if len(lost) > 0 {
		t.Errorf("confirmed and not there after the upgrade: %v", lost)
	}
	version, err := api.Discovery().ServerVersion()
	check(t, err)
	if version.GitVersion != "v1.37.1" || version.EmulationMinor != "37" {
		t.Errorf("the API server is %s and behaves as 1.%s", version.GitVersion, version.EmulationMinor)
	}
	check(t, harness.Await(t.Context(), time.Minute, func(ctx context.Context) error {
		now, err := getCluster(ctx, shared, name)
		if err == nil && (now.Status.Committed != "" || now.Status.Phase != v1alpha1.ClusterActive) {
			err = fmt.Errorf("it is %s and committed to %q", now.Status.Phase, now.Status.Committed)
		}
		return err
	}))
	back := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"spec":{"version":%q}}`, clusters["old"]))
	if err := shared.Client.Patch(t.Context(), newCluster(name, ""), back); err == nil || !strings.Contains(err.Error(), "may not read what has been stored") {
		t.Errorf("going back afterwards: %v, want it refused with the reason", err)
	}
	check(t, shared.Client.Delete(t.Context(), c))
	gone(t, shared, c)
}

// logSteps logs how long each step of the upgrade of a cluster took, and checks that it had all.
func logSteps(t *testing.T, name string) {
	t.Helper()
	found, err := operations(t.Context(), shared, name)
	check(t, err)
	done := ofType(found, v1alpha1.OperationUpgrade, v1alpha1.OperationSucceeded)
	if len(done) != 1 {
		t.Fatalf("%d upgrades have succeeded, want one: %v", len(done), found)
	}
	steps := found[done[0]].Status.Steps
	for _, step := range steps {
		t.Logf("%-32s %s", step.Name, step.FinishedAt.Sub(step.StartedAt.Time))
	}
	if len(steps) != 7 {
		t.Errorf("the upgrade had %d steps, want 7: checks, and two rolls of three components", len(steps))
	}
}

// A release whose programs are not on this machine must take nothing down: not at
// once, not at the next start, and not for good.
func TestAnUpgradeThatCannotBegin(t *testing.T) {
	m := start(t)
	const name = "patient"
	c := create(t, m, name)
	check(t, awaitAvailable(t.Context(), m, name))
	api, _ := tenant(t, m, name)
	serves := func(ctx context.Context) error {
		_, err := api.CoreV1().Namespaces().Get(ctx, "default", metav1.GetOptions{})
		return err
	}

	release := &v1alpha1.KubernetesRelease{}
	check(t, m.Client.Get(t.Context(), client.ObjectKey{Name: c.Spec.Version}, release))
	release.ObjectMeta = metav1.ObjectMeta{Name: "1.38.0-1"}
	check(t, m.Client.Create(t.Context(), release))
	check(t, harness.Await(t.Context(), 30*time.Second, func(ctx context.Context) error {
		patch := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"version":"1.38.0-1"}}`))
		return m.Client.Patch(ctx, newCluster(name, ""), patch)
	}))
	check(t, harness.Await(t.Context(), time.Minute, func(ctx context.Context) error {
		now, err := getCluster(ctx, m, name)
		if err != nil {
			return err
		}
		if now.Status.Phase != v1alpha1.ClusterDegraded || !strings.Contains(now.Status.Message, "make kubernetes-1.38") {
			return fmt.Errorf("%s: %s", now.Status.Phase, now.Status.Message)
		}
		return nil
	}))
	if err := serves(t.Context()); err != nil {
		t.Errorf("with a version that is not built: %v", err)
	}

	check(t, m.Stop())
	check(t, m.Start(t.Context()))
	if err := harness.Await(t.Context(), time.Minute, serves); err != nil {
		t.Errorf("after the next start: %v", err)
	}

	setVersion(t, m, name, c.Spec.Version)
	awaitVersion(t, m, name, c.Spec.Version)
}
