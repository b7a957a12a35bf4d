package nodepools

import (
	"cmp"
	"context"

	"github.com/spf13/cobra"

	"github.com/marina-dev/marina/cmd/marina/cli/arguments"
	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/release"
)

type upgradeOptions struct {
	change
	version string
}

func newUpgrade(open session.Opener) *cobra.Command {
	o := &upgradeOptions{}
	cmd := &cobra.Command{
		Use:   "upgrade NAME",
		Short: "Bring the nodes of a pool to another version",
		Long: `Bring the nodes of a pool to another version: that of the control plane, unless you say
which. A pool without a version of its own follows the control plane by itself.

How nodes come to it tells spec.upgrade of the pool: new ones are made, or their servers
are made anew as they are. The number of nodes stays until that has ended.`,
		Example: `  marina nodepool upgrade workers --wait
  marina nodepool upgrade workers --version 1.37.1-1`,
		Args: arguments.Named("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd, open, func(ctx context.Context, s *session.Session) error {
				return o.upgrade(ctx, cmd, s, args[0])
			})
		},
		ValidArgsFunction: session.CompleteNodePools(open, 1),
	}
	cmd.Flags().StringVar(&o.version, "version", "", "the release that the nodes are to run; that of the control plane unless you say which")
	o.addFlags(cmd, "wait until all nodes run it")
	return cmd
}

func (o *upgradeOptions) upgrade(ctx context.Context, cmd *cobra.Command, s *session.Session, name string) error {
	pool, err := s.NodePool(ctx, name)
	if err != nil {
		return err
	}
	cluster, err := s.Cluster(ctx, pool.Spec.ClusterRef.Name)
	if err != nil {
		return err
	}
	to := cmp.Or(o.version, cluster.Status.Version)
	if err := checkUpgrade(pool, cluster, to); err != nil {
		return err
	}
	return o.apply(ctx, cmd, s, pool, map[string]any{"version": to}, "is to run "+to, "being upgraded")
}

// checkUpgrade refuses what would change nothing, or would be refused by the controller later.
func checkUpgrade(pool *v1alpha1.NodePool, cluster *v1alpha1.Cluster, to string) error {
	runs := cluster.Status.Version
	if to == "" {
		return failure.New("wait until the cluster is Active", "cluster %q does not tell yet which version it runs", cluster.Name)
	}
	wanted, err := release.Parse(to)
	if err != nil {
		return failure.New("see 'kubectl get kubernetesreleases'", "--version: %v", err)
	}
	if pool.Status.Version == to && pool.Status.UpdatedReplicas < pool.Status.Replicas {
		return failure.New("wait until it is Active ('marina nodepool wait "+pool.Name+"')", "nodepool %q is being upgraded to %s already", pool.Name, to)
	}
	if pool.Status.Version == to {
		words := ""
		if to == runs {
			words = ", as its control plane does"
		}
		return failure.New("upgrade the cluster first, if its nodes are to be newer: pools do not run ahead of it", "nodepool %q runs %s already%s: there is nothing to upgrade", pool.Name, to, words)
	}
	if controlPlane, err := release.Parse(runs); err == nil {
		if err := release.KubeletSkewOK(controlPlane, wanted); err != nil {
			return failure.New("choose a version that the message allows", "nodepool %q: %v", pool.Name, err)
		}
	}
	return nil
}
