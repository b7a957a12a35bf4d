package operations

import (
	"github.com/spf13/cobra"

	"github.com/marina-dev/marina/cmd/marina/cli/arguments"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/cmd/marina/cli/waiting"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// action is a command that asks for an operation.
type action struct {
	name, short, long string
	kind              v1alpha1.OperationType
}

var actions = []action{
	{
		name:  "restart",
		kind:  v1alpha1.OperationRestart,
		short: "Restart a cluster's control plane, one replica at a time; no request is lost",
		long: `Restart the replicas of a cluster's control plane, one at a time.

The next one is restarted when the one before is ready again, so that no request is
lost. Nodes and pods are left alone, and so is etcd.`,
	},
	{
		name:  "resync",
		kind:  v1alpha1.OperationResync,
		short: "Write everything again that a cluster consists of; nothing is restarted if nothing differs",
		long: `Write everything again that a cluster consists of, also inside the tenant, whether
or not it seems to be in place.

What somebody has changed or deleted by hand is set right. What is as it should be
stays as it is: nothing is restarted for it.`,
	},
	{
		name:  "rotate-certificates",
		kind:  v1alpha1.OperationRotateCertificates,
		short: "Issue a control plane's leaf certificates again; nothing is restarted, CAs stay",
		long: `Issue every leaf certificate of a cluster's control plane again.

Nothing is restarted: the processes read the new ones by themselves. CAs stay, so
that kubeconfigs and nodes go on working.`,
	},
}

func newAction(open session.Opener, a action) *cobra.Command {
	r := &request{}
	cmd := &cobra.Command{
		Use:   a.name + " NAME",
		Short: a.short,
		Long:  a.long + "\n\nIt creates an operation. With --wait the command exits as 'marina operation watch'\ndoes.",
		Example: "  marina cluster " + a.name + " demo\n" +
			"  marina cluster " + a.name + " demo --wait --timeout=2m",
		Args: arguments.Named("NAME"),
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
			cluster, err := s.Cluster(ctx, args[0])
			if err != nil {
				return err
			}
			return r.create(ctx, cmd, s, v1alpha1.OperationSpec{
				TargetRef: v1alpha1.OperationTarget{Kind: "Cluster", Name: cluster.Name, UID: cluster.UID},
				Type:      a.kind,
			})
		},
		ValidArgsFunction: session.CompleteClusters(open, 1),
	}
	r.addFlags(cmd)
	return cmd
}
