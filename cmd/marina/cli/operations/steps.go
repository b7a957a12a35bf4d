package operations

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/progress"
	"github.com/marina-dev/marina/cmd/marina/cli/waiting"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

var states = map[v1alpha1.OperationPhase]progress.State{
	v1alpha1.OperationPending:   progress.Pending,
	v1alpha1.OperationRunning:   progress.Running,
	v1alpha1.OperationSucceeded: progress.Done,
	v1alpha1.OperationFailed:    progress.Failed,
	v1alpha1.OperationCancelled: progress.Cancelled,
}

// stepsOf are an operation's steps as they are shown.
func stepsOf(o *v1alpha1.Operation) []progress.Step {
	var steps []progress.Step
	for _, s := range o.Status.Steps {
		steps = append(steps, progress.Step{
			Name: s.Name, State: states[s.Phase], Message: s.Message,
			Started: timeOf(s.StartedAt), Finished: timeOf(s.FinishedAt),
		})
	}
	return steps
}

func timeOf(t *metav1.Time) (zero time.Time) {
	if t == nil {
		return zero
	}
	return t.Time
}

// Steps shows the steps of the operation that runs on what somebody waits for,
// beside that. It is a help for people: where there is nothing to show, because of
// missing rights too, it shows nothing.
type Steps struct {
	ctx       context.Context
	client    client.WithWatch
	namespace string
	show      func([]progress.Step)

	name string
	stop func()
}

// NewSteps has show called with each change of the steps, from another goroutine.
func NewSteps(ctx context.Context, c client.WithWatch, namespace string, show func([]progress.Step)) *Steps {
	return &Steps{ctx: ctx, client: c, namespace: namespace, show: show, stop: func() {}}
}

// Track goes on with the operation of that name; empty is none.
func (s *Steps) Track(name string) {
	if name == s.name {
		return
	}
	s.stop()
	s.name, s.stop = name, func() {}
	s.show(nil)
	if name == "" {
		return
	}
	ctx, cancel := context.WithCancel(s.ctx)
	done := make(chan struct{})
	s.stop = func() { cancel(); <-done }
	go func() {
		defer close(done)
		key := client.ObjectKey{Namespace: s.namespace, Name: name}
		_ = waiting.Follow(ctx, s.client, key, &v1alpha1.OperationList{}, clock.RealClock{}, s)
	}()
}

// Stop returns when nothing is shown any more.
func (s *Steps) Stop() { s.stop() }

// Observe shows the steps of a state.
func (s *Steps) Observe(o *v1alpha1.Operation) (enough bool) {
	if o == nil {
		return false
	}
	s.show(stepsOf(o))
	return o.Status.Phase.Finished()
}

// Lost says nothing: who waits notices it too.
func (s *Steps) Lost(error) {}
