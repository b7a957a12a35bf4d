package nodepools

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/arguments"
	"github.com/marina-dev/marina/cmd/marina/cli/dryrun"
	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/cli/progress"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/cmd/marina/cli/waiting"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/release"
)

type upgradeOptions struct {
	version string
	wait    bool
	timeout time.Duration
	dryRun  dryrun.Flag
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
			if err := o.dryRun.Check(cmd, o.wait); err != nil {
				return err
			}
			return waiting.Within(cmd, open, o.timeout, func(ctx context.Context, s *session.Session) error {
				return o.run(ctx, cmd, s, args[0])
			})
		},
		ValidArgsFunction: session.CompleteNodePools(open, 1),
	}
	cmd.Flags().StringVar(&o.version, "version", "", "the release that the nodes are to run; that of the control plane unless you say which")
	cmd.Flags().BoolVar(&o.wait, "wait", false, "wait until all nodes run it")
	waiting.TimeoutFlag(cmd, &o.timeout)
	o.dryRun.AddTo(cmd, "none, or server (have it checked, change nothing)", dryrun.Server)
	return cmd
}

func (o *upgradeOptions) run(ctx context.Context, cmd *cobra.Command, s *session.Session, name string) error {
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
	data, err := json.Marshal(map[string]any{"spec": map[string]any{"version": to}})
	if err != nil {
		return err
	}
	if err := s.Client.Patch(ctx, pool, client.RawPatch(types.MergePatchType, data), o.dryRun.Patch()...); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(cmd.OutOrStdout(), "nodepool %q is to run %s%s\n", name, to, o.dryRun.Suffix()); err != nil {
		return err
	}
	if !o.wait {
		if o.dryRun.Mode == dryrun.None {
			progress.Advise(cmd.ErrOrStderr(), "Next: %s", kind.Begun(pool))
		}
		return nil
	}
	_, took, err := kind.AwaitUp(ctx, cmd, s, client.ObjectKeyFromObject(pool), o.timeout, "being upgraded")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "nodepool %q is %s%s\n", name, kind.Up.Text, waiting.After(took))
	return err
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
