package operations

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/clitest"
	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// A script that does not wait must learn that nothing will be done.
func TestARefusedActionFailsWithoutWaiting(t *testing.T) {
	cases := map[string]struct {
		args []string
		out  string
	}{
		"Sentence": {},
		"Name":     {args: []string{"-o", "name"}, out: "operation.marina.dev/NAME\n"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := clitest.NewAPI(t, []client.Object{demo()}, becomes(t, operation("", v1alpha1.OperationFailed,
					"refused: operation demo-restart-1 (Restart) runs: wait until it has ended, or cancel it, and ask again")))
				out, _, err := run(t, t.Context(), a, append([]string{"restart", "demo"}, tc.args...)...)
				generated := created(t, a).Name
				if diff := cmp.Diff(strings.ReplaceAll(tc.out, "NAME", generated), out); diff != "" {
					t.Errorf("results (-want +got):\n%s", diff)
				}
				var problem strings.Builder
				code := failure.Print(&problem, err)
				want := strings.ReplaceAll("Error: operation \"NAME\" was refused: operation demo-restart-1 (Restart) runs\n"+
					"What to do: wait until demo-restart-1 has ended ('marina operation watch demo-restart-1'); then 'marina operation retry NAME' tries it again\n",
					"NAME", generated)
				if diff := cmp.Diff(want, problem.String()); diff != "" || code != failure.ExitFailure {
					t.Errorf("exit code %d, want 1; (-want +got):\n%s", code, diff)
				}
			})
		})
	}
}

func TestAnActionThatNobodyTakesUpIsCreatedNevertheless(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		a := clitest.NewAPI(t, []client.Object{demo()}, becomes(t, operation("", v1alpha1.OperationPending, "")))
		out, _, err := run(t, t.Context(), a, "restart", "demo")
		if want := "operation \"" + created(t, a).Name + "\" created\n"; out != want || err != nil {
			t.Errorf("wrote %q, %v; want %q", out, err, want)
		}
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("it was looked at for %s, want 3s", took)
		}
	})
}
