package operation

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// refusalsKept is how many are kept at most of those that have ended without having
// begun: who asks again and again must not push out what has been done.
const refusalsKept = 10

// surplus are those to be deleted, so that no more than v1alpha1.OperationsKept are
// left: of those that have ended, refusals beyond refusalsKept, and then the oldest.
// operations come the oldest first.
func surplus(operations []*v1alpha1.Operation) []*v1alpha1.Operation {
	var delete, rest []*v1alpha1.Operation
	refusals, unfinished := 0, 0
	for _, op := range slices.Backward(operations) {
		if !op.Status.Phase.Finished() {
			if op.Status.StartedAt != nil {
				unfinished++
			}
			// One that waits may be refused, and must not push out anything before that.
			continue
		}
		if op.Status.StartedAt == nil {
			if refusals++; refusals > refusalsKept {
				delete = append(delete, op)
				continue
			}
		}
		rest = append(rest, op)
	}
	over := len(rest) + unfinished - v1alpha1.OperationsKept
	over = min(max(over, 0), len(rest))
	return append(delete, rest[len(rest)-over:]...)
}

// prune deletes the surplus.
func (b *Book) prune(ctx context.Context, operations []*v1alpha1.Operation) error {
	for _, op := range surplus(operations) {
		if err := client.IgnoreNotFound(b.Client.Delete(ctx, op)); err != nil {
			return fmt.Errorf("deleting old operations: %w", err)
		}
	}
	return nil
}

// CloseGone ends what was to be done to objects of a name that are gone. Their history
// stays; of all objects of the kind in the project that are gone together, no more than
// v1alpha1.OperationsKept Operations do.
func (b *Book) CloseGone(ctx context.Context, key types.NamespacedName) error {
	operations, err := b.Of(ctx, key)
	if err != nil || len(operations) == 0 {
		return err
	}
	// The cache may hear of an Operation before its target.
	if err := b.Live.Get(ctx, key, b.New()); err == nil {
		return ErrBehind
	} else if !apierrors.IsNotFound(err) {
		return err
	}
	if err := b.close(ctx, operations, fmt.Sprintf("refused: there is no %s %s in this namespace", b.What, key.Name)); err != nil {
		return err
	}
	return b.pruneOrphans(ctx, key.Namespace)
}

// CloseOthers ends what was to be done to earlier objects of the name of one that is there.
func (b *Book) CloseOthers(ctx context.Context, history []*v1alpha1.Operation, object client.Object) error {
	others := slices.DeleteFunc(slices.Clone(history), func(op *v1alpha1.Operation) bool { return IsAbout(op, object) })
	return b.close(ctx, others, fmt.Sprintf("refused: it is about another %s of this name, which is gone", b.What))
}

// close ends Operations on objects that are gone; refusal is what those are told that
// have not begun.
func (b *Book) close(ctx context.Context, operations []*v1alpha1.Operation, refusal string) error {
	now := metav1.NewTime(b.Now())
	for _, op := range operations {
		if op.Status.Phase.Finished() {
			continue
		}
		v := Verdict{op, v1alpha1.OperationCancelled, fmt.Sprintf("overtaken: the %s has been deleted", b.What)}
		switch {
		case op.Spec.Type == v1alpha1.OperationDelete && op.Status.Phase == v1alpha1.OperationRunning:
			v.Phase, v.Message = v1alpha1.OperationSucceeded, b.Success(op)
		case op.Status.Phase != v1alpha1.OperationRunning:
			v.Phase, v.Message = v1alpha1.OperationFailed, refusal
		}
		before := op.DeepCopy()
		Conclude(op, nil, v, now)
		if err := b.patch(ctx, before, op); err != nil {
			return err
		}
	}
	return nil
}

// pruneOrphans deletes the oldest Operations on objects that are gone.
func (b *Book) pruneOrphans(ctx context.Context, namespace string) error {
	objects, list := b.List(), &v1alpha1.OperationList{}
	if err := b.Client.List(ctx, objects, client.InNamespace(namespace)); err != nil {
		return err
	}
	if err := b.Client.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return err
	}
	there := map[string]bool{}
	err := meta.EachListItem(objects, func(o runtime.Object) error {
		there[o.(client.Object).GetName()] = true
		return nil
	})
	if err != nil {
		return err
	}
	orphans := slices.DeleteFunc(b.sorted(list), func(op *v1alpha1.Operation) bool { return there[op.Spec.TargetRef.Name] })
	return b.prune(ctx, orphans)
}
