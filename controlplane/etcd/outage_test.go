package etcd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// TestOutage takes members away and gives them back: first one, then two.
func TestOutage(t *testing.T) {
	w := ownWorld(t)
	leaving, staying := w.addTenant(t, "leaving"), w.addTenant(t, "staying")
	fill(t, w.open(t, w.tenantPair(t, leaving)), "leaving", 3)
	own := w.open(t, w.tenantPair(t, staying))
	furnish(t, own, "staying")
	r := &TenantReconciler{Client: w.api, Pool: w.pool}

	t.Log("one member of three")
	w.runner.Kill(1)
	w.until(t, func(c *v1alpha1.EtcdCluster) error {
		// The others may have to choose a leader first. Two are enough.
		return errors.Join(want(c.Status.Conditions, "Available", "False", "MembersMissing", "2 of 3 members are ready: etcd-default-1: "),
			want(c.Status.Conditions, "Ready", "True", "AsExpected", ""))
	})
	if ready := w.cluster().Status.ReadyMembers; ready != 2 {
		t.Errorf("%d ready members, want 2", ready)
	}
	w.addTenant(t, "meanwhile")

	t.Log("two members of three, noticed by a tenant before anybody else")
	w.runner.Kill(2)
	if err := w.api.Delete(context.Background(), leaving); err != nil {
		t.Fatal(err)
	}
	noQuorum := `etcd cluster "default" has no quorum (2 of 3 members do not answer): deletion waits and goes on by itself when it is back`
	deleteMeanwhile := func() error {
		t.Helper()
		started := time.Now()
		result, err := r.Reconcile(context.Background(), requestFor(leaving))
		if err != nil || result.RequeueAfter == 0 {
			t.Errorf("%+v, %v; want it to look again by itself", result, err)
		}
		// Generous, for a busy machine: a request that nobody limits would take for ever.
		if took := time.Since(started); took > 20*time.Second {
			t.Errorf("the pass took %s: other tenants wait meanwhile", took)
		}
		got := &v1alpha1.EtcdTenant{}
		if err := w.api.Get(context.Background(), client.ObjectKeyFromObject(leaving), got); err != nil {
			t.Fatal(err)
		}
		return errors.Join(want(got.Status.Conditions, "Deleting", "Unknown", "EtcdUnavailable", noQuorum), want(got.Status.Conditions, "Ready", "False", "Deleting", noQuorum))
	}
	// The one that is left may take more than the second that it has to answer.
	deletionWaits := func() {
		t.Helper()
		if err := eventually(deleteMeanwhile); err != nil {
			t.Error(err)
		}
	}
	deletionWaits()

	t.Log("the EtcdCluster knows")
	w.until(t, func(c *v1alpha1.EtcdCluster) error {
		return want(c.Status.Conditions, "Ready", "False", "NoQuorum", "0 of 3 members are ready: etcd-default-0, etcd-default-1, etcd-default-2: ")
	})
	deletionWaits()
	if woken := r.waitingTenants(context.Background(), w.cluster()); !slices.Contains(woken, requestFor(staying)) {
		t.Errorf("woken: %v, and not the tenant that is served no longer", woken)
	}
	if _, err := r.Reconcile(context.Background(), requestFor(staying)); err != nil || w.ready(t, staying) {
		t.Errorf("ready, %v, without etcd", err)
	}
	if err := want(staying.Status.Conditions, "Ready", "False", "WaitingForEtcdCluster", "waiting for EtcdCluster default to be ready: NoQuorum: 0 of 3 members"); err != nil {
		t.Error(err)
	}
	waiting := newTenant("waiting")
	if err := w.api.Create(context.Background(), waiting); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Reconcile(context.Background(), requestFor(waiting)); err != nil || w.ready(t, waiting) {
		t.Errorf("ready, %v, without etcd", err)
	}
	if err := want(waiting.Status.Conditions, "Ready", "Unknown", "WaitingForEtcdCluster", "waiting for EtcdCluster default to be ready"); err != nil {
		t.Error(err)
	}

	t.Log("they are back")
	for _, i := range []int{1, 2} {
		if err := w.runner.Start(i); err != nil {
			t.Fatal(err)
		}
	}
	w.until(t, func(c *v1alpha1.EtcdCluster) error {
		return want(c.Status.Conditions, "Available", "True", "AsExpected", "all 3 members are ready")
	})
	woken := r.waitingTenants(context.Background(), w.cluster())
	for _, tenant := range []*v1alpha1.EtcdTenant{leaving, staying, waiting} {
		if !slices.Contains(woken, requestFor(tenant)) {
			t.Errorf("%s is not woken", tenant.Namespace)
		}
	}
	if err := w.runDeletion(r, leaving); err != nil {
		t.Error(err)
	}
	for _, tenant := range []*v1alpha1.EtcdTenant{staying, waiting} {
		if err := w.runTenant(r, tenant); err != nil {
			t.Error(err)
		}
	}
	t.Log("all three at once, as when their machine starts anew")
	for i := range 3 {
		w.runner.Kill(i)
	}
	for i := range 3 {
		if err := w.runner.Start(i); err != nil {
			t.Fatal(err)
		}
	}
	w.until(t, func(c *v1alpha1.EtcdCluster) error {
		return want(c.Status.Conditions, "Available", "True", "AsExpected", "all 3 members are ready")
	})
	for key, value := range authState(t, w.root(t)) {
		if strings.HasSuffix(key, " leaving") {
			t.Errorf("%s is left: %s", key, value)
		}
	}
	if got, err := own.Get(soon(t), "/staying/key"); err != nil || len(got.Kvs) != 1 {
		t.Errorf("the key of another tenant: %v, %v", got, err)
	}
}

// TestVersionThatCannotBe is refused without touching the members that serve.
func TestVersionThatCannotBe(t *testing.T) {
	w := ownWorld(t)
	for version, reason := range map[string]string{"3.9.0": "VersionSkipped", "3.6.13": "VersionTooOld"} {
		c := w.cluster()
		c.Spec.Version = version
		c.Generation++
		if err := w.api.Update(context.Background(), c); err != nil {
			t.Fatal(err)
		}
		w.until(t, func(c *v1alpha1.EtcdCluster) error {
			return want(c.Status.Conditions, "SpecAccepted", "False", reason, "3.7.3")
		})
		c = w.cluster()
		if err := readyError(c.Status.Conditions); err != nil || w.runner.applied.Main.Version != "v3.7.3" {
			t.Errorf("%s: runs %s, %v; want v3.7.3, and it to be Ready", version, w.runner.applied.Main.Version, err)
		}
	}
}

// until reconciles the EtcdCluster until it is so.
func (w *world) until(t testing.TB, so func(*v1alpha1.EtcdCluster) error) {
	t.Helper()
	if err := eventually(func() error {
		if _, err := w.reconcileCluster(); err != nil {
			return err
		}
		return so(w.cluster())
	}); err != nil {
		t.Fatal(err)
	}
}

// want compares a condition.
func want(conditions []metav1.Condition, conditionType, status, reason, says string) error {
	c := meta.FindStatusCondition(conditions, conditionType)
	if c == nil || string(c.Status) != status || c.Reason != reason || !strings.Contains(c.Message, says) {
		return fmt.Errorf("condition %s: %+v, want %s, %s, and it to say %q", conditionType, c, status, reason, says)
	}
	return nil
}
