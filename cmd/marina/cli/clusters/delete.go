package clusters

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/arguments"
	"github.com/marina-dev/marina/cmd/marina/cli/dryrun"
	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/cli/output"
	"github.com/marina-dev/marina/cmd/marina/cli/progress"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/cmd/marina/cli/waiting"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

type deleteOptions struct {
	wait           bool
	ignoreNotFound bool
	timeout        time.Duration
	dryRun         dryrun.Flag
	output         string
}

func newDelete(open session.Opener) *cobra.Command {
	o := &deleteOptions{}
	cmd := &cobra.Command{
		Use:   "delete NAME...",
		Short: "Delete clusters and all that is in them",
		Long: `Delete clusters and all that is in them.

The deletion cannot be taken back. By default the command waits until nothing is
left; an interrupt ends the waiting, not the deletion.`,
		Example: `  marina cluster delete demo
  marina cluster delete demo test --wait=false
  marina cluster delete demo --dry-run=server`,
		Args: arguments.AtLeastOne("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			// --wait is the default: a dry run minds it only if somebody has said it.
			if err := o.dryRun.Check(cmd, o.wait && cmd.Flags().Changed("wait")); err != nil {
				return err
			}
			if err := output.Check(o.output, output.Name); err != nil {
				return failure.Usage(cmd.CommandPath(), "%v", err)
			}
			if err := waiting.CheckTimeout(cmd, o.timeout); err != nil {
				return err
			}
			s, err := open(cmd)
			if err != nil {
				return err
			}
			// One limit for all of them together.
			ctx, cancel := waiting.Limit(cmd.Context(), o.timeout)
			defer cancel()
			return o.run(ctx, cmd, s, args)
		},
		ValidArgsFunction: session.CompleteClusters(open, 0),
	}
	cmd.Flags().BoolVar(&o.wait, "wait", true, "wait until the clusters are gone")
	cmd.Flags().BoolVar(&o.ignoreNotFound, "ignore-not-found", false, "a cluster that does not exist is no failure")
	waiting.TimeoutFlag(cmd, &o.timeout)
	o.dryRun.AddTo(cmd, "none, or server (have it checked, delete nothing)", dryrun.Server)
	cmd.Flags().StringVarP(&o.output, "output", "o", "", "print the names of the clusters only: name")
	_ = cmd.RegisterFlagCompletionFunc("output", session.CompleteFixed(output.Name))
	return cmd
}

// run asks for all deletions first, so that they go on side by side, and waits
// then. One cluster that cannot be deleted keeps no other from it.
func (o *deleteOptions) run(ctx context.Context, cmd *cobra.Command, s *session.Session, names []string) error {
	var errs []error
	var deleting []*v1alpha1.Cluster
	for _, name := range names {
		cluster, err := o.request(ctx, s, name)
		switch {
		case err != nil:
			errs = append(errs, err)
		case cluster == nil: // and that is allowed
		case o.dryRun.Mode == dryrun.Server:
			o.print(cmd, name, "deleted"+o.dryRun.Suffix())
		case !o.wait:
			o.print(cmd, name, "is being deleted")
		default:
			deleting = append(deleting, cluster)
		}
	}
	for _, cluster := range deleting {
		if err := o.awaitGone(ctx, cmd, s, cluster); err != nil {
			errs = append(errs, err)
			continue
		}
		o.print(cmd, cluster.Name, "deleted")
	}
	return errors.Join(errs...)
}

func (o *deleteOptions) print(cmd *cobra.Command, name, what string) {
	if o.output == output.Name {
		fmt.Fprintf(cmd.OutOrStdout(), "%s/%s\n", resource, name)
		return
	}
	fmt.Fprintf(cmd.OutOrStdout(), "cluster %q %s\n", name, what)
}

// request deletes a cluster and returns it, or nil if there is none and that is
// allowed. The UID is a precondition, so that it is the cluster waited for.
func (o *deleteOptions) request(ctx context.Context, s *session.Session, name string) (*v1alpha1.Cluster, error) {
	cluster, err := s.Cluster(ctx, name)
	if err == nil {
		options := []client.DeleteOption{client.Preconditions{UID: &cluster.UID}}
		if o.dryRun.Mode == dryrun.Server {
			options = append(options, client.DryRunAll)
		}
		err = s.Client.Delete(ctx, cluster, options...)
	}
	if apierrors.IsNotFound(err) && o.ignoreNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return cluster, nil
}

func (o *deleteOptions) awaitGone(ctx context.Context, cmd *cobra.Command, s *session.Session, cluster *v1alpha1.Cluster) error {
	key := client.ObjectKeyFromObject(cluster)
	gone := untilDeleted
	gone.uid = cluster.UID
	_, err := await(ctx, s.Client, key, wish{
		goal:     gone,
		timeout:  o.timeout,
		followUp: fmt.Sprintf("it goes on being deleted: 'marina cluster wait %s --for=deleted' waits on", session.Ref(key)),
	}, progress.New(cmd.ErrOrStderr(), cluster.Name))
	return err
}
