package reconcile

import (
	"context"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// PatchStatus writes the status of obj in one patch, if it differs from that of
// before, an earlier copy of obj. An object that is gone is no error.
func PatchStatus(ctx context.Context, c client.Client, before, obj client.Object) error {
	return patchStatus(ctx, c, before, obj, client.MergeFrom(before))
}

// PatchStatusAsRead is PatchStatus for a status that is true only of the spec that it was found
// with: if obj has changed since it was read that is a conflict, and nothing is written.
func PatchStatusAsRead(ctx context.Context, c client.Client, before, obj client.Object) error {
	return patchStatus(ctx, c, before, obj, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
}

func patchStatus(ctx context.Context, c client.Client, before, obj client.Object, patch client.Patch) error {
	// One with a lock is never empty.
	if data, err := client.MergeFrom(before).Data(obj); err != nil {
		return err
	} else if string(data) == "{}" {
		return nil
	}
	if err := c.Status().Patch(ctx, obj, patch); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("writing status: %w", err)
	}
	return nil
}

// CreateIfAbsent creates obj unless it exists, and reports whether it did so.
func CreateIfAbsent(ctx context.Context, c client.Client, obj client.Object) (bool, error) {
	err := c.Create(ctx, obj, client.FieldOwner(v1alpha1.FieldOwner))
	if apierrors.IsAlreadyExists(err) {
		return false, nil
	}
	return err == nil, err
}

// Delete deletes obj, an object as it was read that the policy guarded-deletions.marina.dev
// guards: it says first that this is meant. One that is gone is no error; another one of its
// name stays.
func Delete(ctx context.Context, c client.Client, obj client.Object) error {
	return remove(ctx, c, obj, map[string]any{"uid": obj.GetUID()})
}

// DeleteAsRead is Delete for what must not have changed since it was read: then it is a
// conflict, and nothing is deleted.
func DeleteAsRead(ctx context.Context, c client.Client, obj client.Object) error {
	return remove(ctx, c, obj, map[string]any{"uid": obj.GetUID(), "resourceVersion": obj.GetResourceVersion()})
}

// remove deletes obj, of which metadata has to be as it says.
func remove(ctx context.Context, c client.Client, obj client.Object, metadata map[string]any) error {
	metadata["annotations"] = map[string]string{v1alpha1.AnnotationAllowDeletion: "true"}
	patch, err := json.Marshal(map[string]any{"metadata": metadata})
	if err != nil {
		return err
	}
	allowed := obj.DeepCopyObject().(client.Object)
	err = c.Patch(ctx, allowed, client.RawPatch(types.MergePatchType, patch), client.FieldOwner(v1alpha1.FieldOwner))
	if err != nil {
		return client.IgnoreNotFound(err)
	}
	only := client.Preconditions{UID: ptr.To(obj.GetUID())}
	if metadata["resourceVersion"] != nil {
		only.ResourceVersion = ptr.To(allowed.GetResourceVersion())
	}
	return client.IgnoreNotFound(c.Delete(ctx, allowed, only))
}

// Same reports whether live already has what is wanted: labels as a subset, and
// the part of the object that the caller owns, as the two arguments wantPart and
// livePart. A pass over an unchanged object uses it to write nothing.
func Same(want, live client.Object, wantPart, livePart any) bool {
	labels := live.GetLabels()
	for k, v := range want.GetLabels() {
		if labels[k] != v {
			return false
		}
	}
	return equality.Semantic.DeepEqual(wantPart, livePart)
}

// Apply writes obj by server-side apply as Marina's one field owner, and takes
// over what somebody else has set of it. Callers compare first, with Same: it is a
// write even when nothing changes. One with a resourceVersion replaces that version
// only, and is a conflict otherwise: for what was decided by what was there.
func Apply(ctx context.Context, c client.Client, obj client.Object) error {
	_, err := Applied(ctx, c, obj)
	return err
}

// Applied is Apply and returns the object as the API server answered it.
func Applied(ctx context.Context, c client.Client, obj client.Object) (*unstructured.Unstructured, error) {
	gvk, err := c.GroupVersionKindFor(obj)
	if err != nil {
		return nil, err
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	if err != nil {
		return nil, err
	}
	u := &unstructured.Unstructured{Object: content}
	u.SetGroupVersionKind(gvk)
	u.SetManagedFields(nil)
	unstructured.RemoveNestedField(u.Object, "metadata", "creationTimestamp")
	unstructured.RemoveNestedField(u.Object, "status")
	if err := c.Apply(ctx, client.ApplyConfigurationFromUnstructured(u), client.FieldOwner(v1alpha1.FieldOwner), client.ForceOwnership); err != nil {
		return nil, fmt.Errorf("applying %s %s: %w", gvk.Kind, client.ObjectKeyFromObject(obj), err)
	}
	return u, nil
}
