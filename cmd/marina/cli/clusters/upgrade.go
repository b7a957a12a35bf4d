package clusters

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/arguments"
	"github.com/marina-dev/marina/cmd/marina/cli/dryrun"
	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/cli/lifecycle"
	"github.com/marina-dev/marina/cmd/marina/cli/progress"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/cmd/marina/cli/waiting"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

type upgradeOptions struct {
	wait    bool
	timeout time.Duration
	dryRun  dryrun.Flag
}

func newUpgrade(open session.Opener) *cobra.Command {
	o := &upgradeOptions{}
	cmd := &cobra.Command{
		Use:   "upgrade NAME [VERSION]",
		Short: "Bring a cluster to another version, or show to which ones it may go",
		Long: `Bring the control plane of a cluster to another version; without one, show those to
which it may go: any newer patch or build, and the next minor.

One minor version at a time, never back, and only while the cluster is Active. Nodes of
pools without a version of their own follow by themselves.`,
		Example: `  marina cluster upgrade demo
  marina cluster upgrade demo 1.37.1-1 --wait`,
		Args: arguments.NamedAndPerhaps("NAME", "VERSION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(cmd, len(args) > 1); err != nil {
				return err
			}
			return waiting.Within(cmd, open, o.timeout, func(ctx context.Context, s *session.Session) error {
				if len(args) == 1 {
					return showUpgrades(ctx, cmd, s, args[0])
				}
				return o.upgrade(ctx, cmd, s, args[0], args[1])
			})
		},
		ValidArgsFunction: session.CompleteUpgrades(open),
	}
	cmd.Flags().BoolVar(&o.wait, "wait", false, "wait until the whole control plane runs it")
	waiting.TimeoutFlag(cmd, &o.timeout)
	o.dryRun.AddTo(cmd, "none, or server (have it checked, change nothing)", dryrun.Server)
	return cmd
}

// check refuses mistakes in the flags.
func (o *upgradeOptions) check(cmd *cobra.Command, toVersion bool) error {
	if err := o.dryRun.Check(cmd, o.wait); err != nil || toVersion {
		return err
	}
	for flag, given := range map[string]bool{"--wait": o.wait, "--dry-run": o.dryRun.Mode != dryrun.None} {
		if given {
			return failure.Usage(cmd.CommandPath(), "VERSION is missing: %s is for an upgrade, and without a version nothing is begun", flag)
		}
	}
	return nil
}

func (o *upgradeOptions) upgrade(ctx context.Context, cmd *cobra.Command, s *session.Session, name, to string) error {
	cluster, err := o.request(ctx, s, name, to)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(cmd.OutOrStdout(), "cluster %q is being upgraded from %s to %s%s\n", name, cluster.Status.Version, to, o.dryRun.Suffix()); err != nil {
		return err
	}
	key := client.ObjectKeyFromObject(cluster)
	goal := lifecycle.Goal{Text: "upgraded to " + to, Phase: string(v1alpha1.ClusterActive), Version: to}
	if !o.wait {
		if o.dryRun.Mode == dryrun.None {
			progress.Advise(cmd.ErrOrStderr(), "Next: %s", kind.WaitFor(key, goal))
		}
		return nil
	}
	_, took, err := kind.Await(ctx, cmd, s, key, goal, o.timeout, "being upgraded")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "cluster %q is %s%s\n", name, goal.Text, waiting.After(took))
	return err
}

// request asks for the version, of the cluster as it was checked: somebody else may ask for
// another one in this moment. Whoever is second checks anew, and finds that it is upgraded.
func (o *upgradeOptions) request(ctx context.Context, s *session.Session, name, to string) (cluster *v1alpha1.Cluster, err error) {
	err = retry.RetryOnConflict(retry.DefaultRetry, func() error {
		if cluster, err = s.Cluster(ctx, name); err != nil {
			return err
		}
		if err := checkUpgrade(ctx, s.Client, cluster, to); err != nil {
			return err
		}
		checked := client.MergeFromWithOptions(cluster.DeepCopy(), client.MergeFromWithOptimisticLock{})
		cluster.Spec.Version = to
		return s.Client.Patch(ctx, cluster, checked, o.dryRun.Patch()...)
	})
	return cluster, err
}
