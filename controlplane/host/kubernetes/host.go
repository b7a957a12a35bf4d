package kubernetes

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/controlplane/host"
)

// Options are what a Host needs.
type Options struct {
	// Client reads from caches that hold Kinds.
	Client client.Client
	// Live reads from the API server, where what is decided must not rest on a cache.
	Live client.Reader
	Log  logr.Logger
}

// Host implements host.Host.
type Host struct {
	client client.Client
	live   client.Reader
	log    logr.Logger
	now    func() time.Time

	mu          sync.Mutex
	subscribers []func(namespace, name string)
	// applied is what was applied since this Host began, which the caches may not have
	// seen yet.
	applied map[types.NamespacedName]goal
	// waiting is since when Services that were lost wait for their addresses.
	waiting map[types.NamespacedName]time.Time
	// growth says who may start more than its first replica.
	growth *growth
	// foreign holds what somebody else makes: the Secrets for images in marina-system,
	// and nodes. It is nil before SetupWithManager.
	foreign client.Reader
}

var _ host.Host = (*Host)(nil)

// goal is what Status measures by.
type goal struct {
	replicas int
	// template is what each pod has as AnnotationTemplate.
	template string
}

// New returns a Host.
func New(o Options) *Host {
	h := &Host{client: o.Client, live: o.Live, log: o.Log, now: time.Now, applied: map[types.NamespacedName]goal{}, waiting: map[types.NamespacedName]time.Time{}}
	h.growth = newGrowth(h.countNodes, func(key types.NamespacedName) { h.notify(key.Namespace, key.Name) })
	return h
}

// Kinds are what a Host reads from caches. Objects that it makes have the labels of
// their Component.
func Kinds() []client.Object {
	return []client.Object{
		&appsv1.Deployment{}, &appsv1.StatefulSet{}, &corev1.Pod{}, &corev1.PersistentVolumeClaim{},
		&corev1.Service{}, &corev1.Secret{}, &policyv1.PodDisruptionBudget{}, &networkingv1.NetworkPolicy{},
	}
}

// SetupWithManager makes the Host notice what happens to its objects.
func (h *Host) SetupWithManager(mgr ctrl.Manager) error {
	for _, kind := range Kinds() {
		informer, err := mgr.GetCache().GetInformer(context.Background(), kind, cache.BlockUntilSynced(false))
		if err != nil {
			return fmt.Errorf("watching %T: %w", kind, err)
		}
		if _, err := informer.AddEventHandler(handle(h.changed)); err != nil {
			return err
		}
	}
	return h.watchForeign(mgr)
}

// handle calls changed with every object that is new, is another one than before, or is
// gone.
func handle(changed func(client.Object)) toolscache.ResourceEventHandlerFuncs {
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc: func(o any) { changed(o.(client.Object)) },
		UpdateFunc: func(before, o any) {
			if o := o.(client.Object); o.GetResourceVersion() != before.(client.Object).GetResourceVersion() {
				changed(o)
			}
		},
		DeleteFunc: func(o any) {
			if last, ok := o.(toolscache.DeletedFinalStateUnknown); ok {
				o = last.Obj
			}
			changed(o.(client.Object))
		},
	}
}

// changed tells the subscribers about the Component of an object.
func (h *Host) changed(o client.Object) {
	name := o.GetLabels()[LabelComponent]
	if name == "" {
		return
	}
	if d, ok := o.(*appsv1.Deployment); ok && stageOf(d) == stageAll && int(d.Status.ReadyReplicas) >= replicasOf(d.Spec.Replicas) {
		h.growth.done(client.ObjectKeyFromObject(d))
	}
	h.notify(o.GetNamespace(), name)
}

// Subscribe implements host.Host.
func (h *Host) Subscribe(notify func(namespace, name string)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.subscribers = append(h.subscribers, notify)
}

func (h *Host) notify(namespace, name string) {
	h.mu.Lock()
	subscribers := h.subscribers
	h.mu.Unlock()
	for _, tell := range subscribers {
		tell(namespace, name)
	}
}
