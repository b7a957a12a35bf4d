package clusters

import (
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

func newWait(open session.Opener) *cobra.Command {
	var until string
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "wait NAME",
		Short: "Wait until a cluster is ready, deleted, in a phase or has a condition",
		Long: `Wait until a cluster is ready, deleted, in a phase or has a condition.

Progress goes to standard error. The command fails with exit code 3 when the time
is over, and with 1 as soon as the cluster cannot get there: it is in phase Error,
or being deleted.`,
		Example: `  marina cluster wait demo
  marina cluster wait demo --for=phase=Active --timeout=2m
  marina cluster wait demo --for=condition=UpToDate
  marina cluster wait demo --for=deleted`,
		Args: arguments.Named("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			g, err := parseGoal(until)
			if err != nil {
				return failure.Usage(cmd.CommandPath(), "%v", err)
			}
			if err := waiting.CheckTimeout(cmd, timeout); err != nil {
				return err
			}
			s, err := open(cmd)
			if err != nil {
				return err
			}
			key := client.ObjectKey{Namespace: s.Namespace, Name: args[0]}
			p := progress.New(cmd.ErrOrStderr(), key.Name)
			ctx, cancel := waiting.Limit(cmd.Context(), timeout)
			defer cancel()
			_, err = await(ctx, s.Client, key, wish{
				goal:     g,
				timeout:  timeout,
				followUp: fmt.Sprintf("wait on, or look at all of it with 'marina cluster get %s -o yaml'", session.Ref(key)),
			}, p)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), g.sentence(key.Name)+waiting.After(p.Elapsed()))
			return err
		},
		ValidArgsFunction: session.CompleteClusters(open, 1),
	}
	cmd.Flags().StringVar(&until, "for", "ready", "ready, deleted, phase=PHASE or condition=TYPE")
	waiting.TimeoutFlag(cmd, &timeout)
	words := []string{"ready", "deleted"}
	for _, phase := range phases {
		words = append(words, "phase="+string(phase))
	}
	for _, condition := range conditions {
		words = append(words, "condition="+condition)
	}
	_ = cmd.RegisterFlagCompletionFunc("for", session.CompleteFixed(words...))
	return cmd
}
