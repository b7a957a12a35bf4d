// Package clusters holds the commands on clusters: create, get, upgrade, wait, delete.
//
// They only speak to the Kubernetes API of the management cluster: whatever they
// do can be done with kubectl too.
package clusters

import (
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/lifecycle"
	"github.com/marina-dev/marina/cmd/marina/cli/listing"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// Commands are the subcommands of 'marina cluster'.
func Commands(open session.Opener) []*cobra.Command {
	return []*cobra.Command{
		newCreate(open), newGet(open, clock.RealClock{}), newUpgrade(open),
		lifecycle.NewWait(open, kind, waitHelp), lifecycle.NewDelete(open, kind, deleteHelp),
	}
}

var kind = &lifecycle.Kind[*v1alpha1.Cluster]{
	Kind: listing.Kind{
		Singular: "cluster", Plural: "clusters", Resource: "cluster.marina.dev", Missing: session.NoCluster,
	},
	Command: "marina cluster",
	New:     func() *v1alpha1.Cluster { return &v1alpha1.Cluster{} },
	List:    func() client.ObjectList { return &v1alpha1.ClusterList{} },
	Status: func(c *v1alpha1.Cluster) lifecycle.Status {
		return lifecycle.Status{
			Phase: string(c.Status.Phase), Message: c.Status.Message, Operation: c.Status.Operation,
			ObservedGeneration: c.Status.ObservedGeneration, Conditions: c.Status.Conditions, Wanted: c.Spec.Version,
		}
	},
	Up: lifecycle.Goal{Text: "ready", Condition: v1alpha1.ConditionReady},
	Phases: lifecycle.Words(
		v1alpha1.ClusterPending, v1alpha1.ClusterCreating, v1alpha1.ClusterActive, v1alpha1.ClusterUpdating,
		v1alpha1.ClusterUpgrading, v1alpha1.ClusterDegraded, v1alpha1.ClusterDeleting, v1alpha1.ClusterError,
	),
	Conditions: []string{
		v1alpha1.ConditionReady, v1alpha1.ConditionSpecAccepted, v1alpha1.ConditionControlPlaneReady, v1alpha1.ConditionEtcdReady,
		v1alpha1.ConditionAddonsReady, v1alpha1.ConditionCertificatesValid, v1alpha1.ConditionAvailable, v1alpha1.ConditionUpToDate,
		v1alpha1.ConditionNetworkReady,
	},
	Complete: session.CompleteClusters,
	Begun:    begun,
	Correct:  correct,
	Next: func(c *v1alpha1.Cluster) string {
		return "marina kubeconfig get " + session.Ref(client.ObjectKeyFromObject(c))
	},
}

// begun leads to nodes where Marina makes them: without a pool there are none.
func begun(c *v1alpha1.Cluster) string {
	if c.Spec.InfrastructureRef == nil {
		return "marina cluster wait " + session.Ref(client.ObjectKeyFromObject(c))
	}
	pool := client.ObjectKey{Namespace: c.Namespace, Name: "workers"}
	return fmt.Sprintf("marina nodepool create %s --cluster %s --flavor FLAVOR", session.Ref(pool), c.Name)
}

var waitHelp = lifecycle.Help{
	Short: "Wait until a cluster is ready, deleted, in a phase or has a condition",
	Long: `Wait until a cluster is ready, deleted, in a phase or has a condition.

Progress goes to standard error. The command fails with exit code 3 when the time
is over, and with 1 as soon as the cluster cannot get there: it is in phase Error,
or being deleted.`,
	Example: `  marina cluster wait demo
  marina cluster wait demo --for=phase=Active --timeout=2m
  marina cluster wait demo --for=condition=UpToDate
  marina cluster wait demo --for=deleted`,
}

var deleteHelp = lifecycle.Help{
	Short: "Delete clusters and all that is in them",
	Long: `Delete clusters and all that is in them.

The deletion cannot be taken back. Of a cluster with node pools, load balancers go
as well, and volumes whose reclaim policy is Delete, with their data. By default the command waits until nothing is
left; an interrupt ends the waiting, not the deletion.`,
	Example: `  marina cluster delete demo
  marina cluster delete demo test --wait=false
  marina cluster delete demo --dry-run=server`,
}
