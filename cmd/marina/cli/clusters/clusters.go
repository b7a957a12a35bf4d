// Package clusters holds the commands on clusters: create, get, wait, delete.
//
// They only speak to the Kubernetes API of the management cluster: whatever they
// do can be done with kubectl too.
package clusters

import (
	"github.com/spf13/cobra"
	"k8s.io/utils/clock"

	"github.com/marina-dev/marina/cmd/marina/cli/session"
)

// resource is what kubectl calls a cluster, in -o name.
const resource = "cluster.marina.dev"

// Commands are the subcommands of 'marina cluster'.
func Commands(open session.Opener) []*cobra.Command {
	return []*cobra.Command{newCreate(open), newGet(open, clock.RealClock{}), newWait(open), newDelete(open)}
}
