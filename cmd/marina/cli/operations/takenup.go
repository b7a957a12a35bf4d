package operations

import (
	"context"
	"time"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/waiting"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// takeUpTime is how long a manager that is there may need to look at an operation. It
// mostly does so at once.
const takeUpTime = 3 * time.Second

// awaitTakenUp waits until somebody has begun or refused an operation, but not for
// long, and returns it as it was seen last. That it cannot be seen is no failure: it has
// been created.
func awaitTakenUp(ctx context.Context, c client.WithWatch, o *v1alpha1.Operation) *v1alpha1.Operation {
	ctx, cancel := context.WithTimeout(ctx, takeUpTime)
	defer cancel()
	t := &takenUp{last: o}
	_ = waiting.Follow(ctx, c, client.ObjectKeyFromObject(o), &v1alpha1.OperationList{}, clock.RealClock{}, t)
	return t.last
}

// takenUp keeps the last state of an operation until it is not Pending any more.
type takenUp struct{ last *v1alpha1.Operation }

func (t *takenUp) Observe(o *v1alpha1.Operation) (enough bool) {
	if o == nil {
		return true // deleted: there is nothing more to learn
	}
	t.last = o
	return o.Status.Phase != "" && o.Status.Phase != v1alpha1.OperationPending
}

// Lost changes nothing: it is looked for until the time is over.
func (t *takenUp) Lost(error) {}
