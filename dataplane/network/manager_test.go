package network

import (
	"context"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/marina-dev/marina/dataplane/project"
	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/apitest"
)

// TestManager runs the controller as the product does, woken by nothing but events, and on
// the real clock. The Secret of the project has no label and is in no cache.
func TestManager(t *testing.T) {
	mgr := apitest.NewManager(t, management, apitest.SecretsOfShard(), 7) // from 8 on client-go itself writes down what it has read
	w := newWorld(t)
	projects := &project.Opener{Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Pool: w.reconciler.Projects.Pool, Now: time.Now}
	w.reconciler = &Reconciler{Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Projects: projects, Now: time.Now}
	if err := w.reconciler.SetupWithManager(mgr); err != nil {
		t.Fatal(err)
	}
	stopped := mgr.Run(t)

	await := func(what string, is func() bool) {
		t.Helper()
		err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) { return is(), nil })
		if err != nil {
			t.Fatalf("%s: %+v", what, w.network.Status)
		}
	}
	step := func(what, status, reason string) {
		t.Helper()
		await(what, func() bool {
			w.read(t)
			c := meta.FindStatusCondition(w.network.Status.Conditions, v1alpha1.ConditionReady)
			return c != nil && string(c.Status) == status && c.Reason == reason && c.ObservedGeneration == w.network.Generation
		})
	}
	external := w.external
	w.external = ""
	w.create(t)
	step("the external network is not known", "Unknown", "InfrastructureNotReady")
	w.know(t, external)
	step("it is known", "True", "AsExpected")
	w.holds(t, whole)
	change := func(secret string) {
		t.Helper()
		w.network.Spec.CredentialsRef.Name = secret
		w.must(t, management.Client.Update(t.Context(), w.network))
	}
	change("none")
	step("another Secret, which is not there", "False", "SecretNotFound")
	w.secret.Name = "wrong"
	w.give(t, strings.ReplaceAll(w.CloudsYAML(w.project), w.project.Password, "secret of nobody"))
	change("wrong")
	step("one that the cloud refuses", "False", "Unauthorized")
	change("mine")
	step("the first one", "True", "AsExpected")
	outage := w.Inject(front.Fault{Effect: front.Fail(500)})
	w.dismiss(t)
	await("the cloud is broken", func() bool {
		w.read(t)
		c := meta.FindStatusCondition(w.network.Status.Conditions, v1alpha1.ConditionDeleting)
		return c != nil && c.Status == metav1.ConditionFalse && c.Reason == "CloudUnreachable"
	})
	outage.Remove()
	await("it works again", func() bool { return w.gone(t) })
	w.holds(t, map[string]int{})
	stopped()

	logs := mgr.Logs()
	if !strings.Contains(logs, "the cloud cannot be asked") {
		t.Error("the logs do not tell of the outage: that they hold no secret shows nothing")
	}
	if strings.Contains(logs, "secret of") {
		t.Errorf("a secret is in the logs:\n%s", logs)
	}
}
