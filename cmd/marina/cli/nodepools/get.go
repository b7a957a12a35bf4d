package nodepools

import (
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/utils/clock"

	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/cli/listing"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
)

func newGet(open session.Opener, clock clock.Clock) *cobra.Command {
	o := &listing.Options{}
	var cluster string
	cmd := &cobra.Command{
		Use:     "get [NAME...]",
		Aliases: []string{"list", "ls"},
		Short:   "Show pools of nodes",
		Long: `Show all pools of a namespace, those of one cluster, or those named.

The columns are those of 'kubectl get nodepools'.`,
		Example: `  marina nodepool list
  marina nodepool list --cluster demo
  marina nodepool get workers -o yaml`,
		RunE: func(cmd *cobra.Command, names []string) error {
			if err := o.Check(cmd, kind.Kind, names); err != nil {
				return err
			}
			if cluster != "" && len(names) > 0 {
				return failure.Usage(cmd.CommandPath(), "--cluster chooses among all nodepools: leave it out, or the names")
			}
			s, err := open(cmd)
			if err != nil {
				return err
			}
			q := listing.Query{Kind: kind.Kind, Names: names}
			if cluster != "" {
				q.Fields = fields.OneTermEqualSelector("spec.clusterRef.name", cluster)
				q.Of = fmt.Sprintf("of cluster %q", cluster)
			}
			return o.Show(cmd.Context(), cmd, s, q, clock)
		},
		ValidArgsFunction: session.CompleteNodePools(open, 0),
	}
	o.AddFlags(cmd, kind.Kind)
	clusterFlag(cmd, open, &cluster, "only the pools of the cluster of that `name`")
	return cmd
}

// clusterFlag defines --cluster.
func clusterFlag(cmd *cobra.Command, open session.Opener, cluster *string, help string) {
	cmd.Flags().StringVar(cluster, "cluster", "", help)
	_ = cmd.RegisterFlagCompletionFunc("cluster", session.CompleteFlag(session.CompleteClusters(open, 0)))
}
