// Package waiting follows one object until it is as somebody wants it to be, or
// the time is over.
//
// It knows no kind.
package waiting

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Again is how long to wait before a watch that ended is made anew.
const Again = time.Second

// ErrSilent is an error of Follow when its context ends, beside the cause, if the
// management cluster did not answer then.
var ErrSilent = errors.New("the management cluster does not answer")

// Observer is told of every state of an object.
type Observer[T client.Object] interface {
	// Observe gets nil when there is no such object, and says whether it has seen
	// enough.
	Observe(object T) (enough bool)
	// Lost is told that the management cluster does not answer just now.
	Lost(err error)
}

// Follow tells o of an object's states until o has seen enough, and returns nil
// then, or the cause of the context's end. List is an empty list of the kind.
//
// Only the first request may fail: after it, a management cluster that restarts
// is waited for, since what is waited for goes on.
func Follow[T client.Object](ctx context.Context, c client.WithWatch, key client.ObjectKey, list client.ObjectList, clock clock.Clock, o Observer[T]) error {
	if ctx.Err() != nil {
		return context.Cause(ctx) // it was not even asked
	}
	var answered, silent bool
	observe := func(object T) bool {
		answered, silent = true, false
		return o.Observe(object)
	}
	for {
		silent = true
		enough, err := followOnce(ctx, c, key, list, observe)
		switch {
		case enough:
			return nil
		case ctx.Err() != nil:
			return ended(ctx, silent)
		case err != nil && (!answered || isFinal(err)):
			return err
		case err != nil && !apierrors.IsResourceExpired(err) && !apierrors.IsGone(err):
			silent = true
			o.Lost(err)
		}
		select {
		case <-ctx.Done():
			return ended(ctx, silent)
		case <-clock.After(Again):
		}
	}
}

func ended(ctx context.Context, silent bool) error {
	if silent {
		return errors.Join(context.Cause(ctx), ErrSilent)
	}
	return context.Cause(ctx)
}

// followOnce lists and watches until the watch ends, which it may at any time.
func followOnce[T client.Object](ctx context.Context, c client.WithWatch, key client.ObjectKey, empty client.ObjectList, observe func(T) bool) (enough bool, err error) {
	one := []client.ListOption{
		client.InNamespace(key.Namespace),
		client.MatchingFieldsSelector{Selector: fields.OneTermEqualSelector(metav1.ObjectNameField, key.Name)},
	}
	list := empty.DeepCopyObject().(client.ObjectList)
	if err := c.List(ctx, list, one...); err != nil {
		return false, err
	}
	var present, none T
	err = meta.EachListItem(list, func(item runtime.Object) error {
		object, ok := item.(T)
		if !ok {
			return unexpected(item, none)
		}
		present = object
		return nil
	})
	if err != nil {
		return false, err
	}
	if observe(present) {
		return true, nil
	}

	from := &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: list.GetResourceVersion()}}
	w, err := c.Watch(ctx, empty.DeepCopyObject().(client.ObjectList), append(one, from)...)
	if err != nil {
		return false, err
	}
	defer w.Stop()
	for event := range w.ResultChan() {
		if event.Type == watch.Error {
			return false, apierrors.FromObject(event.Object)
		}
		object, ok := event.Object.(T)
		if !ok {
			return false, unexpected(event.Object, none)
		}
		switch event.Type {
		case watch.Bookmark:
			continue
		case watch.Deleted:
			object = none
		}
		if observe(object) {
			return true, nil
		}
	}
	return false, nil
}

func unexpected(got runtime.Object, want client.Object) error {
	return fmt.Errorf("the management cluster sent a %T instead of a %T", got, want)
}

// isFinal is an answer that will be the same the next time.
func isFinal(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) || apierrors.IsNotFound(err)
}
