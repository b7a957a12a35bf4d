package clusters

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// again is how long to wait before a watch that ended is made anew.
const again = time.Second

// observer is told of every state of a cluster.
type observer interface {
	// observe gets nil when there is no such cluster, and says whether it has seen
	// enough.
	observe(cluster *v1alpha1.Cluster) (enough bool)
	// lost is told that the management cluster does not answer just now.
	lost(err error)
}

// follow tells o of a cluster's states until o has seen enough, and returns nil
// then, or the cause of the context's end.
//
// Only the first request may fail: after it, a management cluster that restarts
// is waited for, since the cluster goes on being created or deleted.
func follow(ctx context.Context, c client.WithWatch, key client.ObjectKey, clock clock.Clock, o observer) error {
	answered := false
	observe := func(cluster *v1alpha1.Cluster) bool {
		answered = true
		return o.observe(cluster)
	}
	for {
		enough, err := followOnce(ctx, c, key, observe)
		switch {
		case enough:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil && (!answered || isFinal(err)):
			return err
		case err != nil && !apierrors.IsResourceExpired(err) && !apierrors.IsGone(err):
			o.lost(err)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-clock.After(again):
		}
	}
}

// followOnce lists and watches until the watch ends, which it may at any time.
func followOnce(ctx context.Context, c client.WithWatch, key client.ObjectKey, observe func(*v1alpha1.Cluster) bool) (enough bool, err error) {
	one := []client.ListOption{
		client.InNamespace(key.Namespace),
		client.MatchingFieldsSelector{Selector: fields.OneTermEqualSelector(metav1.ObjectNameField, key.Name)},
	}
	var list v1alpha1.ClusterList
	if err := c.List(ctx, &list, one...); err != nil {
		return false, err
	}
	var present *v1alpha1.Cluster
	if len(list.Items) > 0 {
		present = &list.Items[0]
	}
	if observe(present) {
		return true, nil
	}

	from := &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: list.ResourceVersion}}
	w, err := c.Watch(ctx, &v1alpha1.ClusterList{}, append(one, from)...)
	if err != nil {
		return false, err
	}
	defer w.Stop()
	for event := range w.ResultChan() {
		if event.Type == watch.Error {
			return false, apierrors.FromObject(event.Object)
		}
		cluster, ok := event.Object.(*v1alpha1.Cluster)
		if !ok {
			return false, fmt.Errorf("the management cluster sent a %T instead of a cluster", event.Object)
		}
		switch event.Type {
		case watch.Bookmark:
			continue
		case watch.Deleted:
			cluster = nil
		}
		if observe(cluster) {
			return true, nil
		}
	}
	return false, nil
}

// isFinal is an answer that will be the same the next time.
func isFinal(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) || apierrors.IsNotFound(err)
}
