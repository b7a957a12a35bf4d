// Package manager is 'marina manager': the controllers in a management cluster, where
// what they host runs as workloads of that cluster.
//
// Several may run; one of them, the holder of a Lease, works. Whatever it has begun
// another one continues, since nothing that matters is only in its memory.
package manager

import (
	"github.com/spf13/cobra"

	"github.com/marina-dev/marina/cmd/marina/cli/arguments"
	"github.com/marina-dev/marina/cmd/marina/logging"
)

const description = `Run the controllers in a management cluster. It is what the Helm chart starts.

Of several managers one works, the others stand by. SIGTERM ends it: the passes that
run are finished, and another one takes over at once.`

// NewCommand is 'marina manager'.
func NewCommand() *cobra.Command {
	options := Options{MetricsAddress: ":8443", HealthAddress: ":8081"}
	logs := logging.Flags{Format: logging.JSON}
	cmd := &cobra.Command{
		Use:   "manager",
		Short: "Run the controllers in a management cluster",
		Long:  description,
		Example: `  marina manager
  marina manager --kubeconfig ~/.kube/config --metrics-address 0 --log-format text`,
		Args: arguments.None,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if options.Log, err = logs.New(cmd); err != nil {
				return err
			}
			return Run(cmd.Context(), options)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&options.Kubeconfig, "kubeconfig", "", "kubeconfig `file` of the management cluster; without one, it is the cluster that this runs in.")
	flags.StringVar(&options.MetricsAddress, "metrics-address", options.MetricsAddress, `Where metrics are served, by HTTPS and to whom the cluster lets read /metrics; "0" for nowhere.`)
	flags.StringVar(&options.HealthAddress, "health-address", options.HealthAddress, `Where /healthz and /readyz are served, by HTTP; "0" for nowhere.`)
	flags.StringVar(&options.ImageTag, "image-tag", "", "Tag of Marina's own image, which also takes snapshots of etcd; empty is the version of this binary.")
	logs.AddTo(cmd)
	return cmd
}
