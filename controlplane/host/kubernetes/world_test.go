package kubernetes

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/controlplane/host"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// world is a namespace of its own in the cluster.
type world struct {
	testing.TB
	// api is somebody else's client: a person's, a kubelet's.
	api       client.WithWatch
	namespace string

	mu sync.Mutex
	// sick are pods by name that do not become ready, or everybody.
	sick map[string]bool
	// lonely is true while pods become ready only as the first of their Component.
	lonely bool
}

// everybody is sick instead of a pod.
const everybody = "*"

var worlds atomic.Int32

func newWorld(t testing.TB) *world {
	t.Helper()
	api, err := client.NewWithWatch(config, client.Options{Scheme: clientgoscheme.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{TB: t, api: api, namespace: fmt.Sprintf("marina-test-%d", worlds.Add(1)), sick: map[string]bool{}}
	if err := grant(t.Context(), api); err != nil {
		t.Fatal(err)
	}
	w.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}})
	w.goOn(w.playKubelet)
	return w
}

// goOn does something every few milliseconds until the test ends.
func (w *world) goOn(do func(context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				do(ctx)
			}
		}
	}()
	w.Cleanup(func() { cancel(); <-done })
}

// playKubelet makes pods ready, unless they are sick. They are on no node, so that
// they are gone as soon as they are deleted.
func (w *world) playKubelet(ctx context.Context) {
	pods := &corev1.PodList{}
	if err := w.api.List(ctx, pods, client.InNamespace(w.namespace)); err != nil {
		return
	}
	for i := range pods.Items {
		p := &pods.Items[i]
		w.mu.Lock()
		sick := w.sick[p.Name] || w.sick[everybody] || w.lonely && !first(pods.Items, p)
		w.mu.Unlock()
		if p.DeletionTimestamp != nil || ready(p) || sick && len(p.Status.ContainerStatuses) > 0 {
			continue
		}
		status, started := corev1.ConditionTrue, true
		if sick {
			status, started = corev1.ConditionFalse, false
		}
		before := p.DeepCopy()
		p.Status.Phase = corev1.PodRunning
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: status, LastTransitionTime: metav1.Now()}}
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{
			Name: p.Spec.Containers[0].Name, Started: &started, Ready: !sick, Image: p.Spec.Containers[0].Image,
			State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}},
		}}
		// Whoever deletes it meanwhile is right.
		_ = w.api.Status().Patch(ctx, p, client.MergeFrom(before))
	}
}

// first reports whether no other pod of its Component is ready.
func first(pods []corev1.Pod, p *corev1.Pod) bool {
	return !slices.ContainsFunc(pods, func(o corev1.Pod) bool {
		return o.Name != p.Name && o.Labels[LabelComponent] == p.Labels[LabelComponent] && ready(&o)
	})
}

func (w *world) onlyFirst(lonely bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lonely = lonely
}

func (w *world) setSick(name string, sick bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sick[name] = sick
}

// Context is the test's.
func (w *world) Context() context.Context { return w.TB.Context() }

// await waits until a condition holds.
func (w *world) await(what string, holds func() error) {
	w.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(time.Minute)
	for {
		err := holds()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			w.Fatalf("after a minute still not: %s: %v", what, err)
		}
	}
}

func (w *world) create(o client.Object) {
	w.Helper()
	if err := w.api.Create(w.Context(), o); err != nil {
		w.Fatal(err)
	}
}

// get reads an object of the world from the API server.
func (w *world) get(o client.Object, name string) {
	w.Helper()
	if err := w.api.Get(w.Context(), client.ObjectKey{Namespace: w.namespace, Name: name}, o); err != nil {
		w.Fatal(err)
	}
}

// stateless is an API server's like.
func (w *world) stateless(e v1alpha1.ExposureSpec) component.Component {
	in := hostedInputs()
	in.Namespace, in.Hosting.Exposure = w.namespace, e
	return component.APIServer(in)
}

// stateful is etcd's like.
func (w *world) stateful() component.Component {
	c := etcd()
	c.Namespace = w.namespace
	return c
}

func (r *running) reserve(c component.Component) (component.Addresses, error) {
	return r.Reserve(r.Context(), host.ReservationOf(c))
}

var clusterIP = v1alpha1.ExposureSpec{Type: v1alpha1.ExposureClusterIP}
