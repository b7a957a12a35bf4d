package local

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// operations are those on a cluster, by their names.
func operations(ctx context.Context, m *harness.Marina, cluster string) (map[string]*v1alpha1.Operation, error) {
	list := &v1alpha1.OperationList{}
	if err := m.Client.List(ctx, list, client.InNamespace("default"), client.MatchingFields{"spec.targetRef.name": cluster}); err != nil {
		return nil, err
	}
	found := map[string]*v1alpha1.Operation{}
	for i := range list.Items {
		found[list.Items[i].Name] = &list.Items[i]
	}
	return found, nil
}

// ofType are the names of the operations of a type that are in a phase.
func ofType(found map[string]*v1alpha1.Operation, kind v1alpha1.OperationType, phase v1alpha1.OperationPhase) (names []string) {
	for name, op := range found {
		if op.Spec.Type == kind && op.Status.Phase == phase {
			names = append(names, name)
		}
	}
	return names
}

// awaitOperation waits until an operation has ended and returns it.
func awaitOperation(t *testing.T, m *harness.Marina, name string) *v1alpha1.Operation {
	t.Helper()
	op := &v1alpha1.Operation{}
	check(t, harness.Await(t.Context(), 2*time.Minute, func(ctx context.Context) error {
		if err := m.Client.Get(ctx, client.ObjectKey{Namespace: "default", Name: name}, op); err != nil {
			return err
		}
		if !op.Status.Phase.Finished() {
			return fmt.Errorf("operation %s is %s, %s: %s", name, op.Status.Phase, op.Status.Progress, op.Status.Message)
		}
		return nil
	}))
	return op
}

// awaitUpdated waits until a component has replicas that have been replaced, for a
// version or a restart.
func awaitUpdated(t *testing.T, m *harness.Marina, c *v1alpha1.Cluster, component string, is func(v1alpha1.ComponentStatus) bool) {
	t.Helper()
	check(t, harness.Await(t.Context(), 3*time.Minute, func(ctx context.Context) error {
		now, err := getCluster(ctx, m, c.Name)
		if err != nil {
			return err
		}
		hcp := &v1alpha1.HostedControlPlane{}
		if err := m.Client.Get(ctx, client.ObjectKey{Namespace: now.Status.Namespace, Name: v1alpha1.NameHostedControlPlane}, hcp); err != nil {
			return err
		}
		for _, s := range hcp.Status.Components {
			if s.Name == component && is(s) {
				return nil
			}
		}
		return fmt.Errorf("components: %+v", hcp.Status.Components)
	}))
}

// componentVersions are the releases that the components of a cluster have been given.
func componentVersions(t *testing.T, m *harness.Marina, name string) map[string]string {
	t.Helper()
	now, err := getCluster(t.Context(), m, name)
	check(t, err)
	hcp := &v1alpha1.HostedControlPlane{}
	check(t, m.Client.Get(t.Context(), client.ObjectKey{Namespace: now.Status.Namespace, Name: v1alpha1.NameHostedControlPlane}, hcp))
	versions := map[string]string{}
	for _, s := range hcp.Status.Components {
		versions[s.Name] = s.Version
	}
	return versions
}

