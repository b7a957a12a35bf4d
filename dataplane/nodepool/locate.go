package nodepool

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// locate finds out where the nodes are to be, as far as that is known yet.
func (r *Reconciler) locate(ctx context.Context, s *scope) error {
	name := s.pool.Spec.ClusterRef.Name
	cluster := &v1alpha1.Cluster{}
	err := r.Client.Get(ctx, client.ObjectKey{Namespace: s.pool.Namespace, Name: name}, cluster)
	if apierrors.IsNotFound(err) {
		s.blocked = reconcile.Wait("ClusterNotFound", "there is no Cluster %s in this namespace: create it, or delete the pool", name)
		return nil
	}
	if err != nil {
		return err
	}
	s.cluster, s.gate = cluster, gate(cluster)
	switch {
	case cluster.DeletionTimestamp != nil:
		s.blocked = reconcile.Wait("ClusterDeleting", "the cluster %s is being deleted, and this pool with it", name)
		return nil
	case cluster.Spec.InfrastructureRef == nil:
		return nil // accept says so
	}
	infra := &v1alpha1.Infrastructure{}
	err = r.Client.Get(ctx, client.ObjectKey{Name: cluster.Spec.InfrastructureRef.Name}, infra)
	if apierrors.IsNotFound(err) {
		s.blocked = reconcile.Wait("InfrastructureNotFound", "Infrastructure %s does not exist any more: have it created again, as it was", cluster.Spec.InfrastructureRef.Name)
		return nil
	}
	if err != nil {
		return err
	}
	s.infra = infra
	if cluster.Status.Namespace == "" || cluster.Status.Version == "" {
		s.blocked = reconcile.Wait("WaitingForControlPlane", "the control plane of cluster %s is not ready yet: 'kubectl -n %s describe cluster %s' tells why", name, cluster.Namespace, name)
		return nil
	}
	network := &v1alpha1.ClusterNetwork{}
	err = r.Client.Get(ctx, client.ObjectKey{Namespace: cluster.Status.Namespace, Name: v1alpha1.NameClusterNetwork}, network)
	if client.IgnoreNotFound(err) != nil {
		return err
	}
	if err == nil {
		s.network = network
	}
	s.blocked = networkError(s.network)
	return nil
}

// networkError is why nodes cannot have ports yet, nil when they can.
func networkError(network *v1alpha1.ClusterNetwork) error {
	if network != nil {
		switch c := meta.FindStatusCondition(network.Status.Conditions, v1alpha1.ConditionReady); {
		case c == nil:
		case c.Status == "True":
			return nil
		default:
			return reconcile.Wait(c.Reason, "%s", c.Message)
		}
	}
	return reconcile.Wait("WaitingForNetwork", "the network of the nodes is being created")
}

// observe finds the Machines.
func (r *Reconciler) observe(ctx context.Context, s *scope) (err error) {
	s.machines, err = s.list(ctx, r.Client)
	return err
}

// list are the Machines of the pool in the management namespace of its Cluster.
func (s *scope) list(ctx context.Context, from client.Reader) ([]v1alpha1.Machine, error) {
	if s.cluster == nil || s.cluster.Status.Namespace == "" {
		return nil, nil
	}
	return machinesOf(ctx, from, s.pool, client.InNamespace(s.cluster.Status.Namespace))
}

func machinesOf(ctx context.Context, from client.Reader, pool *v1alpha1.NodePool, where ...client.ListOption) ([]v1alpha1.Machine, error) {
	list := &v1alpha1.MachineList{}
	err := from.List(ctx, list, append(where, client.MatchingLabels{v1alpha1.LabelPoolUID: string(pool.UID)})...)
	return list.Items, err
}
