package apitest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// ErrKilled is what a write comes to when the controller has been killed.
var ErrKilled = errors.New("killed")

// Killable is a controller that can be killed at any of its writes to the API server.
type Killable struct {
	// Dead is set when it has been killed: it reaches nothing any more. Harmed is set when
	// something has been done to it, and stays set.
	Dead, Harmed atomic.Bool
	// Writes counts those to the API server, also those that came to nothing.
	Writes atomic.Int64
	// KillAt is the number of the write at which it is killed: before it is done or, with
	// KillAfter, after it. 1 is the first one, 0 is none.
	KillAt    int64
	KillAfter bool
}

// Restart brings it to life and returns its client of a server. It panics if the server's
// Config is wrong.
func (k *Killable) Restart(s *Server) client.WithWatch {
	api, err := client.NewWithWatch(s.Config, client.Options{Scheme: s.Scheme})
	if err != nil {
		panic(err)
	}
	k.Dead.Store(false)
	return AroundWrites(api, func(_ string, do func() error) error { return k.write(do) })
}

func (k *Killable) write(do func() error) error {
	n := k.Writes.Add(1)
	if k.Dead.Load() {
		return ErrKilled
	}
	if n != k.KillAt {
		return do()
	}
	k.Harmed.Store(true)
	k.Dead.Store(true)
	if k.KillAfter {
		return errors.Join(do(), ErrKilled)
	}
	return ErrKilled
}

// AroundWrites is a client whose writes pass through a function: it gets what is written,
// such as "create *v1.Secret" or "patch status of *v1alpha1.Cluster", and what does it.
func AroundWrites(api client.WithWatch, around func(what string, do func() error) error) client.WithWatch {
	return interceptor.NewClient(api, interceptor.Funcs{
		Create: func(ctx context.Context, api client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
			return around(fmt.Sprintf("create %T", obj), func() error { return api.Create(ctx, obj, opts...) })
		},
		Update: func(ctx context.Context, api client.WithWatch, obj client.Object, opts ...client.UpdateOption) error {
			return around(fmt.Sprintf("update %T", obj), func() error { return api.Update(ctx, obj, opts...) })
		},
		Patch: func(ctx context.Context, api client.WithWatch, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
			return around(fmt.Sprintf("patch %T", obj), func() error { return api.Patch(ctx, obj, patch, opts...) })
		},
		Apply: func(ctx context.Context, api client.WithWatch, obj runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
			return around(fmt.Sprintf("apply %T", obj), func() error { return api.Apply(ctx, obj, opts...) })
		},
		Delete: func(ctx context.Context, api client.WithWatch, obj client.Object, opts ...client.DeleteOption) error {
			return around(fmt.Sprintf("delete %T", obj), func() error { return api.Delete(ctx, obj, opts...) })
		},
		SubResourcePatch: func(ctx context.Context, api client.Client, sub string, obj client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
			return around(fmt.Sprintf("patch %s of %T", sub, obj), func() error { return api.SubResource(sub).Patch(ctx, obj, patch, opts...) })
		},
	})
}
