package cli

import (
	"log/slog"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"

	"github.com/marina-dev/marina/cmd/marina/cli/arguments"
	"github.com/marina-dev/marina/controlplane/host/local/balancer"
)

// newBalancer is started by 'marina up' for each tenant, as a process of its own:
// it goes on serving when 'marina up' ends. It is hidden, since nobody types it.
func newBalancer() *cobra.Command {
	o := balancer.Options{}
	cmd := &cobra.Command{
		Use:    "balancer",
		Short:  "Serve one address for several API servers",
		Hidden: true,
		Args:   arguments.None,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Log = logr.FromSlogHandler(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
			return balancer.Run(cmd.Context(), o)
		},
	}
	o.AddFlags(cmd.Flags())
	return cmd
}
