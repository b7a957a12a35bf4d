// Package nodepools holds the commands on pools of nodes: create, get, scale, upgrade, wait, delete.
//
// They only speak to the Kubernetes API of the management cluster: whatever they
// do can be done with kubectl too.
package nodepools

import (
	"github.com/spf13/cobra"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/lifecycle"
	"github.com/marina-dev/marina/cmd/marina/cli/listing"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// Commands are the subcommands of 'marina nodepool'.
func Commands(open session.Opener) []*cobra.Command {
	return []*cobra.Command{
		newCreate(open), newGet(open, clock.RealClock{}), newScale(open), newUpgrade(open),
		lifecycle.NewWait(open, kind, waitHelp), lifecycle.NewDelete(open, kind, deleteHelp),
	}
}

var kind = &lifecycle.Kind[*v1alpha1.NodePool]{
	Kind: listing.Kind{
		Singular: "nodepool", Plural: "nodepools", Resource: "nodepool.marina.dev", Missing: session.NoNodePool,
	},
	Command: "marina nodepool",
	New:     func() *v1alpha1.NodePool { return &v1alpha1.NodePool{} },
	List:    func() client.ObjectList { return &v1alpha1.NodePoolList{} },
	Status: func(p *v1alpha1.NodePool) lifecycle.Status {
		return lifecycle.Status{
			Phase: string(p.Status.Phase), Message: p.Status.Message, Operation: p.Status.Operation,
			ObservedGeneration: p.Status.ObservedGeneration, Conditions: p.Status.Conditions,
		}
	},
	Up: lifecycle.Goal{Text: "active", Phase: string(v1alpha1.PoolActive)},
	Phases: lifecycle.Words(
		v1alpha1.PoolPending, v1alpha1.PoolCreating, v1alpha1.PoolActive, v1alpha1.PoolScaling, v1alpha1.PoolUpdating,
		v1alpha1.PoolUpgrading, v1alpha1.PoolDegraded, v1alpha1.PoolDeleting, v1alpha1.PoolError,
	),
	Conditions: []string{v1alpha1.ConditionReady, v1alpha1.ConditionSpecAccepted},
	Complete:   session.CompleteNodePools,
	Begun: func(p *v1alpha1.NodePool) string {
		return "marina nodepool wait " + session.Ref(client.ObjectKeyFromObject(p))
	},
	Next: func(p *v1alpha1.NodePool) string {
		return "marina kubeconfig get " + session.Ref(client.ObjectKey{Namespace: p.Namespace, Name: p.Spec.ClusterRef.Name})
	},
}

var waitHelp = lifecycle.Help{
	Short: "Wait until a pool has its nodes, is deleted, in a phase or has a condition",
	Long: `Wait until a pool has all nodes that were asked for, is deleted, in a phase or has a
condition.

Progress goes to standard error. The command fails with exit code 3 when the time
is over, and with 1 as soon as the pool cannot get there: it is in phase Error,
its spec is refused, or it is being deleted.`,
	Example: `  marina nodepool wait workers
  marina nodepool wait workers --for=phase=Degraded --timeout=2m
  marina nodepool wait workers --for=deleted`,
}

var deleteHelp = lifecycle.Help{
	Short: "Delete pools and their nodes",
	Long: `Delete pools and their nodes. The pods on these are moved away first.

The deletion cannot be taken back. By default the command waits until nothing is
left in the cloud; an interrupt ends the waiting, not the deletion.`,
	Example: `  marina nodepool delete workers
  marina nodepool delete workers gpu --wait=false
  marina nodepool delete workers --dry-run=server`,
}
