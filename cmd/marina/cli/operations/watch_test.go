package operations

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/clitest"
	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/cli/progress"
	"github.com/marina-dev/marina/cmd/marina/cli/waiting"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

func TestWatch(t *testing.T) {
	running := operation(v1alpha1.OperationRestart, v1alpha1.OperationRunning, "")
	cases := map[string]struct {
		objects []client.Object
		onWatch []clitest.Change
		out     string
		problem string
	}{
		"Succeeds": {
			objects: []client.Object{running},
			onWatch: []clitest.Change{becomes(t, took(operation(v1alpha1.OperationRestart, v1alpha1.OperationSucceeded, ""), "12s"))},
			out:     "operation \"op\" succeeded after 12s\n",
		},
		"HasSucceeded": {
			objects: []client.Object{operation(v1alpha1.OperationRestart, v1alpha1.OperationSucceeded, "")},
			out:     "operation \"op\" succeeded\n",
		},
		"Fails": {
			objects: []client.Object{running},
			onWatch: []clitest.Change{becomes(t, operation(v1alpha1.OperationRestart, v1alpha1.OperationFailed, "operation x runs."))},
			problem: "Error: operation \"op\" failed: operation x runs\nWhat to do: correct the cause; then 'marina operation retry op' tries it again\n",
		},
		"IsRefused": {
			objects: []client.Object{operation(v1alpha1.OperationRestart, v1alpha1.OperationFailed,
				"refused: operation demo-restart-1 (Restart) runs: wait until it has ended, or cancel it, and ask again")},
			problem: "Error: operation \"op\" was refused: operation demo-restart-1 (Restart) runs\n" +
				"What to do: wait until demo-restart-1 has ended ('marina operation watch demo-restart-1'); then 'marina operation retry op' tries it again\n",
		},
		"IsRefusedForWhatTheClusterIs": {
			objects: []client.Object{operation(v1alpha1.OperationRestart, v1alpha1.OperationFailed, "refused: the cluster is being deleted")},
			problem: "Error: operation \"op\" was refused: the cluster is being deleted\nWhat to do: when that has changed, 'marina operation retry op' tries it again\n",
		},
		"SaysItsAdviceOnce": {
			objects: []client.Object{operation(v1alpha1.OperationUpgrade, v1alpha1.OperationCancelled,
				"stopped as asked; left: kube-scheduler: 'marina operation retry op' goes on, spec.version 1.36.4-1 goes back")},
			problem: "Error: operation \"op\" was cancelled: stopped as asked; left: kube-scheduler\n" +
				"What to do: 'marina operation retry op' goes on, spec.version 1.36.4-1 goes back\n",
		},
		"IsCancelled": {
			objects: []client.Object{running},
			onWatch: []clitest.Change{becomes(t, operation(v1alpha1.OperationRestart, v1alpha1.OperationCancelled, "2 of 9 replicas were restarted"))},
			problem: "Error: operation \"op\" was cancelled: 2 of 9 replicas were restarted\nWhat to do: 'marina operation retry op' tries it again\n",
		},
		"IsDeleted": {
			objects: []client.Object{running},
			onWatch: []clitest.Change{func(c client.Client) error { return c.Delete(t.Context(), running.DeepCopy()) }},
			problem: "Error: operation \"op\" has been deleted\n",
		},
		"IsMissing": {
			problem: "Error: no operation \"op\" in namespace \"default\"\nWhat to do: 'marina operation list --all-namespaces' shows what there is\n",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var objects []client.Object
			for _, o := range tc.objects {
				objects = append(objects, o.DeepCopyObject().(client.Object))
			}
			out, _, err := run(t, t.Context(), clitest.NewAPI(t, objects, tc.onWatch...), "watch", "op")
			if out != tc.out {
				t.Errorf("results are %q, want %q", out, tc.out)
			}
			if diff := cmp.Diff(tc.problem, clitest.Explained(err)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWatchShowsTheSteps(t *testing.T) {
	steps := func(first, second v1alpha1.OperationPhase, message string) []v1alpha1.OperationStep {
		return []v1alpha1.OperationStep{step("API server", first, message), step("scheduler", second, "")}
	}
	const pending, running, succeeded = v1alpha1.OperationPending, v1alpha1.OperationRunning, v1alpha1.OperationSucceeded
	a := clitest.NewAPI(t, []client.Object{operation(v1alpha1.OperationRestart, "", "")}, becomes(t,
		operation(v1alpha1.OperationRestart, running, "API server: 1 of 3", steps(running, pending, "1 of 3")...),
		operation(v1alpha1.OperationRestart, running, "", steps(succeeded, running, "")...),
		operation(v1alpha1.OperationRestart, succeeded, "", steps(succeeded, succeeded, "")...)))
	_, errOut, err := run(t, t.Context(), a, "watch", "op")
	if err != nil {
		t.Fatal(err)
	}
	want := `op: Pending
op: Running
op: API server: running: 1 of 3
op: API server: done
op: scheduler: running
op: scheduler: done
op: Succeeded
`
	if diff := cmp.Diff(want, clitest.WithoutTimes(errOut)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWatchEndsWithoutTheOperation(t *testing.T) {
	cases := map[string]struct {
		cause   error
		problem string
		exit    int
	}{
		"TimeIsOver": {
			cause:   waiting.ErrTimedOut,
			problem: "Error: operation \"op\" is not finished after 2m: it is Running: API server: 1 of 3\nWhat to do: it goes on: 'marina operation watch op' waits on\n",
			exit:    failure.ExitTimeout,
		},
		"Interrupted": {
			cause:   context.Canceled,
			problem: "Error: interrupted\nWhat to do: it goes on: 'marina operation watch op' waits on\n",
			exit:    failure.ExitInterrupted,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			ctx, end := context.WithCancelCause(t.Context())
			a := clitest.NewAPI(t, []client.Object{operation(v1alpha1.OperationRestart, v1alpha1.OperationRunning, "API server: 1 of 3")},
				func(client.Client) error { end(tc.cause); return nil })
			_, err := await(ctx, a, key, 2*time.Minute, progress.New(io.Discard, "op"))
			if diff := cmp.Diff(tc.problem, clitest.Explained(err)); diff != "" || failure.Explain(err).Exit != tc.exit {
				t.Errorf("exit code %d, want %d (-want +got):\n%s", failure.Explain(err).Exit, tc.exit, diff)
			}
		})
	}
}

func TestStepsFollowTheOperationThatRuns(t *testing.T) {
	a := clitest.NewAPI(t, []client.Object{operation(v1alpha1.OperationCreate, v1alpha1.OperationRunning, "", step("etcd", v1alpha1.OperationRunning, "waits"))},
		becomes(t, operation(v1alpha1.OperationCreate, v1alpha1.OperationSucceeded, "", step("etcd", v1alpha1.OperationSucceeded, ""))))
	shown := make(chan []progress.Step)
	steps := NewSteps(t.Context(), a, "default", func(s []progress.Step) { shown <- s })
	expect := func(why string, want ...progress.Step) {
		t.Helper()
		select {
		case got := <-shown:
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", why, diff)
			}
		case <-t.Context().Done():
			t.Fatalf("%s: nothing was shown", why)
		}
	}
	go func() { steps.Track("op"); steps.Track("op") }()
	expect("nothing of the one before")
	expect("as it is", progress.Step{Name: "etcd", State: progress.Running, Message: "waits"})
	expect("with each change", progress.Step{Name: "etcd", State: progress.Done})
	steps.Stop()
}
