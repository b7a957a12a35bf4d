package hosted

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/controlplane/addon"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

const (
	// keepEvery is how long something that was changed or deleted in a tenant may stay
	// so. Looking costs one list of metadata for each kind, from the API server's cache:
	// 5 of them without add-ons on nodes, 12 with all.
	keepEvery = time.Minute
	// agentsEvery is how often agents are looked for while none is ready: one request.
	agentsEvery = 15 * time.Second
)

// keeper notices when what was applied in a tenant is not as it was, and whether
// konnectivity agents run. It writes nothing: it asks for a pass.
type keeper struct {
	client  client.Client
	log     logr.Logger
	changed func()
	// began is told when there is something to look for.
	began chan struct{}

	mu sync.Mutex
	// set and kept are what is to be there, and the digest of what Marina owns of it;
	// kept is empty before anything was applied.
	set  addon.Set
	kept string
	// lost is true when a look has found something else, until it is applied.
	lost  bool
	found *agents
}

// agents is what was seen of the konnectivity agents.
type agents struct{ ready int32 }

func newKeeper(c client.Client, log logr.Logger, changed func()) *keeper {
	return &keeper{client: c, log: log, changed: changed, began: make(chan struct{}, 1)}
}

// keep tells what is to be there, as it was applied at some time.
func (k *keeper) keep(set addon.Set, kept string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.kept != kept {
		select {
		case k.began <- struct{}{}:
		default:
		}
	}
	k.set, k.kept = set, kept
}

// applied tells that all of it has just been applied.
func (k *keeper) applied(set addon.Set, kept string) {
	k.keep(set, kept)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.lost = false
}

func (k *keeper) drifted() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.lost
}

func (k *keeper) agents() *agents {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.found
}

// run looks until ctx is done. Managers that begin with many tenants do not look into
// all of them at once.
func (k *keeper) run(ctx context.Context) {
	full := time.Now().Add(rand.N(keepEvery))
	for {
		k.lookForAgents(ctx)
		wait := time.Until(full)
		if k.lacksAgents() {
			wait = min(wait, agentsEvery)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-k.began:
			timer.Stop()
		case <-timer.C:
		}
		if now := time.Now(); !now.Before(full) {
			full = now.Add(keepEvery)
			k.look(ctx)
		}
	}
}

// look compares what is there with what was applied. A tenant that does not answer is
// somebody else's to notice.
func (k *keeper) look(ctx context.Context) {
	k.mu.Lock()
	set, kept := k.set, k.kept
	k.mu.Unlock()
	if kept == "" {
		return
	}
	as, err := k.isKept(ctx, set, kept)
	if err != nil {
		k.log.V(1).Info("what was applied in the tenant could not be looked at", "error", err.Error())
		return
	}
	k.mu.Lock()
	// Something may have been applied meanwhile.
	lost := !as && k.kept == kept
	k.lost = k.lost || lost
	k.mu.Unlock()
	if lost {
		k.changed()
	}
}

func (k *keeper) isKept(ctx context.Context, set addon.Set, kept string) (bool, error) {
	// A list of that version is answered from the cache, and costs etcd nothing.
	live, err := listManaged(ctx, k.client, set.Reconcile, &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: "0"}})
	if err != nil {
		return false, err
	}
	if digest(set, func(i int) string { return ownedFields(live[idOf(set.Reconcile[i])]) }) != kept {
		return false, nil
	}
	for _, object := range set.EnsureExists {
		if live[idOf(object)] != nil {
			continue
		}
		// The tenant may have taken the label away.
		named := &metav1.PartialObjectMetadata{}
		named.SetGroupVersionKind(object.GetObjectKind().GroupVersionKind())
		if err := k.client.Get(ctx, client.ObjectKeyFromObject(object), named); err != nil {
			return false, client.IgnoreNotFound(err)
		}
	}
	return true, nil
}

// wantsAgents reports whether the tenant is to have agents.
func (k *keeper) wantsAgents() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, object := range k.set.Reconcile {
		if _, ok := object.(*appsv1.Deployment); ok && object.GetName() == v1alpha1.KonnectivityAgent {
			return true
		}
	}
	return false
}

func (k *keeper) lacksAgents() bool {
	found := k.agents()
	return k.wantsAgents() && (found == nil || found.ready == 0)
}

// lookForAgents asks how many agents are ready, that is, connected to a server.
func (k *keeper) lookForAgents(ctx context.Context) {
	if !k.wantsAgents() {
		return
	}
	deployment := &appsv1.Deployment{}
	key := client.ObjectKey{Namespace: metav1.NamespaceSystem, Name: v1alpha1.KonnectivityAgent}
	if err := k.client.Get(ctx, key, deployment); client.IgnoreNotFound(err) != nil {
		return
	}
	k.mu.Lock()
	before := k.found
	k.found = &agents{ready: deployment.Status.ReadyReplicas}
	differs := before == nil || (before.ready == 0) != (k.found.ready == 0)
	k.mu.Unlock()
	if differs {
		k.changed()
	}
}
