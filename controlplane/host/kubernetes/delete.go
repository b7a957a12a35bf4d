package kubernetes

import (
	"context"
	"errors"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// removalGrace is how long a pod may take to stop that nobody will start again: an API
// server that has lost its etcd would use all of its own grace.
const removalGrace = 5 * time.Second

// Delete implements host.Host. What the caches hold is deleted until they hold nothing;
// then the API server is asked whether that is all.
func (h *Host) Delete(ctx context.Context, namespace, name string) (gone bool, err error) {
	for _, reader := range []client.Reader{h.client, h.live} {
		left, err := h.deleteAll(ctx, reader, namespace, name)
		if err != nil || left {
			return false, err
		}
	}
	key := types.NamespacedName{Namespace: namespace, Name: name}
	h.growth.done(key)
	h.mu.Lock()
	delete(h.applied, key)
	h.mu.Unlock()
	return true, nil
}

// deleteAll deletes what a reader finds of a Component, and reports whether that was
// anything.
func (h *Host) deleteAll(ctx context.Context, reader client.Reader, namespace, name string) (left bool, err error) {
	var found []client.Object
	workload, pods := false, false
	if err := h.each(ctx, reader, namespace, name, func(o client.Object) {
		found = append(found, o)
		switch o.(type) {
		case *appsv1.Deployment, *appsv1.StatefulSet:
			workload = true
		case *corev1.Pod:
			pods = true
		}
	}); err != nil {
		return true, err
	}
	if !workload {
		sets, err := h.orphans(ctx, namespace, name)
		if err != nil {
			return true, err
		}
		found = append(found, sets...)
	}
	var errs []error
	for _, o := range found {
		switch o.(type) {
		case *corev1.Pod:
			if workload && o.GetDeletionTimestamp() == nil {
				// It would only be made again. The workload's deletion takes it along.
				continue
			}
		case *networkingv1.NetworkPolicy:
			if pods {
				// It protects them until they are gone.
				continue
			}
		}
		errs = append(errs, h.remove(ctx, o))
	}
	return len(found) > 0, errors.Join(errs...)
}

// orphans are the ReplicaSets of a Deployment that somebody has deleted without them: they
// make pods for as long as they are there.
func (h *Host) orphans(ctx context.Context, namespace, name string) (found []client.Object, err error) {
	sets := &metav1.PartialObjectMetadataList{}
	sets.SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("ReplicaSetList"))
	if err := h.live.List(ctx, sets, client.InNamespace(namespace), client.MatchingLabels(selectorOf(name))); err != nil {
		return nil, err
	}
	for i := range sets.Items {
		sets.Items[i].SetGroupVersionKind(appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))
		found = append(found, &sets.Items[i])
	}
	return found, nil
}

// each calls f with every object of a Component that a reader finds.
func (h *Host) each(ctx context.Context, reader client.Reader, namespace, name string, f func(client.Object)) error {
	for _, kind := range Kinds() {
		gvk, err := h.client.GroupVersionKindFor(kind)
		if err != nil {
			return err
		}
		gvk.Kind += "List"
		made, err := h.client.Scheme().New(gvk)
		if err != nil {
			return err
		}
		list := made.(client.ObjectList)
		if err := reader.List(ctx, list, client.InNamespace(namespace), client.MatchingLabels(selectorOf(name))); err != nil {
			return err
		}
		if err := meta.EachListItem(list, func(o runtime.Object) error {
			f(o.(client.Object))
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// remove deletes an object, and before it what it has made.
func (h *Host) remove(ctx context.Context, o client.Object) error {
	uid := o.GetUID()
	options := []client.DeleteOption{client.Preconditions{UID: &uid}}
	leaves := o.GetDeletionTimestamp() != nil
	switch o := o.(type) {
	case *corev1.Pod:
		options = append(options, client.GracePeriodSeconds(removalGrace/time.Second))
		leaves = leaves && ptr.Deref(o.DeletionGracePeriodSeconds, 0) <= int64(removalGrace/time.Second)
	case *appsv1.Deployment, *appsv1.StatefulSet, *metav1.PartialObjectMetadata:
		options = append(options, client.PropagationPolicy(metav1.DeletePropagationForeground))
	}
	if leaves {
		return nil
	}
	err := h.client.Delete(ctx, o, options...)
	if apierrors.IsConflict(err) {
		// It is another one by now, which is seen in a moment.
		return nil
	}
	return client.IgnoreNotFound(err)
}
