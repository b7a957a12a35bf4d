package clusters

import (
	"github.com/spf13/cobra"
	"k8s.io/utils/clock"

	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/cli/listing"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
)

var kind = listing.Kind{Plural: "clusters", Resource: resource, Missing: session.NoCluster}

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
			if err := o.Check(cmd); err != nil {
				return err
			}
			if o.AllNamespaces && len(names) > 0 {
				return failure.Usage(cmd.CommandPath(), "a cluster cannot be chosen by name from all namespaces: use -n in place of -A")
			}
			if o.Watch && len(names) > 1 {
				return failure.Usage(cmd.CommandPath(), "--watch takes one name, or none for all clusters")
			}
			s, err := open(cmd)
			if err != nil {
				return err
			}
			return o.Show(cmd.Context(), cmd, s, listing.Query{Kind: kind, Names: names}, clock)
		},
		ValidArgsFunction: session.CompleteClusters(open, 0),
	}
	o.AddFlags(cmd, kind)
	return cmd
}
