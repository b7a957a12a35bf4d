package clusters

import (
	"github.com/spf13/cobra"
	"k8s.io/utils/clock"

	"github.com/marina-dev/marina/cmd/marina/cli/listing"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
)

func newGet(open session.Opener, clock clock.Clock) *cobra.Command {
	o := &listing.Options{}
	cmd := &cobra.Command{
		Use:     "get [NAME...]",
		Aliases: []string{"list", "ls"},
		Short:   "Show clusters",
		Long: `Show all clusters of a namespace, or those named.

The columns are those of 'kubectl get clusters'.`,
		Example: `  marina cluster list -A
  marina cluster get demo -o yaml
  marina cluster get -w`,
		RunE: func(cmd *cobra.Command, names []string) error {
			if err := o.Check(cmd, kind.Kind, names); err != nil {
				return err
			}
			s, err := open(cmd)
			if err != nil {
				return err
			}
			return o.Show(cmd.Context(), cmd, s, listing.Query{Kind: kind.Kind, Names: names}, clock)
		},
		ValidArgsFunction: session.CompleteClusters(open, 0),
	}
	o.AddFlags(cmd, kind.Kind)
	return cmd
}
