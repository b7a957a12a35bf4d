package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// sync makes an object what is wanted, and writes nothing if it is. It reads the object
// into live, which is that of before if it was written.
func (h *Host) sync(ctx context.Context, want, live client.Object) error {
	_, err := h.write(ctx, want, live)
	return err
}

// write is sync, and reports whether it has written.
func (h *Host) write(ctx context.Context, want, live client.Object) (bool, error) {
	annotations := want.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[AnnotationRendered] = hashOf(want)
	want.SetAnnotations(annotations)

	err := h.client.Get(ctx, client.ObjectKeyFromObject(want), live)
	if apierrors.IsNotFound(err) {
		return true, refused(reconcile.Apply(ctx, h.client, want))
	}
	if err != nil {
		return false, err
	}
	if live.GetDeletionTimestamp() != nil {
		return false, reconcile.Wait("Deleting", "%s %s is still being deleted", h.kind(want), client.ObjectKeyFromObject(want))
	}
	same, surplus, err := difference(want, live)
	if err != nil || same {
		return false, err
	}
	err = reconcile.Apply(ctx, h.client, want)
	if apierrors.IsInvalid(err) && len(surplus) > 0 {
		// What somebody has added may not go together with what is wanted: a port of
		// another number has the name that ours has.
		if patchErr := h.patch(ctx, live, replacements(surplus)); patchErr != nil {
			return true, errors.Join(refused(err), patchErr)
		}
		err = reconcile.Apply(ctx, h.client, want)
	}
	if err != nil || len(surplus) == 0 {
		return true, refused(err)
	}
	return true, h.prune(ctx, want, live)
}

// prune removes what an apply has left in lists of ours.
func (h *Host) prune(ctx context.Context, want, live client.Object) error {
	if err := h.live.Get(ctx, client.ObjectKeyFromObject(want), live); err != nil {
		return err
	}
	_, surplus, err := difference(want, live)
	if err != nil || len(surplus) == 0 {
		return err
	}
	return h.patch(ctx, live, removals(surplus))
}

// patch changes an object as it was looked at.
func (h *Host) patch(ctx context.Context, live client.Object, operations []operation) error {
	guard := operation{Op: "test", Path: "/metadata/resourceVersion", Value: live.GetResourceVersion()}
	patch, err := json.Marshal(append([]operation{guard}, operations...))
	if err != nil {
		return err
	}
	err = h.client.Patch(ctx, live, client.RawPatch(types.JSONPatchType, patch), client.FieldOwner(v1alpha1.FieldOwner))
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
