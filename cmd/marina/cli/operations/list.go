package operations

import (
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/utils/clock"

	"github.com/marina-dev/marina/cmd/marina/cli/arguments"
	"github.com/marina-dev/marina/cmd/marina/cli/listing"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
)

func newList(open session.Opener, clock clock.Clock) *cobra.Command {
	o := &listing.Options{}
	cmd := &cobra.Command{
		Use:     "list [TARGET]",
		Aliases: []string{"get", "ls"},
		Short:   "Show operations, the newest last",
		Long: `Show the operations of a namespace, or those on the clusters and pools of one name in
it, the newest last.

The columns are those of 'kubectl get operations'. Marina keeps the last 50 of each
cluster and of each pool.`,
		Example: `  marina operation list
  marina operation list demo -o wide
  marina operation list workers
  marina operation list -A -w`,
		Args: arguments.AtMostOne("TARGET"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.Check(cmd, kind, nil); err != nil {
				return err
			}
			s, err := open(cmd)
			if err != nil {
				return err
			}
			q := listing.Query{Kind: kind, NewestLast: true}
			if len(args) > 0 {
				q.Fields = fields.OneTermEqualSelector("spec.targetRef.name", args[0])
				q.Of = fmt.Sprintf("on %q", args[0])
			}
			return o.Show(cmd.Context(), cmd, s, q, clock)
		},
		ValidArgsFunction: session.CompleteTargets(open),
	}
	o.AddFlags(cmd, kind)
	return cmd
}
