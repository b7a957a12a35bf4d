package clusters

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/marina-dev/marina/cmd/marina/cli/clitest"
	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/cli/lifecycle"
	"github.com/marina-dev/marina/cmd/marina/cli/waiting"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

func TestTimeIsOver(t *testing.T) {
	ctx, expire := context.WithCancelCause(t.Context())
	a := clitest.NewAPI(t, []client.Object{cluster("demo", v1alpha1.ClusterCreating, metav1.ConditionUnknown, "etcd: waiting")},
		func(client.Client) error { expire(waiting.ErrTimedOut); return nil })
	_, _, err := run(t, ctx, a, "wait", "demo")
	want := "Error: cluster \"demo\" is not ready after 10m: it is Creating: etcd: waiting\nWhat to do: wait on, or look at all of it with 'marina cluster get demo -o yaml'\n"
	if diff := cmp.Diff(want, clitest.Explained(err)); diff != "" || failure.Explain(err).Exit != failure.ExitTimeout {
		t.Errorf("exit code %d (-want +got):\n%s", failure.Explain(err).Exit, diff)
	}
}

// silent is a management cluster of which some requests are never answered.
func silent(t testing.TB, requests interceptor.Funcs, objects ...client.Object) client.WithWatch {
	t.Helper()
	return interceptor.NewClient(clitest.NewAPI(t, objects), requests)
}

func TestTimeIsOverWithoutAnAnswer(t *testing.T) {
	never := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	noLists := interceptor.Funcs{List: func(ctx context.Context, _ client.WithWatch, _ client.ObjectList, _ ...client.ListOption) error {
		return never(ctx)
	}}
	noCreates := interceptor.Funcs{Create: func(ctx context.Context, _ client.WithWatch, _ client.Object, _ ...client.CreateOption) error {
		return never(ctx)
	}}
	const do = "\nWhat to do: check that 'marina up' still runs, and start it again if it does not: the clusters are served meanwhile"
	cases := map[string]struct {
		silent  interceptor.Funcs
		args    string
		problem string
	}{
		"Wait": {
			silent:  noLists,
			args:    "wait demo --for=phase=Active",
			problem: "Error: cluster \"demo\" is not Active after 3s: the management cluster does not answer" + do + "\n",
		},
		"CreateThatLooksForAVersion": {
			silent:  noLists,
			args:    "create demo --wait",
			problem: "Error: the management cluster does not answer in time" + do + "; or allow more time with --timeout\n",
		},
		"CreateThatAsks": {
			silent:  noCreates,
			args:    "create demo --version 1.37.1-1",
			problem: "Error: the management cluster does not answer in time" + do + "; or allow more time with --timeout\n",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				_, _, err := run(t, t.Context(), silent(t, tc.silent), append(strings.Fields(tc.args), "--timeout=3s")...)
				if diff := cmp.Diff(tc.problem, clitest.Explained(err)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if code := failure.Print(io.Discard, err); code != failure.ExitTimeout || time.Since(start) != 3*time.Second {
					t.Errorf("exit code %d after %s, want 3 after 3s", code, time.Since(start))
				}
			})
		})
	}
}

func TestWaitCompletesConditions(t *testing.T) {
	cmd := lifecycle.NewWait(nil, kind, waitHelp)
	complete, found := cmd.GetFlagCompletionFunc("for")
	if !found {
		t.Fatal("--for is not completed")
	}
	words, _ := complete(cmd, nil, "condition=")
	for _, want := range []string{"ready", "phase=Active", "condition=Ready", "condition=UpToDate"} {
		if !slices.Contains(words, want) {
			t.Errorf("%s is not among %v", want, words)
		}
	}
}
