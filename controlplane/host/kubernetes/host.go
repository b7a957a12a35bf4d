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
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/controlplane/host"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
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
	// pulls holds the Secrets for images in marina-system; nil before
	// SetupWithManager.
	pulls client.Reader
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
	return &Host{client: o.Client, live: o.Live, log: o.Log, now: time.Now, applied: map[types.NamespacedName]goal{}}
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
	// Somebody else makes these Secrets, without the labels by which the manager's own
	// cache is limited.
	pulls, err := cache.New(mgr.GetConfig(), cache.Options{
		Scheme: mgr.GetScheme(), Mapper: mgr.GetRESTMapper(), HTTPClient: mgr.GetHTTPClient(),
		DefaultNamespaces: map[string]cache.Config{v1alpha1.SystemNamespace: {}},
		ByObject: map[client.Object]cache.ByObject{&corev1.Secret{}: {
			Field: fields.OneTermEqualSelector("type", string(corev1.SecretTypeDockerConfigJson)),
		}},
		DefaultTransform: cache.TransformStripManagedFields(),
	})
	if err != nil {
		return err
	}
	informer, err := pulls.GetInformer(context.Background(), &corev1.Secret{}, cache.BlockUntilSynced(false))
	if err != nil {
		return err
	}
	if _, err := informer.AddEventHandler(handle(h.pullSecretChanged)); err != nil {
		return err
	}
	h.mu.Lock()
	h.pulls = pulls
	h.mu.Unlock()
	return mgr.Add(pulls)
}

// handle calls changed with every object that is new, is another one than before, or is
// gone.
func handle(changed func(client.Object)) toolscache.ResourceEventHandler {
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
	if name := o.GetLabels()[LabelComponent]; name != "" {
		h.notify(o.GetNamespace(), name)
	}
}

// pullSecretChanged tells about all Components: who uses it is seen by them.
func (h *Host) pullSecretChanged(client.Object) {
	h.mu.Lock()
	keys := make([]types.NamespacedName, 0, len(h.applied))
	for key := range h.applied {
		keys = append(keys, key)
	}
	h.mu.Unlock()
	for _, key := range keys {
		h.notify(key.Namespace, key.Name)
	}
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
