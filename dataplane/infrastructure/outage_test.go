package infrastructure

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/marina-dev/marina/e2e/openstacksim"
	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// While a cloud cannot be asked, what was found there stays, and nobody who relies on it
// is told otherwise.
func TestOutage(t *testing.T) {
	for name, test := range map[string]struct {
		fault front.Fault
		words string
	}{
		"Throttled":       {front.Fault{Effect: front.Throttle(time.Second)}, "This request was rate-limited."},
		"ThrottledImages": {front.Fault{Match: front.Match{Service: "image"}, Effect: front.Throttle(time.Second)}, "image: "},
		"Broken":          {front.Fault{Effect: front.Fail(500)}, "HTTP 500"},
		"BadGateway":      {front.Fault{Match: front.Match{Service: "network"}, Effect: front.Fail(502)}, "network: "},
		"Unavailable":     {front.Fault{Match: front.Match{Service: "compute"}, Effect: front.Fail(503)}, "compute: "},
		"Reset":           {front.Fault{Match: front.Match{Service: "compute"}, Effect: front.Reset()}, "compute: it does not answer: connection "},
		"Silent":          {front.Fault{Match: front.Match{Service: "image"}, Effect: front.Hang()}, "image: it does not answer: timed out"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, openstacksim.Options{})
			if name == "Silent" {
				w.reconciler.Pool.Timeout = 5 * time.Second
			}
			w.create(t)
			if _, err := w.pass(t); err != nil {
				t.Fatal(err)
			}
			before := w.infra.Status.DeepCopy()
			fault := w.Inject(test.fault)
			result, err := w.pass(t)
			if (err == nil) == (result.RequeueAfter == 0) {
				t.Errorf("after %s, %v; want to be asked again", result.RequeueAfter, err)
			}
			if fault.Hits() == 0 {
				t.Fatal("no harm was done")
			}
			w.is(t, "Reachable", "False", "CloudUnreachable", test.words)
			w.is(t, "Ready", "True", "AsExpected", "")
			w.is(t, "SpecAccepted", "True", "AsExpected", "")
			w.is(t, "CredentialsValid", "True", "AsExpected", "")
			now := w.infra.Status.DeepCopy()
			before.Conditions, now.Conditions = nil, nil
			if diff := cmp.Diff(before, now); diff != "" {
				t.Errorf("what was found has changed (-before +now):\n%s", diff)
			}
			w.quiet(t)
			fault.Remove()
			if _, err := w.pass(t); err != nil {
				t.Error(err)
			}
			w.is(t, "Reachable", "True", "AsExpected", "")
			w.is(t, "Ready", "True", "AsExpected", "")
		})
	}
}

// Of a spec that nobody could look at yet, nothing is known.
func TestNewSpecInAnOutage(t *testing.T) {
	w := newWorld(t, openstacksim.Options{})
	w.create(t)
	fault := w.Inject(front.Fault{Effect: front.Fail(500)})
	_, _ = w.pass(t)
	for _, condition := range []string{"Ready", "SpecAccepted", "CredentialsValid"} {
		w.is(t, condition, "Unknown", "NotChecked", "see the condition Reachable")
	}
	w.quiet(t)
	fault.Remove()
	if _, err := w.pass(t); err != nil {
		t.Error(err)
	}
	w.is(t, "Ready", "True", "AsExpected", "")

	w.Inject(front.Fault{Effect: front.Fail(500)})
	w.infra.Spec.Flavors = append(w.infra.Spec.Flavors, "new")
	if err := management.Client.Update(t.Context(), w.infra); err != nil {
		t.Fatal(err)
	}
	_, _ = w.pass(t)
	w.is(t, "Ready", "Unknown", "NotChecked", "")
	if w.infra.Status.ObservedGeneration == w.infra.Generation {
		t.Error("it says to have looked at a spec that it has not")
	}
	w.quiet(t)
}

// A cloud that asks for patience gets as much.
func TestRetryAfter(t *testing.T) {
	w := newWorld(t, openstacksim.Options{})
	w.create(t)
	w.Inject(front.Fault{Effect: front.Throttle(90 * time.Second)})
	w.ResetCalls()
	result, err := w.pass(t)
	if err != nil || result.RequeueAfter != 90*time.Second {
		t.Errorf("after %s, %v; want 90 s", result.RequeueAfter, err)
	}
	if n := w.Count(front.Match{}); n != 1 {
		t.Errorf("%d requests to a cloud that wants none, want 1", n)
	}
}

func TestCredentialsExpireAndAreReplaced(t *testing.T) {
	w := newWorld(t, openstacksim.Options{})
	first := w.AddCredential(w.project, "first", w.clock.Now().Add(time.Hour))
	w.create(t)
	w.give(t, w.CredentialYAML(first))
	if _, err := w.pass(t); err != nil {
		t.Fatal(err)
	}
	w.is(t, "Ready", "True", "AsExpected", "")
	w.clock.Step(time.Hour)
	if _, err := w.pass(t); err != nil {
		t.Error(err)
	}
	w.is(t, "CredentialsValid", "False", "Unauthorized", "expired or revoked")
	w.is(t, "Ready", "False", "Unauthorized", "replace the credentials")
	w.is(t, "SpecAccepted", "True", "AsExpected", "")
	if len(w.infra.Status.Images) != 1 {
		t.Error("what was found is forgotten, as if it was gone")
	}
	w.quiet(t)
	w.give(t, w.CredentialYAML(w.AddCredential(w.project, "second", time.Time{})))
	if _, err := w.pass(t); err != nil {
		t.Error(err)
	}
	w.is(t, "CredentialsValid", "True", "AsExpected", "")
	w.is(t, "Ready", "True", "AsExpected", "")
}

func TestGone(t *testing.T) {
	w := newWorld(t, openstacksim.Options{})
	w.infra = &v1alpha1.Infrastructure{}
	w.infra.Name = "gone"
	if _, err := w.reconciler.Reconcile(t.Context(), requestFor(w.infra)); err != nil {
		t.Error(err)
	}
}
