// Package cli is the command tree of marina: it composes the commands, and turns
// their errors into text and an exit code. What a command does is in its own
// package below.
package cli

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/marina-dev/marina/cmd/marina/cli/clusters"
	"github.com/marina-dev/marina/cmd/marina/cli/etcd"
	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/cli/infrastructures"
	"github.com/marina-dev/marina/cmd/marina/cli/kubeconfigs"
	"github.com/marina-dev/marina/cmd/marina/cli/nodepools"
	"github.com/marina-dev/marina/cmd/marina/cli/operations"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/cmd/marina/cli/tokens"
	"github.com/marina-dev/marina/cmd/marina/manager"
	"github.com/marina-dev/marina/cmd/marina/simulator"
	"github.com/marina-dev/marina/cmd/marina/up"
)

const description = `Marina runs Kubernetes clusters for many tenants.

'marina up' starts everything on this machine, 'marina manager' the controllers in a
management cluster. The other commands speak to a management cluster, whose
kubeconfig is the first of these:

  1. --kubeconfig
  2. $MARINA_KUBECONFIG
  3. that of 'marina up' on this machine, in $MARINA_DATA_DIR or
     ${XDG_DATA_HOME:-~/.local/share}/marina
  4. $KUBECONFIG, or ~/.kube/config

Results go to standard output, progress and advice to standard error.

Exit codes:
    0  done
    1  it did not work
    2  the command line is wrong; nothing was tried
    3  it did not happen in time; it may still happen
  130  interrupted`

// Main runs a command line and returns the exit code.
func Main(ctx context.Context, args []string, out, errOut io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(errOut)
	return failure.Print(errOut, root.ExecuteContext(ctx))
}

func newRoot() *cobra.Command {
	root := group("marina", "Run Kubernetes clusters for many tenants")
	root.Long = description
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetUsageTemplate(usageTemplate)
	root.CompletionOptions.DisableDefaultCmd = true // ours refuses unknown shells
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)

	flags := &session.Flags{}
	flags.AddTo(root.PersistentFlags())
	_ = root.RegisterFlagCompletionFunc("context", flags.CompleteContexts)
	_ = root.RegisterFlagCompletionFunc("namespace", session.CompleteNamespaces(flags.Open))
	_ = root.RegisterFlagCompletionFunc("kubeconfig", cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault))

	cluster := group("cluster", "Create, show, upgrade, wait for, repair and delete clusters")
	cluster.Aliases = []string{"clusters"}
	cluster.AddCommand(clusters.Commands(flags.Open)...)
	cluster.AddCommand(operations.ClusterCommands(flags.Open)...)

	pool := group("nodepool", "Create, show, scale, wait for, look at and delete pools of nodes")
	pool.Aliases = []string{"nodepools", "np"}
	pool.AddCommand(nodepools.Commands(flags.Open)...)
	pool.AddCommand(operations.NodePoolCommands(flags.Open)...)

	operation := group("operation", "Show, cancel and retry what is done to clusters and pools")
	operation.Aliases = []string{"operations", "op"}
	operation.AddCommand(operations.Commands(flags.Open)...)

	kubeconfig := group("kubeconfig", "Get access to a cluster")
	kubeconfig.AddCommand(kubeconfigs.NewGet(flags.Open))

	token := group("token", "Let nodes join a cluster")
	token.AddCommand(tokens.NewCreate(flags.Open))

	infrastructure := group("infrastructure", "Show and check the clouds in which clusters may have nodes")
	infrastructure.Aliases = []string{"infrastructures", "infra"}
	infrastructure.AddCommand(infrastructures.Commands(flags.Open)...)

	store := group("etcd", "Restore an etcd from a snapshot")
	store.AddCommand(withoutGlobalFlags(etcd.NewSnapshot()), withoutGlobalFlags(etcd.NewRestore()))

	root.AddCommand(cluster, pool, operation, kubeconfig, token, infrastructure, store, newVersion(flags.Open),
		newCompletion(),
		withoutGlobalFlags(up.NewCommand()), withoutGlobalFlags(manager.NewCommand()), withoutGlobalFlags(newBalancer()), withoutGlobalFlags(simulator.NewCommand()))
	strict(root)
	return root
}
