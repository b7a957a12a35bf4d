// Package clusters holds the commands on clusters: create, get, wait, delete.
//
// They only speak to the Kubernetes API of the management cluster: whatever they
// do can be done with kubectl too.
package clusters

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/cli/progress"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
)

// resource is what kubectl calls a cluster, in -o name.
const resource = "cluster.marina.dev"

// Commands are the subcommands of 'marina cluster'.
func Commands(open session.Opener) []*cobra.Command {
	return []*cobra.Command{newCreate(open), newGet(open, clock.RealClock{}), newWait(open), newDelete(open)}
}

// timeoutFlag defines --timeout.
func timeoutFlag(cmd *cobra.Command, timeout *time.Duration) {
	cmd.Flags().DurationVar(timeout, "timeout", defaultTimeout, "how long to wait; 0 is without limit")
}

// checkTimeout refuses a negative time, which would be over before it began.
func checkTimeout(cmd *cobra.Command, timeout time.Duration) error {
	if timeout < 0 {
		return failure.Usage(cmd.CommandPath(), "--timeout must not be negative")
	}
	return nil
}

// advise tells a person what comes next. A script has not asked.
func advise(cmd *cobra.Command, format string, args ...any) {
	if w := cmd.ErrOrStderr(); progress.OnTerminal(w) {
		fmt.Fprintf(w, format+"\n", args...)
	}
}

// ref is a cluster as it has to be named again, in a command in a message.
func ref(key client.ObjectKey) string {
	if key.Namespace == metav1.NamespaceDefault {
		return key.Name
	}
	return key.Name + " -n " + key.Namespace
}