// An upgrade is cancelled when the first API server has been replaced. It stops when
// all have been, leaves the controllers alone, says so, and serves; a retry goes on.
// No request of a client fails from beginning to end.
func TestAnUpgradeIsCancelledAndTriedAgain(t *testing.T) {
	const name = "wavering"
	from, to := clusters["old"], clusters["new"]
	c := newCluster(name, from)
	check(t, shared.Client.Create(t.Context(), c))
	check(t, awaitAvailable(t.Context(), shared, name))
	_, config := tenant(t, shared, name)
	prober := harness.StartProber(t, config)

	setVersion(t, shared, name, to)
	awaitUpdated(t, shared, c, "kube-apiserver", func(s v1alpha1.ComponentStatus) bool { return s.Version == to && s.Updated == 1 })
	now, err := getCluster(t.Context(), shared, name)
	check(t, err)
	upgrade := now.Status.Operation
	if now.Status.Phase != v1alpha1.ClusterUpgrading || !strings.HasPrefix(upgrade, name+"-upgrade-") {
		t.Fatalf("the cluster is %s and runs operation %q, want an upgrade", now.Status.Phase, upgrade)
	}

	t.Run("another action is refused by its name", func(t *testing.T) {
		_, err := shared.CLI(t.Context(), "cluster", "restart", name, "--wait")
		if err == nil || !strings.Contains(err.Error(), upgrade) {
			t.Errorf("a restart meanwhile: %v, want it refused because of %s", err, upgrade)
		}
	})

	_, err = shared.CLI(t.Context(), "operation", "cancel", upgrade)
	check(t, err)
	op := awaitOperation(t, shared, upgrade)
	if op.Status.Phase != v1alpha1.OperationCancelled || !strings.Contains(op.Status.Message, "kube-controller-manager, kube-scheduler") {
		t.Errorf("the operation is %s: %q, want it cancelled with what was left", op.Status.Phase, op.Status.Message)
	}
	check(t, awaitPhase(t.Context(), shared, name, v1alpha1.ClusterDegraded))
	versions := componentVersions(t, shared, name)
	if versions["kube-apiserver"] != to || versions["kube-controller-manager"] != from || versions["kube-scheduler"] != from {
		t.Errorf("it stopped at %v, want API servers at %s and the others at %s", versions, to, from)
	}
	now, err = getCluster(t.Context(), shared, name)
	check(t, err)
	if now.Status.Version != from || !strings.Contains(now.Status.Message, "stopped") {
		t.Errorf("the cluster says that it runs %s: %s", now.Status.Version, now.Status.Message)
	}

	_, err = shared.CLI(t.Context(), "operation", "retry", upgrade, "--wait")
	check(t, err)
	awaitVersion(t, shared, name, to)
	found, err := operations(t.Context(), shared, name)
	check(t, err)
	if again := ofType(found, v1alpha1.OperationUpgrade, v1alpha1.OperationSucceeded); len(again) != 1 || found[again[0]].Spec.RetryOf != upgrade {
		t.Errorf("upgrades that succeeded: %v, want one that is a retry of %s", again, upgrade)
	}
	for _, request := range prober.Stop().Failed() {
		t.Errorf("meanwhile: %v", request.Err)
	}
	check(t, shared.Client.Delete(t.Context(), c))
	harness.Gone(t, shared, c)
	// The history outlives the cluster.
	check(t, harness.Await(t.Context(), 10*time.Second, func(ctx context.Context) error {
		found, err := operations(ctx, shared, name)
		if err == nil && len(ofType(found, v1alpha1.OperationDelete, v1alpha1.OperationSucceeded)) != 1 {
			err = fmt.Errorf("the deletion is not recorded as done: %v", found)
		}
		return err
	}))
}

// A restart is under way when Marina is killed: the next one finishes the same
// operation and begins no other.
func TestAKilledMarinaFinishesARestart(t *testing.T) {
	m := start(t)
	c := create(t, m, "going-on")
	check(t, awaitAvailable(t.Context(), m, c.Name))
	before := m.TenantProcesses()
	op := &v1alpha1.Operation{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "restart-it"},
		Spec: v1alpha1.OperationSpec{
			TargetRef: v1alpha1.OperationTarget{Kind: "Cluster", Name: c.Name}, Type: v1alpha1.OperationRestart,
		},
	}
	check(t, m.Client.Create(t.Context(), op))
	awaitUpdated(t, m, c, "kube-apiserver", func(s v1alpha1.ComponentStatus) bool {
		return s.Restart == string(op.UID) && s.Updated > 0 && s.Updated < 3
	})
	check(t, m.Kill())
	halfway := m.TenantProcesses()
	check(t, m.Start(t.Context()))
	now := &v1alpha1.Operation{}
	check(t, m.Client.Get(t.Context(), client.ObjectKeyFromObject(op), now))
	if now.Status.StartedAt == nil {
		t.Fatal("the operation had not begun: the kill came too early")
	}
	ended := awaitOperation(t, m, op.Name)
	if ended.Status.Phase != v1alpha1.OperationSucceeded || !ended.Status.StartedAt.Equal(now.Status.StartedAt) {
		t.Errorf("the operation is %s and began at %s, want it finished as the one that began at %s", ended.Status.Phase, ended.Status.StartedAt, now.Status.StartedAt)
	}
	check(t, awaitAvailable(t.Context(), m, c.Name))
	check(t, everyProcess(before, halfway, m.TenantProcesses()))
	found, err := operations(t.Context(), m, c.Name)
	check(t, err)
	if len(found) != 2 {
		t.Errorf("operations %v, want the creation and the restart", found)
	}
}

// everyProcess checks that each replica of the control plane was replaced exactly once
// and nothing else was.
func everyProcess(before, halfway, after map[string]int) error {
	var errs []error
	for name, pid := range before {
		replica := strings.Contains(name, "/kube-") && !strings.Contains(name, "/balancer")
		switch {
		case replica && after[name] == pid:
			errs = append(errs, fmt.Errorf("%s was not restarted", name))
		case replica && halfway[name] != pid && halfway[name] != 0 && halfway[name] != after[name]:
			errs = append(errs, fmt.Errorf("%s was restarted before the kill, and again after it", name))
		case !replica && after[name] != pid:
			errs = append(errs, fmt.Errorf("%s was restarted", name))
		}
	}
	return errors.Join(errs...)
}
