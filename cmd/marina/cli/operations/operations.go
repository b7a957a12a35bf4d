// Package operations holds the commands on operations: list, watch, cancel, retry;
// and those on clusters and pools that ask for one: restart, resync, rotate-certificates,
// replace, reboot, evict.
//
// They only speak to the Kubernetes API of the management cluster: whatever they
// do can be done with kubectl too.
package operations

import (
	"github.com/spf13/cobra"
	"k8s.io/utils/clock"

	"github.com/marina-dev/marina/cmd/marina/cli/listing"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// resource is what kubectl calls an operation, in -o name.
const resource = "operation.marina.dev"

var kind = listing.Kind{Singular: "operation", Plural: "operations", Resource: resource, Missing: session.NoOperation}

// Commands are the subcommands of 'marina operation'.
func Commands(open session.Opener) []*cobra.Command {
	return []*cobra.Command{newList(open, clock.RealClock{}), newWatch(open), newCancel(open), newRetry(open)}
}

// ClusterCommands are the subcommands of 'marina cluster' that ask for an
// operation.
func ClusterCommands(open session.Opener) []*cobra.Command {
	return actionsOn(open, clusters, clusterActions)
}

// NodePoolCommands are the subcommands of 'marina nodepool' that ask for an operation.
func NodePoolCommands(open session.Opener) []*cobra.Command {
	return actionsOn(open, nodePools, poolActions)
}

func actionsOn(open session.Opener, g group, actions []action) []*cobra.Command {
	var all []*cobra.Command
	for _, a := range actions {
		all = append(all, newAction(open, g, a))
	}
	return all
}

func unfinished(o *v1alpha1.Operation) bool { return !o.Status.Phase.Finished() }

func retriable(o *v1alpha1.Operation) bool {
	return o.Status.Phase == v1alpha1.OperationFailed || o.Status.Phase == v1alpha1.OperationCancelled
}
