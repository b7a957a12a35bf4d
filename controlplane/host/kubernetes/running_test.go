package kubernetes

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// counting counts writes.
type counting struct {
	client.Client
	writes atomic.Int64
}

func (c *counting) Create(ctx context.Context, o client.Object, opts ...client.CreateOption) error {
	c.writes.Add(1)
	return c.Client.Create(ctx, o, opts...)
}

func (c *counting) Update(ctx context.Context, o client.Object, opts ...client.UpdateOption) error {
	c.writes.Add(1)
	return c.Client.Update(ctx, o, opts...)
}

func (c *counting) Patch(ctx context.Context, o client.Object, p client.Patch, opts ...client.PatchOption) error {
	c.writes.Add(1)
	return c.Client.Patch(ctx, o, p, opts...)
}

func (c *counting) Apply(ctx context.Context, o runtime.ApplyConfiguration, opts ...client.ApplyOption) error {
	c.writes.Add(1)
	return c.Client.Apply(ctx, o, opts...)
}

func (c *counting) Delete(ctx context.Context, o client.Object, opts ...client.DeleteOption) error {
	c.writes.Add(1)
	return c.Client.Delete(ctx, o, opts...)
}

// running is a Host in a manager, and who uses it: a controller that applies one
// Component whenever the Host tells of a change.
type running struct {
	*world
	*Host
	counter *counting
	end     func()

	mu      sync.Mutex
	wanted  *component.Component
	lastErr error
	wake    chan struct{}
}

// run starts a Host. It is ended with the test, or by end.
func (w *world) run() *running {
	w.Helper()
	byObject := map[client.Object]cache.ByObject{}
	for _, kind := range Kinds() {
		byObject[kind] = cache.ByObject{Label: labels.SelectorFromSet(labels.Set{v1alpha1.LabelShard: v1alpha1.DefaultShard})}
	}
	mgr, err := ctrl.NewManager(restricted(), ctrl.Options{
		Scheme: clientgoscheme.Scheme, Metrics: metricsserver.Options{BindAddress: "0"}, Logger: logr.Discard(),
		Cache: cache.Options{ByObject: byObject, DefaultTransform: cache.TransformStripManagedFields()},
	})
	if err != nil {
		w.Fatal(err)
	}
	r := &running{world: w, counter: &counting{Client: mgr.GetClient()}, wake: make(chan struct{}, 1)}
	r.Host = New(Options{Client: r.counter, Live: mgr.GetAPIReader(), Log: logr.Discard()})
	if err := r.SetupWithManager(mgr); err != nil {
		w.Fatal(err)
	}
	r.Subscribe(func(namespace, _ string) {
		if namespace == w.namespace {
			r.poke()
		}
	})
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := mgr.Start(ctx); err != nil {
			w.Errorf("the manager ended: %v", err)
		}
	})
	if !mgr.GetCache().WaitForCacheSync(ctx) {
		w.Fatal("the caches do not fill")
	}
	<-mgr.Elected()
	wg.Go(func() { r.control(ctx) })
	r.end = sync.OnceFunc(func() { cancel(); wg.Wait() })
	w.Cleanup(r.end)
	return r
}

func (r *running) poke() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// control applies what is wanted whenever it is woken.
func (r *running) control(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
		}
		r.mu.Lock()
		if r.wanted != nil {
			if r.lastErr = r.Apply(ctx, *r.wanted); r.lastErr != nil {
				time.AfterFunc(50*time.Millisecond, r.poke)
			}
		}
		r.mu.Unlock()
	}
}

// want changes what is applied; nil for nothing.
func (r *running) want(c *component.Component) {
	if c != nil {
		// The test goes on to change its own.
		copied := *c
		c = &copied
	}
	r.mu.Lock()
	r.wanted = c
	r.mu.Unlock()
	r.poke()
}

// settle waits until the Component is done, everything is seen, and nothing is written
// any more.
func (r *running) settle(c component.Component) {
	r.Helper()
	r.want(&c)
	r.await("it is done", func() error {
		s, err := r.Status(r.Context(), c.Namespace, c.Name)
		if err != nil || s.Done() {
			return err
		}
		return fmt.Errorf("status %+v", s)
	})
	r.unwritten(c)
}

// unwritten waits until nothing is written any more.
func (r *running) unwritten(c component.Component) {
	r.Helper()
	r.want(&c)
	r.await("nothing is written any more", func() error {
		before := r.counter.writes.Load()
		if err := r.applyOnce(c); err != nil {
			return err
		}
		if n := r.counter.writes.Load() - before; n > 0 {
			return fmt.Errorf("%d writes", n)
		}
		return nil
	})
}

// applyOnce applies while nobody else does.
func (r *running) applyOnce(c component.Component) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.Apply(r.Context(), c)
}
