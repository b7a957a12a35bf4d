package nodepools

import (
	"context"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/cmd/marina/cli/arguments"
	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/cli/lifecycle"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/cmd/marina/cli/waiting"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

type createOptions struct {
	cluster, flavor          string
	version, image           string
	replicas                 int32
	disk                     int64
	zone, antiAffinity       string
	upgradeStrategy          string
	labels                   []string
	taints, startupTaints    []string
	floatingIPs              bool
	securityGroups, networks []string
	heal                     healOptions

	creation *lifecycle.Creation[*v1alpha1.NodePool]
}

func newCreate(open session.Opener) *cobra.Command {
	o := &createOptions{creation: lifecycle.NewCreation(kind)}
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Create a pool of nodes",
		Long: `Create a pool of like nodes of a cluster, in the cluster's infrastructure.

With --wait the command returns when all of them are ready.`,
		Example: `  marina nodepool create workers --cluster demo --flavor b3-8 --replicas 3 --wait
  marina nodepool create gpu --cluster demo --flavor t1-45 --label gpu=yes --taint gpu=yes:NoSchedule
  marina nodepool create workers --cluster demo --flavor b3-8 --dry-run=client -o yaml > workers.yaml`,
		Args: arguments.Named("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.creation.Check(cmd); err != nil {
				return err
			}
			spec, err := o.spec(cmd.Flags().Changed("disk"))
			if err == nil {
				err = o.heal.apply(cmd.Flags(), spec)
			}
			if err != nil {
				return failure.Usage(cmd.CommandPath(), "%v", err)
			}
			s, err := open(cmd)
			if err != nil {
				return err
			}
			ctx, cancel := waiting.Limit(cmd.Context(), o.creation.Timeout)
			defer cancel()
			return o.run(ctx, cmd, s, &v1alpha1.NodePool{
				ObjectMeta: metav1.ObjectMeta{Namespace: s.Namespace, Name: args[0]},
				Spec:       *spec,
			})
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	o.addFlags(cmd, open)
	return cmd
}

func (o *createOptions) addFlags(cmd *cobra.Command, open session.Opener) {
	flags := cmd.Flags()
	clusterFlag(cmd, open, &o.cluster, "`name` of the cluster that the nodes are of")
	flags.StringVar(&o.flavor, "flavor", "", "`name` of one of the infrastructure's flavors: how big each node is")
	flags.StringVar(&o.version, "version", "", "Kubernetes `version` of the nodes (default: that of the control plane, which they follow)")
	flags.StringVar(&o.image, "image", "", "`id` of the image of the nodes (default: the infrastructure's for the version)")
	flags.Int32Var(&o.replicas, "replicas", 1, "how many nodes there are to be")
	flags.Int64Var(&o.disk, "disk", 0, "size of each node's root disk in `GiB` (default: the flavor's own)")
	flags.StringVar(&o.zone, "zone", "", "availability `zone` of all nodes (default: the cloud chooses)")
	flags.StringVar(&o.upgradeStrategy, "upgrade-strategy", "", "how nodes come to another version: Rolling (new ones are made, the default) or InPlace (their servers are made anew, one at a time)")
	flags.StringVar(&o.antiAffinity, "anti-affinity", "", "keep nodes on different hosts: Soft (where there are enough) or Hard (without exception)")
	flags.StringSliceVar(&o.labels, "label", nil, "label of the nodes, as `key=value`; repeatable")
	flags.StringSliceVar(&o.taints, "taint", nil, "taint of the nodes, as `key=value:Effect`; repeatable")
	flags.StringSliceVar(&o.startupTaints, "startup-taint", nil, "taint that a node begins with and that is not put back, as `key=value:Effect`; repeatable")
	flags.BoolVar(&o.floatingIPs, "floating-ips", false, "give each node an address in the external network")
	flags.StringSliceVar(&o.securityGroups, "security-group", nil, "`id` of a further security group of the nodes; repeatable")
	flags.StringSliceVar(&o.networks, "network", nil, "`id` of a further network of the nodes; repeatable")
	o.heal.addFlags(flags)
	o.creation.AddFlags(cmd)
	_ = cmd.RegisterFlagCompletionFunc("flavor", session.CompleteFlavors(open, "cluster"))
	_ = cmd.RegisterFlagCompletionFunc("version", session.CompleteVersions(open))
	_ = cmd.RegisterFlagCompletionFunc("upgrade-strategy", session.CompleteFixed(strategies...))
	_ = cmd.RegisterFlagCompletionFunc("anti-affinity", session.CompleteFixed(antiAffinities...))
}

// run refuses a cluster that is not there: the API server takes a pool of it, which then
// waits for a cluster of that name.
func (o *createOptions) run(ctx context.Context, cmd *cobra.Command, s *session.Session, pool *v1alpha1.NodePool) error {
	if !o.creation.OnlyPrints() {
		if _, err := s.Cluster(ctx, o.cluster); err != nil {
			return err
		}
	}
	return o.creation.Create(ctx, cmd, s, pool)
}
