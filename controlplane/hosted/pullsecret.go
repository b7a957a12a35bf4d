package hosted

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlreconcile "sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// addonPullSecret is what nodes show to the registry of the add-ons; nil if nothing.
func (r *Reconciler) addonPullSecret(ctx context.Context, hcp *v1alpha1.HostedControlPlane) ([]byte, error) {
	name := hcp.Spec.Addons.ImagePullSecret
	if name == "" {
		return nil, nil
	}
	secret := &corev1.Secret{}
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: v1alpha1.SystemNamespace, Name: name}, secret)
	if client.IgnoreNotFound(err) != nil {
		return nil, err
	}
	content := secret.Data[corev1.DockerConfigJsonKey]
	if apierrors.IsNotFound(err) || content == nil {
		return nil, reconcile.UserError("ImagePullSecretMissing",
			"there is no Secret %s/%s of the type %s with the label %s: %s, which the HostingClass names as addons.imagePullSecret",
			v1alpha1.SystemNamespace, name, corev1.SecretTypeDockerConfigJson, v1alpha1.LabelShard, v1alpha1.DefaultShard)
	}
	return content, nil
}

// usersOfPullSecret are the control planes whose add-ons are pulled with a Secret.
func (r *Reconciler) usersOfPullSecret(ctx context.Context, secret client.Object) []ctrlreconcile.Request {
	if secret.GetNamespace() != v1alpha1.SystemNamespace || secret.(*corev1.Secret).Type != corev1.SecretTypeDockerConfigJson {
		return nil
	}
	all := &v1alpha1.HostedControlPlaneList{}
	if err := r.Client.List(ctx, all); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Listing control planes")
		return nil
	}
	var requests []ctrlreconcile.Request
	for i := range all.Items {
		if all.Items[i].Spec.Addons.ImagePullSecret == secret.GetName() {
			requests = append(requests, ctrlreconcile.Request{NamespacedName: client.ObjectKeyFromObject(&all.Items[i])})
		}
	}
	return requests
}
