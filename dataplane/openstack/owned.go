package openstack

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/types"
)

// OwnerKey is what the description of an object says that is made for a Cluster: of which
// one it is, by UID, and what it is there. By it, and never by its name, an object is found
// again, adopted and deleted.
func OwnerKey(cluster types.UID, role string) string {
	return fmt.Sprintf("marina.dev/cluster-uid=%s role=%s", cluster, role)
}

// Owned is how objects of one kind that have an owner key are handled. Its functions
// return errors of the type *Error.
type Owned[T any] struct {
	// ID is that of an object.
	ID func(*T) string
	// Find lists those with the key, in the project.
	Find func(context.Context) ([]T, error)
	// Get reads one by its id.
	Get func(context.Context, string) (*T, error)
	// Create makes one with the key. It is never called again before Find was.
	Create func(context.Context) (*T, error)
	// Mark writes the key again on one that somebody has taken it off.
	Mark func(ctx context.Context, id string) error
	// Delete deletes one.
	Delete func(ctx context.Context, id string) error
}

// Ensure returns the one object, and makes it if there is none. The id is that of the one
// that was used before, if that is known.
//
// An answer may have been lost, and what was asked for may be done later than it was looked
// for, so that there may be several: the known one is kept or, before anything is known, one
// that is in use.
func (o Owned[T]) Ensure(ctx context.Context, id string) (*T, error) {
	found, err := o.All(ctx, id)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return o.Create(ctx)
	}
	keep := slices.IndexFunc(found, func(t T) bool { return o.ID(&t) == id })
	for i := range found {
		if i == keep || keep < 0 && i == len(found)-1 {
			keep = i
			continue
		}
		switch err := o.Delete(ctx, o.ID(&found[i])); {
		case err == nil, IsKind(err, NotFound):
		case !IsKind(err, Conflict):
			return nil, err
		case keep < 0:
			keep = i
		}
	}
	return &found[keep], nil
}

// All are those with the key, and the known one, which gets its key back.
func (o Owned[T]) All(ctx context.Context, id string) ([]T, error) {
	found, err := o.Find(ctx)
	if err != nil || id == "" || slices.ContainsFunc(found, func(t T) bool { return o.ID(&t) == id }) {
		return found, err
	}
	known, err := o.Get(ctx, id)
	if IsKind(err, NotFound) {
		return found, nil
	}
	if err != nil {
		return nil, err
	}
	if err := o.Mark(ctx, id); err != nil {
		return nil, err
	}
	return append(found, *known), nil
}
