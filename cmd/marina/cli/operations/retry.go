package operations

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/arguments"
	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

func newRetry(open session.Opener) *cobra.Command {
	r := &request{}
	cmd := &cobra.Command{
		Use:   "retry NAME",
		Short: "Try a failed or cancelled operation again",
		Long: `Try a failed or cancelled operation again.

It creates a new operation for the same; the old one stays as it is.`,
		Example: `  marina operation retry demo-restart-x7k2p --wait`,
		Args:    arguments.Named("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return r.run(cmd, open, func(ctx context.Context, s *session.Session) (v1alpha1.OperationSpec, error) {
				before, err := s.Operation(ctx, args[0])
				if err != nil {
					return v1alpha1.OperationSpec{}, err
				}
				if !retriable(before) {
					return v1alpha1.OperationSpec{}, notRetriable(before)
				}
				return v1alpha1.OperationSpec{
					TargetRef: before.Spec.TargetRef,
					Type:      before.Spec.Type,
					Version:   before.Spec.Version,
					Nodes:     before.Spec.Nodes,
					RetryOf:   before.Name,
				}, nil
			})
		},
		ValidArgsFunction: session.CompleteOperations(open, retriable),
	}
	r.addFlags(cmd)
	return cmd
}

func notRetriable(o *v1alpha1.Operation) error {
	do := fmt.Sprintf("wait for its end with 'marina operation watch %s'", session.Ref(client.ObjectKeyFromObject(o)))
	if o.Status.Phase.Finished() {
		do = "there is nothing left to do"
	}
	return failure.New(do, "operation %q is %s: only one that is Failed or Cancelled can be tried again", o.Name, phaseOf(o))
}
