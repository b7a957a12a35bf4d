package kubernetes

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// pullSecretOf is the name of the Secret that the pods of a Component pull their images
// with: a copy of their own where the original is in another namespace.
func pullSecretOf(c component.Component) string {
	if c.Hosting.ImagePullSecret == "" || c.Namespace == v1alpha1.SystemNamespace {
		return c.Hosting.ImagePullSecret
	}
	return c.Name + "-image-pull"
}

// syncPullSecret keeps the copy up to date.
func (h *Host) syncPullSecret(ctx context.Context, c component.Component) error {
	name := pullSecretOf(c)
	if name == c.Hosting.ImagePullSecret {
		return nil
	}
	original := &corev1.Secret{}
	key := client.ObjectKey{Namespace: v1alpha1.SystemNamespace, Name: c.Hosting.ImagePullSecret}
	if err := h.original(ctx, key, original); apierrors.IsNotFound(err) {
		return reconcile.UserError("ImagePullSecretMissing", "there is no Secret %s of a type for images, which the HostingClass names as imagePullSecret", key)
	} else if err != nil {
		return fmt.Errorf("reading Secret %s: %w", key, err)
	}
	return h.sync(ctx, &corev1.Secret{ObjectMeta: metaOf(c, name), Type: original.Type, Data: original.Data}, &corev1.Secret{})
}

// original reads a Secret for images.
func (h *Host) original(ctx context.Context, key client.ObjectKey, into *corev1.Secret) error {
	h.mu.Lock()
	foreign := h.foreign
	h.mu.Unlock()
	if foreign == nil {
		return h.live.Get(ctx, key, into)
	}
	err := foreign.Get(ctx, key, into)
	if notStarted(err) {
		return h.live.Get(ctx, key, into)
	}
	return err
}
