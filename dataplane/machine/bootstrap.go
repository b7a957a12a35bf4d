package machine

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// ensureBootstrap asks for what the node joins with, and waits for it. One of which more than
// a tenth of its time has passed makes place for another: a server may take all of it.
func (r *Reconciler) ensureBootstrap(ctx context.Context, s *scope) error {
	m := s.machine
	b := &v1alpha1.NodeBootstrap{}
	err := r.Client.Get(ctx, client.ObjectKeyFromObject(m), b)
	if apierrors.IsNotFound(err) {
		if _, err := reconcile.CreateIfAbsent(ctx, r.Client, newBootstrap(m)); err != nil {
			return err
		}
		return reconcile.Wait("WaitingForBootstrap", "what the node joins with is being made")
	} else if err != nil {
		return err
	}
	switch {
	case !metav1.IsControlledBy(b, m):
		return reconcile.WaitFor(busyInterval, "BootstrapTaken", "the NodeBootstrap %s is not of this Machine: delete it, if it does not go by itself", b.Name)
	case b.DeletionTimestamp != nil:
		return reconcile.Wait("WaitingForBootstrap", "what an earlier server was to join with is being revoked")
	}
	if end, ttl := b.Status.ExpirationTime, time.Duration(b.Spec.TTLSeconds)*time.Second; end != nil && end.Sub(r.Now()) < ttl-ttl/10 {
		if err := r.deleteBootstrap(ctx, b); err != nil {
			return err
		}
		return reconcile.Wait("WaitingForBootstrap", "what the node joins with is made anew, as it would end too early")
	}
	if !reconcile.IsTrue(b.Status.Conditions, v1alpha1.ConditionReady) {
		return reconcile.Wait("WaitingForBootstrap", "what the node joins with is being made")
	}
	return nil
}

func newBootstrap(m *v1alpha1.Machine) *v1alpha1.NodeBootstrap {
	return &v1alpha1.NodeBootstrap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: m.Namespace, Name: m.Name,
			Labels: map[string]string{v1alpha1.LabelShard: v1alpha1.DefaultShard, v1alpha1.LabelClusterUID: string(m.Spec.ClusterRef.UID)},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: v1alpha1.GroupVersion.String(), Kind: "Machine", Name: m.Name, UID: m.UID, Controller: ptr.To(true),
			}},
		},
		Spec: v1alpha1.NodeBootstrapSpec{NodeName: m.Name, TTLSeconds: m.Spec.CreationTimeoutSeconds},
	}
}

// bootstrapSecret is what the NodeBootstrap has come to.
func (r *Reconciler) bootstrapSecret(ctx context.Context, s *scope) (*corev1.Secret, error) {
	b := &v1alpha1.NodeBootstrap{}
	if err := r.Client.Get(ctx, client.ObjectKeyFromObject(s.machine), b); err != nil {
		return nil, err
	}
	secret := &corev1.Secret{}
	if err := r.Live.Get(ctx, client.ObjectKey{Namespace: b.Namespace, Name: b.Status.SecretName}, secret); err != nil {
		return nil, err
	}
	return secret, nil
}

// removeBootstrap deletes the NodeBootstrap, if there is one.
func (r *Reconciler) removeBootstrap(ctx context.Context, s *scope) error {
	b := &v1alpha1.NodeBootstrap{}
	if err := r.Client.Get(ctx, client.ObjectKeyFromObject(s.machine), b); err != nil {
		return client.IgnoreNotFound(err)
	}
	if b.DeletionTimestamp != nil || !metav1.IsControlledBy(b, s.machine) {
		return nil
	}
	return r.deleteBootstrap(ctx, b)
}

func (r *Reconciler) deleteBootstrap(ctx context.Context, b *v1alpha1.NodeBootstrap) error {
	return client.IgnoreNotFound(r.Client.Delete(ctx, b, client.Preconditions{UID: ptr.To(b.UID)}))
}
