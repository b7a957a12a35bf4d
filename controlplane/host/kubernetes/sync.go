package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// sync makes an object what is wanted, and writes nothing if it is. It reads the object
// into live, as it is then.
func (h *Host) sync(ctx context.Context, want, live client.Object) error {
	annotations := want.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[AnnotationRendered] = hashOf(want)
	want.SetAnnotations(annotations)

	err := h.client.Get(ctx, client.ObjectKeyFromObject(want), live)
	if apierrors.IsNotFound(err) {
		return refused(h.apply(ctx, want, live))
	}
	if err != nil {
		return err
	}
	if live.GetDeletionTimestamp() != nil {
		return reconcile.Wait("Deleting", "%s %s is still being deleted", h.kind(want), client.ObjectKeyFromObject(want))
	}
	same, surplus, err := difference(want, live)
	if err != nil || same {
		return err
	}
	err = h.apply(ctx, want, live)
	if apierrors.IsInvalid(err) && len(surplus) > 0 {
		// What somebody has added may not go together with what is wanted: a port of
		// another number has the name that ours has.
		patchErr := h.patch(ctx, live, replacements(surplus))
		if e := reconcile.As(patchErr); e != nil && e.Kind == reconcile.KindWait {
			// It may be another object by now than the one that was refused.
			return patchErr
		}
		if patchErr != nil {
			return errors.Join(refused(err), patchErr)
		}
		err = h.apply(ctx, want, live)
	}
	if err != nil || len(surplus) == 0 {
		return refused(err)
	}
	return h.prune(ctx, want, live)
}

// apply writes an object, and reads the answer into live.
func (h *Host) apply(ctx context.Context, want, live client.Object) error {
	answer, err := reconcile.Applied(ctx, h.client, want)
	if err != nil {
		return err
	}
	// What the answer does not have is not there: nothing of before may stay.
	reflect.ValueOf(live).Elem().SetZero()
	return runtime.DefaultUnstructuredConverter.FromUnstructured(answer.Object, live)
}

// prune removes what an apply has left in lists of ours.
func (h *Host) prune(ctx context.Context, want, live client.Object) error {
	_, surplus, err := difference(want, live)
	if err != nil || len(surplus) == 0 {
		return err
	}
	return h.patch(ctx, live, removals(surplus))
}

// patch changes an object as it was looked at. Where somebody has written in between, it is
// looked at once more.
func (h *Host) patch(ctx context.Context, live client.Object, operations []operation) error {
	// A test of it that fails would be an invalid request, and this is a conflict.
	guard := operation{Op: "replace", Path: "/metadata/resourceVersion", Value: live.GetResourceVersion()}
	patch, err := json.Marshal(append([]operation{guard}, operations...))
	if err != nil {
		return err
	}
	err = h.client.Patch(ctx, live, client.RawPatch(types.JSONPatchType, patch), client.FieldOwner(v1alpha1.FieldOwner))
	if apierrors.IsConflict(err) {
		return reconcile.WaitFor(100*time.Millisecond, "CacheBehind", "%s %s is not yet seen as it is", h.kind(live), client.ObjectKeyFromObject(live))
	}
	if err != nil {
		return fmt.Errorf("removing what was added to %s %s: %w", h.kind(live), client.ObjectKeyFromObject(live), err)
	}
	return nil
}

// refused makes a person's mistake of what the API server calls invalid.
func refused(err error) error {
	if apierrors.IsInvalid(err) {
		return reconcile.UserError("Refused", "the management cluster refuses what the HostingClass asks for: %v", err)
	}
	return err
}

func (h *Host) kind(o client.Object) string {
	gvk, err := h.client.GroupVersionKindFor(o)
	if err != nil {
		return fmt.Sprintf("%T", o)
	}
	return gvk.Kind
}
