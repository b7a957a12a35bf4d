package cluster

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/release"
)

// Rule 5: Degraded is not Error. What is refused stops nothing else, and a corrected spec is
// taken up.
func TestRule05ADegradedClusterGoesOn(t *testing.T) {
	w := newCreated(t)
	w.change(func(c *v1alpha1.Cluster) { c.Spec.Version = "1.36.8-1" })
	w.settle()
	if c := w.cluster1(); c.Status.Phase != v1alpha1.ClusterDegraded || c.Status.Version != oldVersion || !strings.Contains(c.Status.Message, "1.36.8-1 is not offered") {
		t.Fatalf("it is %s with %s: %s", c.Status.Phase, c.Status.Version, c.Status.Message)
	}
	for _, kind := range []v1alpha1.OperationType{v1alpha1.OperationResync, v1alpha1.OperationRestart, v1alpha1.OperationRotateCertificates} {
		o := op(kind, "asked-"+strings.ToLower(string(kind)))
		w.must(w.api.Create(t.Context(), o))
		w.settle()
		if got := w.operation(o.Name); got.Status.Phase != v1alpha1.OperationSucceeded {
			t.Errorf("%s of a degraded cluster is %s: %s", kind, got.Status.Phase, got.Status.Message)
		}
	}
	w.change(func(c *v1alpha1.Cluster) { c.Spec.Version = newVersion })
	w.settle()
	if c := w.cluster1(); c.Status.Phase != v1alpha1.ClusterActive || c.Status.Version != newVersion {
		t.Errorf("corrected it is %s with %s: %s", c.Status.Phase, c.Status.Version, c.Status.Message)
	}
}

// Rule 5: nor is it Degraded when the release that it runs is deleted: it could not be upgraded
// to one that there is.
func TestRule05AReleaseThatIsGoneRefusesNothingThatRuns(t *testing.T) {
	w := newCreated(t)
	w.must(w.api.Delete(t.Context(), &v1alpha1.KubernetesRelease{ObjectMeta: metav1.ObjectMeta{Name: oldVersion}}))
	w.change(func(c *v1alpha1.Cluster) { c.Spec.Access.CertSANs = []string{"shop.example.com"} })
	w.settle()
	if c := w.cluster1(); c.Status.Phase != v1alpha1.ClusterActive || c.Status.Accepted.Generation != c.Generation || len(w.hcp().Spec.CertSANs) != 1 {
		t.Errorf("it is %s: %s; accepted: %+v", c.Status.Phase, c.Status.Message, c.Status.Accepted)
	}
	if says := w.supportSays(); !strings.Contains(says, "there is no KubernetesRelease "+oldVersion+" any more") {
		t.Errorf("Supported says %q", says)
	}
	w.change(func(c *v1alpha1.Cluster) { c.Spec.Version = newVersion })
	w.settle()
	if c := w.cluster1(); c.Status.Version != newVersion || c.Status.Phase != v1alpha1.ClusterActive {
		t.Errorf("it does not get away from it: %s with %s: %s", c.Status.Phase, c.Status.Version, c.Status.Message)
	}
}

// Rule 9: a retry is a new entry that refers to the old one, which stays as it was, whatever
// Marina looks at it.
func TestRule09ARetryIsANewEntryThatNamesTheOldOne(t *testing.T) {
	w := newCreated(t)
	w.setEtcd(2)
	w.change(func(c *v1alpha1.Cluster) { c.Spec.Version = newVersion })
	w.settle()
	first := w.cluster1().Status.Operation
	w.cancel(first)
	w.settle()
	before := w.operation(first)
	w.setEtcd(3)
	w.must(w.api.Create(t.Context(), retryOf(upgradeTo(newVersion, "again"), first)))
	w.settle() // with another Marina than before
	if diff := cmp.Diff(before, w.operation(first)); diff != "" || before.Status.Phase != v1alpha1.OperationCancelled {
		t.Errorf("the first one was %s; it has changed (-was +is):\n%s", before.Status.Phase, diff)
	}
	if again := w.operation("again"); again.Status.Phase != v1alpha1.OperationSucceeded || again.Spec.RetryOf != first {
		t.Errorf("the retry is %s and refers to %q: %s", again.Status.Phase, again.Spec.RetryOf, again.Status.Message)
	}
}

// Rule 9: so it is when Marina itself tries again what was refused, once nothing stands against
// it any more.
func TestRule09WhatWasRefusedIsTriedAgainAsANewEntry(t *testing.T) {
	w := newCreated(t)
	w.found.deprecated = []release.DeprecatedAPI{endedAPI}
	w.change(func(c *v1alpha1.Cluster) { c.Spec.Version = newVersion })
	w.settle()
	w.found.deprecated = nil
	w.settle()
	var first, again v1alpha1.Operation
	for _, o := range w.all() {
		switch {
		case o.Spec.Type != v1alpha1.OperationUpgrade:
		case o.Status.Phase == v1alpha1.OperationFailed:
			first = o
		default:
			again = o
		}
	}
	if first.Name == "" || !strings.Contains(first.Status.Message, "volumeattributesclasses") {
		t.Errorf("what was refused left %q: %s", first.Name, first.Status.Message)
	}
	if again.Status.Phase != v1alpha1.OperationSucceeded || again.Spec.RetryOf != first.Name {
		t.Errorf("then %s is %s and refers to %q, want %s", again.Name, again.Status.Phase, again.Spec.RetryOf, first.Name)
	}
}

// Rule 15: who asks for what runs already is told so.
func TestRule15AnUpgradeToWhatRunsIsRefused(t *testing.T) {
	w := newCreated(t)
	before := w.hcp()
	w.must(w.api.Create(t.Context(), upgradeTo(oldVersion, "asked")))
	w.settle()
	got := w.operation("asked")
	if got.Status.Phase != v1alpha1.OperationFailed || !strings.Contains(got.Status.Message, "it runs "+oldVersion+"; change spec.version instead") {
		t.Errorf("it is %s: %s", got.Status.Phase, got.Status.Message)
	}
	if diff := cmp.Diff(before.Spec, w.hcp().Spec); diff != "" {
		t.Errorf("and it changes (-was +is):\n%s", diff)
	}
}

// Rule 7: what is changed while an upgrade waits to begin is taken
// up with it, and keeps it from nothing.
func TestRule07AChangeWhileAnUpgradeWaitsIsTakenUpWithIt(t *testing.T) {
	w := newCreated(t)
	w.setEtcd(2)
	w.change(func(c *v1alpha1.Cluster) { c.Spec.Version = newVersion })
	w.settle()
	w.change(func(c *v1alpha1.Cluster) { c.Spec.Access.CertSANs = []string{"shop.example.com"} })
	w.settle()
	if hcp := w.hcp(); hcp.Spec.Version != oldVersion || len(hcp.Spec.CertSANs) != 0 {
		t.Errorf("before the upgrade begins the control plane is told %+v", hcp.Spec)
	}
	w.setEtcd(3)
	w.settle()
	c, hcp := w.cluster1(), w.hcp()
	if c.Status.Version != newVersion || c.Status.Phase != v1alpha1.ClusterActive || len(hcp.Spec.CertSANs) != 1 || c.Status.Accepted.Generation != c.Generation {
		t.Errorf("then it is %s with %s, %v, accepted %+v: %s", c.Status.Phase, c.Status.Version, hcp.Spec.CertSANs, c.Status.Accepted, c.Status.Message)
	}
}
