package lifecycle

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
)

type deletion[T Object] struct {
	kind           *Kind[T]
	wait           bool
	ignoreNotFound bool
	timeout        time.Duration
	dryRun         dryrun.Flag
	output         string
}

// NewDelete is the command 'delete NAME...' of a kind.
func NewDelete[T Object](open session.Opener, kind *Kind[T], help Help) *cobra.Command {
	o := &deletion[T]{kind: kind}
	cmd := &cobra.Command{
		Use: "delete NAME...", Short: help.Short, Long: help.Long, Example: help.Example,
		Args: arguments.AtLeastOne("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			// --wait is the default: a dry run minds it only if somebody has said it.
			if err := o.dryRun.Check(cmd, o.wait && cmd.Flags().Changed("wait")); err != nil {
				return err
			}
			if err := output.Check(o.output, output.Name); err != nil {
				return failure.Usage(cmd.CommandPath(), "%v", err)
			}
			// One limit for all of them together.
			return waiting.Within(cmd, open, o.timeout, func(ctx context.Context, s *session.Session) error {
				return o.run(ctx, cmd, s, args)
			})
		},
		ValidArgsFunction: kind.Complete(open, 0),
	}
	cmd.Flags().BoolVar(&o.wait, "wait", true, fmt.Sprintf("wait until the %s are gone", kind.Plural))
	cmd.Flags().BoolVar(&o.ignoreNotFound, "ignore-not-found", false, fmt.Sprintf("a %s that does not exist is no failure", kind.Singular))
	waiting.TimeoutFlag(cmd, &o.timeout)
	o.dryRun.AddTo(cmd, "none, or server (have it checked, delete nothing)", dryrun.Server)
	cmd.Flags().StringVarP(&o.output, "output", "o", "", fmt.Sprintf("print the names of the %s only: name", kind.Plural))
	_ = cmd.RegisterFlagCompletionFunc("output", session.CompleteFixed(output.Name))
	return cmd
}

// run asks for all deletions first, so that they go on side by side, and waits
// then. One object that cannot be deleted keeps no other from it.
func (o *deletion[T]) run(ctx context.Context, cmd *cobra.Command, s *session.Session, names []string) error {
	var errs []error
	var deleting []T
	for _, name := range names {
		object, found, err := o.request(ctx, s, name)
		switch {
		case err != nil:
			errs = append(errs, err)
		case !found: // and that is allowed
		case o.dryRun.Mode == dryrun.Server:
			o.print(cmd, name, "deleted"+o.dryRun.Suffix())
		case !o.wait:
			o.print(cmd, name, "is being deleted")
		default:
			deleting = append(deleting, object)
		}
	}
	for _, object := range deleting {
		if err := o.awaitGone(ctx, cmd, s, object); err != nil {
			errs = append(errs, err)
			continue
		}
		o.print(cmd, object.GetName(), "deleted")
	}
	return errors.Join(errs...)
}

func (o *deletion[T]) print(cmd *cobra.Command, name, what string) {
	if o.output == output.Name {
		fmt.Fprintf(cmd.OutOrStdout(), "%s/%s\n", o.kind.Resource, name)
		return
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%s %q %s\n", o.kind.Singular, name, what)
}

// request deletes an object and returns it; found is false if there is none and that is
// allowed. The UID is a precondition, so that it is the object waited for.
func (o *deletion[T]) request(ctx context.Context, s *session.Session, name string) (object T, found bool, err error) {
	object, err = o.kind.read(ctx, s, name)
	if err == nil {
		uid := object.GetUID()
		options := []client.DeleteOption{client.Preconditions{UID: &uid}}
		if o.dryRun.Mode == dryrun.Server {
			options = append(options, client.DryRunAll)
		}
		err = s.Client.Delete(ctx, object, options...)
	}
	if apierrors.IsNotFound(err) && o.ignoreNotFound {
		return object, false, nil
	}
	return object, err == nil, err
}

func (o *deletion[T]) awaitGone(ctx context.Context, cmd *cobra.Command, s *session.Session, object T) error {
	key := client.ObjectKeyFromObject(object)
	gone := untilDeleted
	gone.uid = object.GetUID()
	_, err := o.kind.await(ctx, s.Client, key, wish{
		goal:     gone,
		timeout:  o.timeout,
		followUp: fmt.Sprintf("it goes on being deleted: '%s wait %s --for=deleted' waits on", o.kind.Command, session.Ref(key)),
	}, progress.New(cmd.ErrOrStderr(), key.Name))
	return err
}
