package etcd

import (
	"context"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// placements remembers where tenants have been placed until the cache shows it.
// Without that, of many tenants that come at once all would find the same
// EtcdCluster the emptiest.
type placements struct {
	mu sync.Mutex
	// recent holds them by the object's UID.
	recent map[types.UID]placement
}

type placement struct{ cluster string }

// choose returns where a tenant belongs. Asked again it says the same.
func (p *placements) choose(ctx context.Context, c client.Reader, tenant *v1alpha1.EtcdTenant) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if known, ok := p.recent[tenant.UID]; ok {
		return known.cluster, nil
	}
	if err := p.refuseTwin(ctx, c, tenant); err != nil {
		return "", err
	}
	var allowed []Candidate
	for _, name := range tenant.Spec.EtcdClusters {
		candidate, err := p.candidate(ctx, c, name)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return "", err
		}
		allowed = append(allowed, candidate)
	}
	chosen, err := Place(allowed)
	if err != nil {
		return "", err
	}
	if p.recent == nil {
		p.recent = map[types.UID]placement{}
	}
	p.recent[tenant.UID] = placement{cluster: chosen}
	return chosen, nil
}

// candidate describes an EtcdCluster, with those that the cache does not show yet.
func (p *placements) candidate(ctx context.Context, c client.Reader, name string) (Candidate, error) {
	cluster := &v1alpha1.EtcdCluster{}
	if err := c.Get(ctx, types.NamespacedName{Name: name}, cluster); err != nil {
		return Candidate{}, err
	}
	placed, err := placedOn(ctx, c, name)
	if err != nil {
		return Candidate{}, err
	}
	for i := range placed {
		delete(p.recent, placed[i].UID)
	}
	tenants := len(placed)
	for _, recent := range p.recent {
		if recent.cluster == name {
			tenants++
		}
	}
	return Candidate{
		Name:       name,
		Tenants:    int32(tenants),
		MaxTenants: ptr.Deref(cluster.Spec.MaxTenants, v1alpha1.DefaultMaxTenants),
		Ready:      cluster.DeletionTimestamp == nil && takesTenants(cluster),
	}, nil
}

// takesTenants reports whether an EtcdCluster serves, and has room for what a tenant
// writes.
func takesTenants(cluster *v1alpha1.EtcdCluster) bool {
	conditions := cluster.Status.Conditions
	return reconcile.IsTrue(conditions, v1alpha1.ConditionReady) && !meta.IsStatusConditionFalse(conditions, v1alpha1.ConditionStorageAvailable)
}

// refuseTwin refuses a second place for the same tenant: whichever were deleted
// first would take the other's keys with it.
func (p *placements) refuseTwin(ctx context.Context, c client.Reader, tenant *v1alpha1.EtcdTenant) error {
	list := &v1alpha1.EtcdTenantList{}
	if err := c.List(ctx, list, client.MatchingFields{IndexTenantUID: tenant.Spec.TenantUID}, client.UnsafeDisableDeepCopy); err != nil {
		return err
	}
	for i := range list.Items {
		twin := &list.Items[i]
		if _, recent := p.recent[twin.UID]; twin.UID != tenant.UID && (recent || twin.Status.EtcdCluster != "") {
			return reconcile.UserError("TenantUIDTaken", "EtcdTenant %s/%s already has the keys of tenant %s: delete one of the two",
				twin.Namespace, twin.Name, tenant.Spec.TenantUID)
		}
	}
	return nil
}

// forget drops a tenant that is gone.
func (p *placements) forget(uid types.UID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.recent, uid)
}
