package operations

import (
	"context"
	"testing"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/clitest"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

var key = client.ObjectKey{Namespace: "default", Name: "op"}

// operation is one on cluster demo, named op.
func operation(kind v1alpha1.OperationType, phase v1alpha1.OperationPhase, message string, steps ...v1alpha1.OperationStep) *v1alpha1.Operation {
	return &v1alpha1.Operation{
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name},
		Spec:       v1alpha1.OperationSpec{TargetRef: v1alpha1.OperationTarget{Kind: "Cluster", Name: "demo", UID: "u"}, Type: kind},
		Status:     v1alpha1.OperationStatus{Phase: phase, Message: message, Steps: steps},
	}
}

func step(name string, phase v1alpha1.OperationPhase, message string) v1alpha1.OperationStep {
	return v1alpha1.OperationStep{Name: name, Phase: phase, Message: message}
}

func took(o *v1alpha1.Operation, took string) *v1alpha1.Operation {
	o.Status.Took = took
	return o
}

// becomes changes the status of all operations to those of states, one after the
// other.
func becomes(t testing.TB, states ...*v1alpha1.Operation) clitest.Change {
	return func(c client.Client) error {
		var list v1alpha1.OperationList
		for _, state := range states {
			if err := c.List(t.Context(), &list); err != nil {
				return err
			}
			for _, live := range list.Items {
				live.Status = state.Status
				if err := c.Status().Update(t.Context(), &live); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

// run runs a command line of 'marina operation', or of 'marina cluster'.
func run(t testing.TB, ctx context.Context, a client.WithWatch, args ...string) (out, errOut string, err error) {
	t.Helper()
	return clitest.Run(t, ctx, a, func(open session.Opener) []*cobra.Command {
		return append(Commands(open), ClusterCommands(open)...)
	}, args...)
}
