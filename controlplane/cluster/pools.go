package cluster

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlreconcile "sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/operation"
	"github.com/marina-dev/marina/pkg/reconcile"
	"github.com/marina-dev/marina/pkg/release"
)

// observePools finds the NodePools of a Cluster. One without an Infrastructure costs no
// request: what names it nevertheless is looked for when it is deleted, and in the cache only.
func (r *Reconciler) observePools(ctx context.Context, from client.Reader, s *scope) error {
	if s.cluster.Spec.InfrastructureRef == nil {
		if s.cluster.DeletionTimestamp == nil {
			return nil
		}
		from = r.Client
	}
	list := &v1alpha1.NodePoolList{}
	if err := from.List(ctx, list, client.InNamespace(s.cluster.Namespace)); err != nil {
		return err
	}
	for _, p := range list.Items {
		if p.Spec.ClusterRef.Name == s.cluster.Name {
			s.pools = append(s.pools, p)
		}
	}
	slices.SortFunc(s.pools, func(a, b v1alpha1.NodePool) int { return cmp.Compare(a.Name, b.Name) })
	return nil
}

// awaitsPool is why nothing is made of a Cluster yet: one that has an Infrastructure has at
// least one NodePool when it begins. One that has begun goes on without.
func (s situation) awaitsPool() error {
	begun := s.hcp != nil || s.network != nil
	there := slices.ContainsFunc(s.pools, func(p v1alpha1.NodePool) bool { return p.DeletionTimestamp == nil })
	if s.cluster.Spec.InfrastructureRef == nil || s.cluster.DeletionTimestamp != nil || begun || there {
		return nil
	}
	return reconcile.Wait("NoPool", "nothing is made before the cluster has a node pool: create a NodePool with spec.clusterRef.name %s in this namespace, 0 replicas will do", s.cluster.Name)
}

// showPools shows in the status whether all NodePools have their nodes. Whether the Cluster is
// ready does not depend on it.
func (s *scope) showPools() {
	conditions, generation := &s.cluster.Status.Conditions, s.cluster.Generation
	deleting := s.cluster.DeletionTimestamp != nil
	if s.cluster.Spec.InfrastructureRef == nil || deleting && len(s.pools) == 0 {
		meta.RemoveStatusCondition(conditions, v1alpha1.ConditionNodePoolsReady)
		return
	}
	reconcile.SetCondition(conditions, v1alpha1.ConditionNodePoolsReady, generation, poolsError(s.pools), "all node pools have the nodes that were asked for")
}

// poolsError is what the first NodePool says that does not have its nodes, nil if all have.
// One that needs somebody comes before one that needs time.
func poolsError(pools []v1alpha1.NodePool) error {
	if len(pools) == 0 {
		return reconcile.UserError("NoPool", "there is no node pool: create a NodePool to have nodes")
	}
	var waiting error
	for _, p := range pools {
		reason := string(cmp.Or(p.Status.Phase, v1alpha1.PoolPending))
		message := fmt.Sprintf("node pool %s: %s", p.Name, cmp.Or(p.Status.Message, "it has not been looked at yet"))
		switch p.Status.Phase {
		case v1alpha1.PoolActive:
		case v1alpha1.PoolDegraded, v1alpha1.PoolError:
			return reconcile.UserError(reason, "%s", message)
		default:
			waiting = cmp.Or(waiting, reconcile.Wait(reason, "%s", message))
		}
	}
	return waiting
}

// checkPoolVersions checks that a control plane of a version suits the nodes of all pools that
// ask for one of their own. The others follow it.
func checkPoolVersions(pools []v1alpha1.NodePool, to release.Version) error {
	for _, p := range pools {
		nodes, err := release.Parse(p.Spec.Version)
		if err != nil || p.DeletionTimestamp != nil {
			continue
		}
		if err := release.KubeletSkewOK(to, nodes); err != nil {
			return reconcile.UserError("NodePoolTooOld", "node pool %s has version %s: %v, or leave its version out, so that its nodes follow the control plane", p.Name, p.Spec.Version, err)
		}
	}
	return nil
}

// deletePools waits until all NodePools are gone, and with them all nodes.
func (r *Reconciler) deletePools(ctx context.Context, s *scope) error {
	if len(s.pools) == 0 {
		return nil
	}
	var words string
	for i := range s.pools {
		p := &s.pools[i]
		if p.DeletionTimestamp == nil {
			if err := r.Client.Delete(ctx, p, client.Preconditions{UID: ptr.To(p.UID)}); client.IgnoreNotFound(err) != nil {
				return err
			}
		}
		if c := meta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionDeleting); c != nil {
			words = cmp.Or(words, fmt.Sprintf("node pool %s: %s", p.Name, c.Message))
		}
	}
	return reconcile.Wait("DeletingNodePools", "%s", cmp.Or(words, fmt.Sprintf("waiting for node pool %s to be deleted", s.pools[0].Name)))
}

// poolsGone is the step of a deletion for the NodePools, of a Cluster that may have some.
func (s situation) poolsGone() []operation.Step {
	if s.cluster.Spec.InfrastructureRef == nil {
		return nil
	}
	return []operation.Step{{Name: "Node pools", Done: len(s.pools) == 0, Message: "node pools are still there"}}
}

// toCluster maps a NodePool to its Cluster.
func toCluster(_ context.Context, object client.Object) []ctrlreconcile.Request {
	return []ctrlreconcile.Request{{NamespacedName: types.NamespacedName{
		Namespace: object.GetNamespace(), Name: object.(*v1alpha1.NodePool).Spec.ClusterRef.Name,
	}}}
}
