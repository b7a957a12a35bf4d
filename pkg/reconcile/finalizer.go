package reconcile

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// SetFinalizer writes the finalizers of obj if change, of controllerutil, changes them, and
// makes them known to before, so that the status patch does not contain them. The write fails
// when obj is not the newest: what was decided on an old one may be wrong.
func SetFinalizer(ctx context.Context, c client.Client, obj, before client.Object, change func(client.Object, string) bool, finalizer string) error {
	// A copy, because the answer would overwrite the status that this pass computes.
	changed := before.DeepCopyObject().(client.Object)
	if !change(changed, finalizer) {
		return nil
	}
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := c.Patch(ctx, changed, patch, client.FieldOwner(v1alpha1.FieldOwner)); err != nil {
		return err
	}
	for _, known := range []client.Object{obj, before} {
		known.SetFinalizers(changed.GetFinalizers())
		known.SetResourceVersion(changed.GetResourceVersion())
	}
	return nil
}

// Overtaken reports whether a write was refused because the pass had an old copy of
// its object. That says nothing about the object and is no matter for its status:
// the newest copy is on its way to the cache.
func Overtaken(err error) bool { return apierrors.IsConflict(err) }

// Again is what a pass returns that was overtaken.
func Again() ctrl.Result { return ctrl.Result{RequeueAfter: time.Second} }
