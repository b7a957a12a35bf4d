package reconcile

import (
	"context"
	"fmt"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
)

// Step is one numbered step of a reconciler. Run returns nil when there is
// nothing left to do, or an error of this package.
type Step[S any] struct {
	Name string
	Run  func(context.Context, S) error
}

// Run runs the steps in order and stops at the first that does not succeed. The
// error it returns is wrapped with the step's name and keeps its type.
func Run[S any](ctx context.Context, scope S, steps []Step[S]) error {
	for _, step := range steps {
		if err := step.Run(ctx, scope); err != nil {
			return fmt.Errorf("%s: %w", step.Name, err)
		}
	}
	return nil
}

// Result turns the outcome of a pass into what controller-runtime expects.
//
// Waiting is no failure: it asks to be woken by an event or after a time. An
// unexpected error and a Retry go back to the queue with its back-off.
func Result(err error) (ctrl.Result, error) {
	e := As(err)
	switch {
	case e == nil:
		return ctrl.Result{}, nil
	case e.Kind == KindRetry && e.After == 0:
		return ctrl.Result{}, err
	default:
		return ctrl.Result{RequeueAfter: e.After}, nil
	}
}

// Earliest returns the shorter of two times to look again; zero means never.
func Earliest(a, b time.Duration) time.Duration {
	if a == 0 || (b != 0 && b < a) {
		return b
	}
	return a
}
