package cluster

import (
	"slices"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/operation"
)

// resyncOf is the Resync for which a network is to be looked at: the one that runs, or the one
// before.
func resyncOf(live *v1alpha1.ClusterNetwork, running *v1alpha1.Operation) string {
	switch {
	case running != nil && running.Spec.Type == v1alpha1.OperationResync:
		return string(running.UID)
	case live != nil:
		return live.Spec.Resync
	default:
		return ""
	}
}

// lookedAt are the steps of a Resync in the cloud, of a Cluster that has something there.
func (s situation) lookedAt(op *v1alpha1.Operation) []operation.Step {
	if s.cluster.Spec.InfrastructureRef == nil {
		return nil
	}
	n := s.network
	network := n != nil && n.Spec.Resync == string(op.UID) && n.Status.ObservedGeneration == n.Generation
	nodes := !slices.ContainsFunc(s.pools, func(p v1alpha1.NodePool) bool {
		return p.DeletionTimestamp == nil && p.Status.Resynced != string(op.UID)
	})
	return []operation.Step{
		{Name: "Network", Done: network, Message: "the network of the nodes has not been looked at"},
		{Name: "Nodes", Done: nodes, Message: "not all servers have been looked at"},
	}
}
