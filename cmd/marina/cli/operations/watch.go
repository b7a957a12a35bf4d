package operations

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/arguments"
	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/cli/progress"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/cmd/marina/cli/ttl"
	"github.com/marina-dev/marina/cmd/marina/cli/waiting"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

func newWatch(open session.Opener) *cobra.Command {
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "watch NAME",
		Short: "Show the steps of an operation until it is finished",
		Long: `Show the steps of an operation until it is finished.

They go to standard error. The command fails with exit code 1 if the operation
failed or was cancelled, and with 3 when the time is over: it goes on then.`,
		Example: `  marina operation watch demo-restart-x7k2p
  marina operation watch demo-upgrade-9fq4c --timeout=2m`,
		Args: arguments.Named("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return waiting.Within(cmd, open, timeout, func(ctx context.Context, s *session.Session) error {
				finished, err := awaitFinished(ctx, cmd, s, args[0], timeout)
				if err != nil {
					return err
				}
				if err := failed(finished); err != nil {
					return err
				}
				_, err = fmt.Fprintln(cmd.OutOrStdout(), succeeded(finished))
				return err
			})
		},
		ValidArgsFunction: session.CompleteOperations(open, unfinished),
	}
	waiting.TimeoutFlag(cmd, &timeout)
	return cmd
}

// watcher shows the states of one operation.
type watcher struct {
	progress *progress.Printer
	last     *v1alpha1.Operation
	// gone is true when there is no such operation, or none any more.
	gone bool
}

func (w *watcher) Observe(o *v1alpha1.Operation) (enough bool) {
	if o == nil {
		w.gone = true
		return true
	}
	w.last = o
	w.progress.Show(phaseOf(o), o.Status.Message, stepsOf(o))
	return o.Status.Phase.Finished()
}

func (w *watcher) Lost(err error) {
	w.progress.Update("Unknown", failure.Explain(err).Message+"; trying again")
}

// awaitFinished shows an operation's steps until it is finished, however it ends, and
// returns it as it was seen last. Timeout is the limit that the context has.
func awaitFinished(ctx context.Context, cmd *cobra.Command, s *session.Session, name string, timeout time.Duration) (*v1alpha1.Operation, error) {
	return await(ctx, s.Client, client.ObjectKey{Namespace: s.Namespace, Name: name}, timeout, progress.New(cmd.ErrOrStderr(), name))
}

func await(ctx context.Context, c client.WithWatch, key client.ObjectKey, timeout time.Duration, p *progress.Printer) (*v1alpha1.Operation, error) {
	defer p.Leave()
	w := &watcher{progress: p}
	err := waiting.Follow(ctx, c, key, &v1alpha1.OperationList{}, clock.RealClock{}, w)
	goesOn := fmt.Sprintf("it goes on: 'marina operation watch %s' waits on", session.Ref(key))
	switch {
	case w.gone && w.last == nil:
		return nil, session.NoOperation(key)
	case w.gone:
		return w.last, failure.New("", "operation %q has been deleted", key.Name)
	case err == nil:
		return w.last, nil
	case errors.Is(err, waiting.ErrTimedOut) && errors.Is(err, waiting.ErrSilent):
		return w.last, failure.Timeout(failure.StartAgain, "operation %q is not finished after %s: %v", key.Name, ttl.Format(timeout), waiting.ErrSilent)
	case errors.Is(err, waiting.ErrTimedOut):
		return w.last, failure.Timeout(goesOn, "operation %q is not finished after %s%s", key.Name, ttl.Format(timeout), w.state())
	case ctx.Err() != nil:
		return w.last, failure.Interrupted(goesOn)
	default:
		return w.last, err
	}
}

// state is where the operation was seen last, as the end of a sentence.
func (w *watcher) state() string {
	if w.last == nil {
		return ""
	}
	return ": it is " + withMessage(phaseOf(w.last), w.last)
}

// succeeded says that an operation did what was asked for.
func succeeded(o *v1alpha1.Operation) string {
	text := fmt.Sprintf("operation %q succeeded", o.Name)
	if o.Status.Took != "" {
		text += " after " + o.Status.Took
	}
	return text
}

// phaseOf is Pending before anybody has taken it up.
func phaseOf(o *v1alpha1.Operation) string {
	if o.Status.Phase == "" {
		return string(v1alpha1.OperationPending)
	}
	return string(o.Status.Phase)
}

func withMessage(text string, o *v1alpha1.Operation) string {
	return because(text, strings.TrimSuffix(o.Status.Message, "."))
}
