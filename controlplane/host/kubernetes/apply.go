package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/controlplane/host"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// Apply implements host.Host:
//
//  1. the Services, and those that are not wanted any more
//  2. the NetworkPolicy and the PodDisruptionBudget, before there are pods
//  3. the copy of the Secret for images
//  4. the workload
//  5. for one with Data, the size of the volumes, those that will not come back, and the
//     next pod to be replaced
//
// Faults of 3 and of the volumes' size are a person's to mend and keep nothing else from
// being done.
func (h *Host) Apply(ctx context.Context, c component.Component) error {
	services, err := h.syncServices(ctx, host.ReservationOf(c))
	if err != nil {
		return err
	}
	if c.Data {
		if err := h.sync(ctx, headlessService(c), &corev1.Service{}); err != nil {
			return err
		}
	}
	if err := h.deleteServices(ctx, c, services); err != nil {
		return err
	}
	if err := h.sync(ctx, networkPolicy(c), &networkingv1.NetworkPolicy{}); err != nil {
		return err
	}
	if err := h.sync(ctx, disruptionBudget(c), &policyv1.PodDisruptionBudget{}); err != nil {
		return err
	}
	pullErr := h.syncPullSecret(ctx, c)
	if e := reconcile.As(pullErr); e != nil && e.Kind != reconcile.KindUser {
		return pullErr
	}
	if c.Data {
		return errors.Join(pullErr, h.applyStatefulSet(ctx, c))
	}
	return errors.Join(pullErr, h.applyDeployment(ctx, c, services))
}

func (h *Host) applyDeployment(ctx context.Context, c component.Component, services []*corev1.Service) error {
	replicas, err := h.replicasFor(ctx, c)
	if err != nil {
		return err
	}
	want, err := deployment(c, replicas)
	if err != nil {
		return err
	}
	notes := map[string]reserved{}
	for _, s := range services {
		notes[s.Name] = reservedOf(s)
	}
	if len(notes) > 0 {
		text, err := json.Marshal(notes)
		if err != nil {
			return err
		}
		setAnnotation(&want.ObjectMeta, AnnotationReserved, string(text))
	}
	h.remember(c, want.Spec.Template)
	return h.sync(ctx, want, &appsv1.Deployment{})
}

func (h *Host) applyStatefulSet(ctx context.Context, c component.Component) error {
	live := &appsv1.StatefulSet{}
	s := storageOf(c)
	err := h.client.Get(ctx, client.ObjectKey{Namespace: c.Namespace, Name: c.Name}, live)
	switch {
	case err == nil && len(live.Spec.VolumeClaimTemplates) > 0:
		claim := live.Spec.VolumeClaimTemplates[0]
		s = storage{size: claim.Spec.Resources.Requests[corev1.ResourceStorage], class: claim.Spec.StorageClassName, labels: claim.Labels}
	case client.IgnoreNotFound(err) != nil:
		return err
	}
	want, err := statefulSet(c, s)
	if err != nil {
		return err
	}
	h.remember(c, want.Spec.Template)
	if err := h.sync(ctx, want, live); err != nil {
		return err
	}
	// Whether that has been taken up is for the next step to see. That something was
	// written says nothing: where an admission webhook has its own idea of the object, it
	// is written each time and stays what it was.
	return errors.Join(h.growVolumes(ctx, c), h.abandonVolumes(ctx, c), h.replacePod(ctx, c, want.Spec.Template.Annotations[AnnotationTemplate]))
}

// remember notes what is about to be applied: the caches show it later, and until then
// nothing runs it.
func (h *Host) remember(c component.Component, template corev1.PodTemplateSpec) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.applied[types.NamespacedName{Namespace: c.Namespace, Name: c.Name}] = goal{
		replicas: c.Replicas, template: template.Annotations[AnnotationTemplate],
	}
}

// deleteServices deletes the Services of ports that are not balanced any more.
func (h *Host) deleteServices(ctx context.Context, c component.Component, wanted []*corev1.Service) error {
	list := &corev1.ServiceList{}
	if err := h.client.List(ctx, list, client.InNamespace(c.Namespace), client.MatchingLabels(selectorOf(c.Name))); err != nil {
		return err
	}
	for i := range list.Items {
		s := &list.Items[i]
		if s.DeletionTimestamp != nil || c.Data && s.Name == c.Name ||
			slices.ContainsFunc(wanted, func(w *corev1.Service) bool { return w.Name == s.Name }) {
			continue
		}
		if err := h.client.Delete(ctx, s, client.Preconditions{UID: &s.UID}); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("deleting Service %s: %w", client.ObjectKeyFromObject(s), err)
		}
	}
	return nil
}

// growVolumes asks for larger volumes where the Component does. None gets smaller.
func (h *Host) growVolumes(ctx context.Context, c component.Component) error {
	claims, err := h.claims(ctx, c.Namespace, c.Name)
	if err != nil {
		return err
	}
	for i := range claims {
		claim := &claims[i]
		size := claim.Spec.Resources.Requests[corev1.ResourceStorage]
		if claim.DeletionTimestamp != nil || size.Cmp(c.DataSize) >= 0 {
			continue
		}
		before := claim.DeepCopy()
		claim.Spec.Resources.Requests[corev1.ResourceStorage] = c.DataSize
		err := h.client.Patch(ctx, claim, client.MergeFrom(before))
		if apierrors.IsForbidden(err) || apierrors.IsInvalid(err) {
			return reconcile.UserError("VolumeNotResized", "PersistentVolumeClaim %s cannot grow from %s to %s: %v", client.ObjectKeyFromObject(claim), size.String(), c.DataSize.String(), err)
		}
		if client.IgnoreNotFound(err) != nil {
			return err
		}
	}
	return nil
}

// claims are the claims of the replicas of a Component.
func (h *Host) claims(ctx context.Context, namespace, name string) ([]corev1.PersistentVolumeClaim, error) {
	list := &corev1.PersistentVolumeClaimList{}
	err := h.client.List(ctx, list, client.InNamespace(namespace), client.MatchingLabels(selectorOf(name)))
	return list.Items, err
}
