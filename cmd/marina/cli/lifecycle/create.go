package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/dryrun"
	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/cli/output"
	"github.com/marina-dev/marina/cmd/marina/cli/progress"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/cmd/marina/cli/waiting"
)

// Creation are the flags of a command that creates an object of a kind and waits, if that
// is asked for, until it is Up.
type Creation[T Object] struct {
	// Timeout is for all of the command.
	Timeout time.Duration

	kind   *Kind[T]
	wait   bool
	dryRun dryrun.Flag
	output string
}

// NewCreation is the Creation of a kind.
func NewCreation[T Object](kind *Kind[T]) *Creation[T] { return &Creation[T]{kind: kind} }

// AddFlags defines the flags.
func (c *Creation[T]) AddFlags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&c.wait, "wait", false, fmt.Sprintf("wait until the %s is %s", c.kind.Singular, c.kind.Up.Text))
	waiting.TimeoutFlag(cmd, &c.Timeout)
	c.dryRun.AddTo(cmd, "none, client (only print it) or server (have it checked, create nothing)", dryrun.Client, dryrun.Server)
	cmd.Flags().StringVarP(&c.output, "output", "o", "", fmt.Sprintf("print the %s as yaml, json or name", c.kind.Singular))
	_ = cmd.RegisterFlagCompletionFunc("output", session.CompleteFixed(output.YAML, output.JSON, output.Name))
}

// Check refuses mistakes in them.
func (c *Creation[T]) Check(cmd *cobra.Command) error {
	if err := c.dryRun.Check(cmd, c.wait); err != nil {
		return err
	}
	if err := output.Check(c.output, output.YAML, output.JSON, output.Name); err != nil {
		return failure.Usage(cmd.CommandPath(), "%v", err)
	}
	return waiting.CheckTimeout(cmd, c.Timeout)
}

// OnlyPrints tells whether no request is to be made.
func (c *Creation[T]) OnlyPrints() bool { return c.dryRun.Mode == dryrun.Client }

// Create creates the object, in a context that Timeout has limited.
func (c *Creation[T]) Create(ctx context.Context, cmd *cobra.Command, s *session.Session, object T) error {
	if !c.OnlyPrints() {
		if err := s.Client.Create(ctx, object, c.dryRun.Create()...); err != nil {
			return err
		}
	}
	if c.wait {
		return c.awaitUp(ctx, cmd, s, object)
	}
	if err := c.print(cmd, object, "created"+c.dryRun.Suffix()); err != nil {
		return err
	}
	if c.dryRun.Mode == dryrun.None && c.output == "" {
		progress.Advise(cmd.ErrOrStderr(), "Next: %s", c.kind.Begun(object))
	}
	return nil
}

// awaitUp prints the object, if it is asked for, as it is when the waiting is over: what
// is most asked for stands in its status.
func (c *Creation[T]) awaitUp(ctx context.Context, cmd *cobra.Command, s *session.Session, object T) error {
	if c.output == "" {
		if err := c.print(cmd, object, "created"); err != nil {
			return err
		}
	}
	last, took, err := c.kind.AwaitUp(ctx, cmd, s, client.ObjectKeyFromObject(object), c.Timeout, "being created")
	if err != nil {
		if c.output != "" && c.kind.stateOf(last) != nil {
			err = errors.Join(c.print(cmd, last, ""), err)
		}
		return err
	}
	if err := c.print(cmd, last, "is "+c.kind.Up.Text+waiting.After(took)); err != nil {
		return err
	}
	progress.Advise(cmd.ErrOrStderr(), "Next: %s", c.kind.Next(last))
	return nil
}

func (c *Creation[T]) print(cmd *cobra.Command, object T, what string) error {
	if c.output == "" {
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s %q %s\n", c.kind.Singular, object.GetName(), what)
		return err
	}
	u, err := output.Manifest(object, session.Scheme)
	if err != nil {
		return err
	}
	return output.Object(cmd.OutOrStdout(), c.output, c.kind.Resource, u)
}
