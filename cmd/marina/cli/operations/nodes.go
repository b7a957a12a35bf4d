package operations

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/marina-dev/marina/cmd/marina/cli/arguments"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/cmd/marina/cli/waiting"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// newNodeAction is a command that asks for an operation on single nodes of a pool. That there
// are such nodes the controller finds out: it answers within the time that an action is looked
// at.
func newNodeAction(open session.Opener, a action) *cobra.Command {
	r := &request{}
	cmd := &cobra.Command{
		Use:     a.name + " NAME NODE...",
		Short:   a.short,
		Long:    a.long + "\n\nIt creates an operation. With --wait the command exits as 'marina operation watch'\ndoes.",
		Example: fmt.Sprintf("  marina nodepool %s workers demo-workers-x7k2p\n  marina nodepool %s workers demo-workers-x7k2p demo-workers-q9z4d --wait", a.name, a.name),
		Args:    arguments.NamedAndMore("NAME", "NODE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := r.check(cmd); err != nil {
				return err
			}
			s, err := open(cmd)
			if err != nil {
				return err
			}
			ctx, cancel := waiting.Limit(cmd.Context(), r.timeout)
			defer cancel()
			target, err := nodePools.target(ctx, s, args[0])
			if err != nil {
				return err
			}
			return r.create(ctx, cmd, s, v1alpha1.OperationSpec{TargetRef: target, Type: a.kind, Nodes: args[1:]})
		},
		ValidArgsFunction: session.CompleteNodePools(open, 1),
	}
	r.addFlags(cmd)
	return cmd
}
