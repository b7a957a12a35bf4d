package harness

import (
	"context"
	"fmt"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// Life is what happens to something, step by step, whoever is killed meanwhile.
type Life struct {
	// Of is whose life it is.
	Of    string
	Steps []Step
}

// Step is begun once, as a user does who tries again until the API server has taken it, and is
// done at some time.
type Step struct {
	Name  string
	Begin func(context.Context) error
	Done  func(context.Context) error
	begun bool
}

// GoOn gets on with a life by one step at the most, and returns what it is at; nil at its end.
func (l *Life) GoOn(ctx context.Context, t testing.TB) error {
	t.Helper()
	if len(l.Steps) == 0 {
		return nil
	}
	now := &l.Steps[0]
	if !now.begun {
		if err := now.Begin(ctx); err != nil {
			return fmt.Errorf("%s: %s is refused: %w", l.Of, now.Name, err)
		}
		now.begun = true
		t.Logf("%s: %s", l.Of, now.Name)
	}
	if err := now.Done(ctx); err != nil {
		return fmt.Errorf("%s: %s: %w", l.Of, now.Name, err)
	}
	l.Steps = l.Steps[1:]
	return fmt.Errorf("%s: %s is done", l.Of, now.Name)
}

// AwaitRecords waits until every Operation of the namespace default is finished, and returns
// them. What a manager was killed at as the last finalizer went, the next one closes.
func AwaitRecords(t testing.TB, c client.Client) []v1alpha1.Operation {
	t.Helper()
	all := &v1alpha1.OperationList{}
	Check(t, Await(t.Context(), time.Minute, func(ctx context.Context) error {
		if err := c.List(ctx, all, client.InNamespace("default")); err != nil {
			return err
		}
		for _, op := range all.Items {
			if !op.Status.Phase.Finished() {
				return fmt.Errorf("operation %s of %s is still %s", op.Name, op.Spec.TargetRef.Name, op.Status.Phase)
			}
		}
		return nil
	}))
	return all.Items
}
