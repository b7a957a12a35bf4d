package nodepool

import (
	"cmp"
	"context"
	"net/netip"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// nodePrefix is that of the range of pods that each node gets.
const nodePrefix = 24

// reserved are addresses of a subnet that no node can have: that of the network, broadcast,
// that of the router, and those of Neutron's DHCP.
const reserved = 2 + 1 + 3

// checkRanges checks that the ranges of the Cluster have room for the nodes of all its pools.
// Of two that want the last room the older one has it: that takes nothing from nodes that the
// younger one has, and only matters where that is to have others.
func (r *Reconciler) checkRanges(ctx context.Context, s *scope) error {
	mine := most(s.pool.Spec)
	if mine <= len(s.machines) || !s.needsNode() && !s.makesNode() {
		return nil // they have theirs
	}
	siblings, err := r.poolsOf(ctx, s.pool.Namespace, s.pool.Spec.ClusterRef.Name)
	if err != nil {
		return err
	}
	sum := mine
	for i := range siblings {
		if other := &siblings[i]; other.UID != s.pool.UID {
			sum += claimed(other, s.pool)
		}
	}
	if room := podRoom(s.network.Spec.PodCIDR); sum > room {
		return reconcile.UserError("PodCIDRTooSmall", "the podCIDR %s of the cluster has room for %d nodes, and its pools ask for %d, those included that may be there while nodes are replaced: ask for fewer nodes, set upgrade.maxSurge to 0, or create a cluster with a larger podCIDR", s.network.Spec.PodCIDR, room, sum)
	}
	if room := nodeRoom(s.network.Status.CIDR); sum > room {
		return reconcile.UserError("NodeCIDRTooSmall", "the subnet %s of the nodes has room for %d nodes, and the pools of the cluster ask for %d, those included that may be there while nodes are replaced: ask for fewer nodes, set upgrade.maxSurge to 0, or create a cluster with a larger nodeCIDR", s.network.Status.CIDR, room, sum)
	}
	return nil
}

// claimed is the room that another pool has: of an older one what it asks for, of a younger
// one what it has taken already.
func claimed(other, pool *v1alpha1.NodePool) int {
	taken := int(other.Status.Replicas)
	older := cmp.Or(other.CreationTimestamp.Compare(pool.CreationTimestamp.Time), cmp.Compare(other.Name, pool.Name)) < 0
	if !older || other.DeletionTimestamp != nil {
		return taken
	}
	spec := other.Spec
	spec.Replicas = new(other.WantedReplicas()) // which its own pass may not have written yet
	return max(taken, most(spec))
}

// most is how many nodes a pool may have at a time.
func most(spec v1alpha1.NodePoolSpec) int {
	surge, _ := rolling(spec)
	return replicas(spec) + surge
}

// podRoom is how many nodes get a range of pods.
func podRoom(cidr string) int {
	p, err := netip.ParsePrefix(cidr)
	if err != nil || p.Bits() > nodePrefix {
		return 0
	}
	return 1 << (nodePrefix - p.Bits())
}

// nodeRoom is how many nodes get an address.
func nodeRoom(cidr string) int {
	p, err := netip.ParsePrefix(cidr)
	if err != nil || !p.Addr().Is4() {
		return 0
	}
	return max(0, 1<<(32-p.Bits())-reserved)
}

// poolsOf are the NodePools of a Cluster.
func (r *Reconciler) poolsOf(ctx context.Context, namespace, cluster string) ([]v1alpha1.NodePool, error) {
	list := &v1alpha1.NodePoolList{}
	if err := r.Client.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	var pools []v1alpha1.NodePool
	for _, p := range list.Items {
		if p.Spec.ClusterRef.Name == cluster {
			pools = append(pools, p)
		}
	}
	return pools, nil
}
