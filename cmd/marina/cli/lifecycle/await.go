package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/cli/operations"
	"github.com/marina-dev/marina/cmd/marina/cli/progress"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/cmd/marina/cli/ttl"
	"github.com/marina-dev/marina/cmd/marina/cli/waiting"
)

// watcher shows the states of one object and judges them by a goal.
type watcher[T Object] struct {
	kind     *Kind[T]
	goal     Goal
	progress *progress.Printer
	// track shows the steps of the operation of that name, or is nil.
	track func(operation string)

	// How the object was seen last, and with what result.
	seen     bool
	last     T
	state    *state
	reached  bool
	hopeless string
}

func (w *watcher[T]) Observe(object T) bool {
	s := w.kind.stateOf(object)
	if s == nil && !w.seen && !w.goal.deleted {
		// Not "deleted": nothing has been there.
		w.hopeless = "there is no such " + w.kind.Singular
		return true
	}
	w.seen, w.last, w.state = true, object, s
	verdict, why := w.goal.judge(s)
	switch verdict {
	case reached:
		w.reached = true
		return true
	case hopeless:
		w.hopeless = why
		return true
	}
	w.progress.Update(s.phase(), s.describe())
	if w.track != nil {
		w.track(s.Operation)
	}
	return false
}

func (w *watcher[T]) Lost(err error) {
	w.progress.Update("Unknown", failure.Explain(err).Message+"; trying again")
}

// wish is what to wait for, and how to talk about it.
type wish struct {
	goal Goal
	// timeout is the limit that the context has, for the message.
	timeout time.Duration
	// followUp tells, when somebody or the time stops the waiting, what goes on and
	// how to wait on.
	followUp string
}

// AwaitUp shows the progress of an object until it is Up, and returns it as it was seen
// last and how long that took. Timeout is the limit that the context has. Doing says what
// goes on if the waiting is stopped: being created.
func (k *Kind[T]) AwaitUp(ctx context.Context, cmd *cobra.Command, s *session.Session, key client.ObjectKey, timeout time.Duration, doing string) (T, time.Duration, error) {
	return k.Await(ctx, cmd, s, key, k.Up, timeout, doing)
}

// Await is AwaitUp with another goal.
func (k *Kind[T]) Await(ctx context.Context, cmd *cobra.Command, s *session.Session, key client.ObjectKey, goal Goal, timeout time.Duration, doing string) (T, time.Duration, error) {
	p := progress.New(cmd.ErrOrStderr(), key.Name)
	last, err := k.await(ctx, s.Client, key, wish{
		goal:     goal,
		timeout:  timeout,
		followUp: fmt.Sprintf("it goes on %s: '%s' waits on", doing, k.WaitFor(key, goal)),
	}, p)
	return last, p.Elapsed(), err
}

// WaitFor is the command that waits for a goal, but for its version.
func (k *Kind[T]) WaitFor(key client.ObjectKey, goal Goal) string {
	command := k.Command + " wait " + session.Ref(key)
	if goal.Phase != "" {
		command += " --for=phase=" + goal.Phase
	}
	return command
}

// await waits until the object is as wished, and returns it as it was then; nil
// if there is none.
func (k *Kind[T]) await(ctx context.Context, c client.WithWatch, key client.ObjectKey, wish wish, p *progress.Printer) (T, error) {
	defer p.Close()
	w := &watcher[T]{kind: k, goal: wish.goal, progress: p}
	if p.OnTerminal() {
		steps := operations.NewSteps(ctx, c, key.Namespace, p.Steps)
		defer steps.Stop()
		w.track = steps.Track
	}
	err := waiting.Follow(ctx, c, key, k.List(), clock.RealClock{}, w)
	switch {
	case w.reached:
		return w.last, nil
	case w.hopeless != "":
		return w.last, w.fail(key)
	case errors.Is(err, waiting.ErrTimedOut) && errors.Is(err, waiting.ErrSilent):
		return w.last, failure.Timeout(failure.StartAgain, "%s %q is not %s after %s: %v",
			k.Singular, key.Name, wish.goal.Text, ttl.Format(wish.timeout), waiting.ErrSilent)
	case errors.Is(err, waiting.ErrTimedOut):
		return w.last, failure.Timeout(wish.followUp, "%s %q is not %s after %s%s",
			k.Singular, key.Name, wish.goal.Text, ttl.Format(wish.timeout), w.where())
	case ctx.Err() != nil:
		return w.last, failure.Interrupted(wish.followUp)
	default:
		return w.last, err
	}
}

// fail is the error when the goal cannot be reached any more.
func (w *watcher[T]) fail(key client.ObjectKey) error {
	switch {
	case !w.seen:
		return w.kind.Missing(key)
	case w.state == nil || w.state.deleting || w.goal.overtaken(w.state):
		return failure.New("", "%s %q will not be %s: %s", w.kind.Singular, key.Name, w.goal.Text, w.hopeless)
	default:
		return failure.New(w.kind.correct(w.last), "%s %q is in phase %s: %s", w.kind.Singular, key.Name, w.state.phase(), w.hopeless)
	}
}

// correct is what to do about an object that cannot get where it is waited for.
func (k *Kind[T]) correct(object T) string {
	if k.Correct != nil {
		if do := k.Correct(object); do != "" {
			return do
		}
	}
	return fmt.Sprintf("correct the cause; '%s get %s -o yaml' shows all conditions", k.Command, session.Ref(client.ObjectKeyFromObject(object)))
}

// where is how the object was seen last, as the end of a sentence.
func (w *watcher[T]) where() string {
	if w.state == nil {
		return ""
	}
	text := ": it is " + w.state.phase()
	if message := w.state.describe(); message != "" {
		text += ": " + message
	}
	return text
}
