package clusters

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/cli/operations"
	"github.com/marina-dev/marina/cmd/marina/cli/progress"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/cmd/marina/cli/ttl"
	"github.com/marina-dev/marina/cmd/marina/cli/waiting"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// watcher shows the states of one cluster and judges them by a goal.
type watcher struct {
	goal     goal
	progress *progress.Printer
	// track shows the steps of the operation of that name, or is nil.
	track func(operation string)

	// Where the cluster was seen last, and with what result.
	seen     bool
	last     *v1alpha1.Cluster
	reached  bool
	hopeless string
}

func (w *watcher) Observe(c *v1alpha1.Cluster) bool {
	if c == nil && !w.seen && !w.goal.deleted {
		// Not "deleted": nothing has been there.
		w.hopeless = "there is no such cluster"
		return true
	}
	w.seen, w.last = true, c
	verdict, why := w.goal.judge(c)
	switch verdict {
	case reached:
		w.reached = true
		return true
	case hopeless:
		w.hopeless = why
		return true
	}
	w.progress.Update(phaseOf(c), describe(c))
	if w.track != nil && c != nil {
		w.track(c.Status.Operation)
	}
	return false
}

func (w *watcher) Lost(err error) {
	w.progress.Update("Unknown", failure.Explain(err).Message+"; trying again")
}

// wish is what to wait for, and how to talk about it.
type wish struct {
	goal goal
	// timeout is the limit that the context has, for the message.
	timeout time.Duration
	// followUp tells, when somebody or the time stops the waiting, what goes on and
	// how to wait on.
	followUp string
}

// await waits until the cluster is as wished, and returns it as it was then; nil
// if there is none.
func await(ctx context.Context, c client.WithWatch, key client.ObjectKey, wish wish, p *progress.Printer) (*v1alpha1.Cluster, error) {
	defer p.Close()
	w := &watcher{goal: wish.goal, progress: p}
	if p.OnTerminal() {
		steps := operations.NewSteps(ctx, c, key.Namespace, p.Steps)
		defer steps.Stop()
		w.track = steps.Track
	}
	err := waiting.Follow(ctx, c, key, &v1alpha1.ClusterList{}, clock.RealClock{}, w)
	switch {
	case w.reached:
		return w.last, nil
	case w.hopeless != "":
		return w.last, w.fail(key)
	case errors.Is(err, waiting.ErrTimedOut) && errors.Is(err, waiting.ErrSilent):
		return w.last, failure.Timeout(failure.StartAgain, "cluster %q is not %s after %s: %v",
			key.Name, wish.goal.text, ttl.Format(wish.timeout), waiting.ErrSilent)
	case errors.Is(err, waiting.ErrTimedOut):
		return w.last, failure.Timeout(wish.followUp, "cluster %q is not %s after %s%s",
			key.Name, wish.goal.text, ttl.Format(wish.timeout), w.state())
	case ctx.Err() != nil:
		return w.last, failure.Interrupted(wish.followUp)
	default:
		return w.last, err
	}
}

// fail is the error when the goal cannot be reached any more.
func (w *watcher) fail(key client.ObjectKey) error {
	switch {
	case !w.seen:
		return session.NoCluster(key)
	case w.last == nil || w.last.DeletionTimestamp != nil:
		return failure.New("", "cluster %q will not be %s: %s", key.Name, w.goal.text, w.hopeless)
	default:
		return failure.New(fmt.Sprintf("correct the cause; 'marina cluster get %s -o yaml' shows all conditions", session.Ref(key)),
			"cluster %q is in phase %s: %s", key.Name, phaseOf(w.last), w.hopeless)
	}
}

// state is where the cluster was seen last, as the end of a sentence.
func (w *watcher) state() string {
	if w.last == nil {
		return ""
	}
	text := ": it is " + phaseOf(w.last)
	if message := describe(w.last); message != "" {
		text += ": " + message
	}
	return text
}
