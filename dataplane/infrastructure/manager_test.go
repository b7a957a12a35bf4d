package infrastructure

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/openstacksim"
	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/apitest"
)

func requestFor(o client.Object) ctrl.Request {
	return ctrl.Request{NamespacedName: client.ObjectKeyFromObject(o)}
}

// TestManager runs the controller as the product does, woken by nothing but events.
func TestManager(t *testing.T) {
	mgr := apitest.NewManager(t, management, apitest.SecretsOfShard(), 10)
	w := newWorld(t, openstacksim.Options{})
	w.reconciler.Client = mgr.GetClient()
	if err := w.reconciler.SetupWithManager(mgr); err != nil {
		t.Fatal(err)
	}
	stopped := mgr.Run(t)

	step := func(what, status, reason string) {
		t.Helper()
		var last *metav1.Condition
		err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
			w.read(t)
			last = meta.FindStatusCondition(w.infra.Status.Conditions, v1alpha1.ConditionReady)
			return last != nil && string(last.Status) == status && last.Reason == reason && last.ObservedGeneration == w.infra.Generation, nil
		})
		if err != nil {
			t.Fatalf("%s: %+v, want %s/%s", what, last, status, reason)
		}
	}
	const late = "1.37.9-1"
	w.infra.Spec.Releases = append(w.infra.Spec.Releases, v1alpha1.InfrastructureRelease{Release: late, Image: "node-1.37.1"})
	w.create(t)
	step("a release is missing", "False", "ReleaseNotFound")
	ensureRelease(t, late)
	t.Cleanup(func() { // so that it is missing again in the next run
		if err := management.Client.Delete(context.Background(), &v1alpha1.KubernetesRelease{ObjectMeta: metav1.ObjectMeta{Name: late}}); err != nil {
			t.Error(err)
		}
	})
	step("it is published", "True", "AsExpected")
	w.SetPassword(w.project, "secret of somebody")
	w.give(t, strings.ReplaceAll(w.CloudsYAML(w.project), w.project.Password, "secret of nobody"))
	step("the Secret is wrong", "False", "Unauthorized")
	w.project.Password = "secret of somebody"
	w.give(t, w.CloudsYAML(w.project))
	step("it is right", "True", "AsExpected")
	w.give(t, "")
	step("it is gone", "False", "SecretNotFound")
	w.give(t, w.CloudsYAML(w.project))
	step("it is back", "True", "AsExpected")
	network := func(name string) {
		t.Helper()
		before := w.infra.DeepCopy()
		w.infra.Spec.ExternalNetwork = name
		// The controller may be writing what it has found.
		if err := management.Client.Patch(t.Context(), w.infra, client.MergeFrom(before)); err != nil {
			t.Fatal(err)
		}
	}
	network("none")
	step("the spec is wrong", "False", "NetworkNotFound")
	outage := w.Inject(front.Fault{Effect: front.Fail(500)})
	network("public")
	step("the cloud is broken", "Unknown", "NotChecked")
	outage.Remove()
	step("it works again", "True", "AsExpected")
	stopped()

	logs := mgr.Logs()
	if !strings.Contains(logs, "CloudUnreachable") {
		t.Error("the logs do not tell of the outage: that they hold no secret shows nothing")
	}
	if strings.Contains(logs, "secret of") {
		t.Errorf("a secret is in the logs:\n%s", logs)
	}
	var events corev1.EventList
	if err := management.Client.List(t.Context(), &events); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(fmt.Sprintf("%+v", events), "secret of") {
		t.Error("a secret is in the events")
	}
}
