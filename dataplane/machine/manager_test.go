package machine

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/marina-dev/marina/dataplane/project"
	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/apitest"
)

// TestManager runs the controller as the product does, woken by nothing but events and its
// own times, on the real clock and with a cache that is behind.
func TestManager(t *testing.T) {
	mgr := apitest.NewManager(t, management, apitest.SecretsOfShard(), 7) // from 8 on client-go itself writes down what it has read
	w := newWorld(t)
	w.SetQuota(w.project.ID, "compute", "cores", -1)
	w.SetQuota(w.project.ID, "compute", "ram", -1)
	w.clock.SetTime(time.Now())
	projects := &project.Opener{Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Pool: w.reconciler.Projects.Pool, Now: time.Now}
	w.reconciler = &Reconciler{Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Projects: projects, Now: time.Now}
	if err := w.reconciler.SetupWithManager(mgr); err != nil {
		t.Fatal(err)
	}
	stopped := mgr.Run(t)

	await := func(what string, is func() bool) {
		t.Helper()
		err := wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
			w.play(t)
			return is(), nil
		})
		if err != nil {
			for _, m := range w.machines {
				t.Logf("%s: %s, %s", m.Name, m.Status.State, m.Status.Message)
			}
			t.Fatal(what)
		}
	}
	all := func(state v1alpha1.MachineState) func() bool {
		return func() bool {
			for _, m := range w.machines {
				if w.read(t, m); m.Status.State != state {
					return false
				}
			}
			return true
		}
	}
	for range 5 {
		w.machine(t)
	}
	await("five servers", all(v1alpha1.MachineInstalling))
	w.clock.Step(30 * time.Second) // that of the cloud, which has built them
	await("five nodes", all(v1alpha1.MachineReady))
	w.holds(t, map[string]int{"server": 5, "port": 5})
	if n := w.Count(post); n != 5 {
		t.Errorf("%d servers were asked for, want 5", n)
	}
	outage := w.Inject(front.Fault{Effect: front.Fail(500)})
	for _, m := range w.machines {
		w.dismiss(t, m)
	}
	await("the cloud is broken", func() bool {
		w.read(t, w.machines[0])
		return strings.Contains(fmt.Sprint(w.machines[0].Status.Conditions), "HTTP 500")
	})
	outage.Remove()
	await("servers that are going", func() bool { return w.Count(front.Match{Method: "DELETE", Status: 204}) >= 5 })
	w.clock.Step(2 * time.Second)
	await("the deletion", func() bool {
		for _, m := range w.machines {
			if !w.gone(t, m) {
				return false
			}
		}
		return true
	})
	w.holds(t, map[string]int{})
	stopped()
	if logs := mgr.Logs(); strings.Contains(logs, "secret of") {
		t.Errorf("a secret is in the logs:\n%s", logs)
	}
}
