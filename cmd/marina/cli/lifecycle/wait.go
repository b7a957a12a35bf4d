package lifecycle

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/arguments"
	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/cli/progress"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/cmd/marina/cli/waiting"
)

// NewWait is the command 'wait NAME' of a kind.
func NewWait[T Object](open session.Opener, kind *Kind[T], help Help) *cobra.Command {
	var until string
	var timeout time.Duration
	cmd := &cobra.Command{
		Use: "wait NAME", Short: help.Short, Long: help.Long, Example: help.Example,
		Args: arguments.Named("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			g, err := kind.parseGoal(until)
			if err != nil {
				return failure.Usage(cmd.CommandPath(), "%v", err)
			}
			return waiting.Within(cmd, open, timeout, func(ctx context.Context, s *session.Session) error {
				key := client.ObjectKey{Namespace: s.Namespace, Name: args[0]}
				p := progress.New(cmd.ErrOrStderr(), key.Name)
				_, err := kind.await(ctx, s.Client, key, wish{
					goal:     g,
					timeout:  timeout,
					followUp: fmt.Sprintf("wait on, or look at all of it with '%s get %s -o yaml'", kind.Command, session.Ref(key)),
				}, p)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintln(cmd.OutOrStdout(), g.sentence(kind.Singular, key.Name)+waiting.After(p.Elapsed()))
				return err
			})
		},
		ValidArgsFunction: kind.Complete(open, 1),
	}
	cmd.Flags().StringVar(&until, "for", kind.Up.Text, kind.Up.Text+", deleted, phase=PHASE or condition=TYPE")
	waiting.TimeoutFlag(cmd, &timeout)
	words := []string{kind.Up.Text, untilDeleted.Text}
	for _, phase := range kind.Phases {
		words = append(words, "phase="+phase)
	}
	for _, condition := range kind.Conditions {
		words = append(words, "condition="+condition)
	}
	_ = cmd.RegisterFlagCompletionFunc("for", session.CompleteFixed(words...))
	return cmd
}
