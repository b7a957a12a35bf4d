package operations

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/marina-dev/marina/cmd/marina/cli/clitest"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

func TestCancelThatIsRefused(t *testing.T) {
	cases := map[string]struct {
		phase   v1alpha1.OperationPhase
		refusal string
		problem string
	}{
		"OfOneThatSucceeded": {
			phase:   v1alpha1.OperationSucceeded,
			problem: "Error: operation \"op\" has finished (Succeeded) and cannot be cancelled\nWhat to do: there is nothing left to cancel\n",
		},
		"OfOneThatFailed": {
			phase: v1alpha1.OperationFailed,
			problem: "Error: operation \"op\" has finished (Failed) and cannot be cancelled\n" +
				"What to do: there is nothing left to cancel; 'marina operation retry op' tries it again\n",
		},
		"OfOneThatRuns": {
			phase:   v1alpha1.OperationRunning,
			refusal: "a creation cannot be cancelled: delete the cluster",
			problem: "Error: operation \"op\" goes on: a creation cannot be cancelled: delete the cluster\n",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			refuse := interceptor.Funcs{Patch: func(context.Context, client.WithWatch, client.Object, client.Patch, ...client.PatchOption) error {
				reason := field.ErrorList{field.Invalid(field.NewPath("spec", "cancel"), true, tc.refusal)}
				return apierrors.NewInvalid(v1alpha1.GroupVersion.WithKind("Operation").GroupKind(), key.Name, reason)
			}}
			a := interceptor.NewClient(clitest.NewAPI(t, []client.Object{operation(v1alpha1.OperationCreate, tc.phase, "")}), refuse)
			out, _, err := run(t, t.Context(), a, "cancel", "op")
			if out != "" {
				t.Errorf("results are %q, want none", out)
			}
			if diff := cmp.Diff(tc.problem, clitest.Explained(err)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
