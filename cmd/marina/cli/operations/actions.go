package operations

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/marina-dev/marina/cmd/marina/cli/arguments"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// action is a command that asks for an operation.
type action struct {
	name, short, long string
	kind              v1alpha1.OperationType
	// nodes is whether it is of single nodes, which are named after their pool. That there are
	// such nodes the controller finds out: it answers within the time that a request is looked
	// at.
	nodes bool
}

// group is a kind of objects that operations can be asked for on.
type group struct {
	// command and example are the words for it, and for one of them, in examples.
	command, example string
	// target finds the object.
	target   func(ctx context.Context, s *session.Session, name string) (v1alpha1.OperationTarget, error)
	complete func(open session.Opener, limit int) cobra.CompletionFunc
}

var clusters = group{
	command: "cluster", example: "demo", complete: session.CompleteClusters,
	target: func(ctx context.Context, s *session.Session, name string) (v1alpha1.OperationTarget, error) {
		cluster, err := s.Cluster(ctx, name)
		if err != nil {
			return v1alpha1.OperationTarget{}, err
		}
		return v1alpha1.OperationTarget{Kind: v1alpha1.TargetCluster, Name: cluster.Name, UID: cluster.UID}, nil
	},
}

var nodePools = group{
	command: "nodepool", example: "workers", complete: session.CompleteNodePools,
	target: func(ctx context.Context, s *session.Session, name string) (v1alpha1.OperationTarget, error) {
		pool, err := s.NodePool(ctx, name)
		if err != nil {
			return v1alpha1.OperationTarget{}, err
		}
		return v1alpha1.OperationTarget{Kind: v1alpha1.TargetNodePool, Name: pool.Name, UID: pool.UID}, nil
	},
}

var poolActions = []action{
	{
		name:  "resync",
		kind:  v1alpha1.OperationResync,
		short: "Look at a pool's servers in the cloud now; nothing is changed if nothing differs",
		long: `Look at a pool's servers in the cloud now, and not when it is time to.

What could not be made, and waits until it is tried again, is tried at once: after a
quota was raised, say. What is as it should be stays as it is.`,
	},
	{
		name:  "replace",
		kind:  v1alpha1.OperationReplaceNode,
		nodes: true,
		short: "Replace nodes of a pool by new ones",
		long: `Replace nodes of a pool by new ones, as a change of the pool's flavor would.

A new node is Ready before an old one is emptied and goes, if the pool's
upgrade.maxSurge lets that. What is on a node's disk goes with it.`,
	},
	{
		name:  "reboot",
		kind:  v1alpha1.OperationRebootNode,
		nodes: true,
		short: "Reboot nodes of a pool, one after the other",
		long: `Reboot the servers of nodes of a pool, one after the other: the next one when the
node before is Ready again.

Nodes are not emptied before: their pods restart. A node that is Ready is asked to
restart, and one that is not is restarted as if its power had failed.`,
	},
	{
		name:  "evict",
		kind:  v1alpha1.OperationEvictNode,
		nodes: true,
		short: "Empty nodes of a pool and remove them; the pool has that many fewer",
		long: `Empty nodes of a pool and remove them. The pool has that many fewer from then on.

The pods on a node are moved away before it goes. Its server is deleted, with what is
on its disk.`,
	},
}

var clusterActions = []action{
	{
		name:  "restart",
		kind:  v1alpha1.OperationRestart,
		short: "Restart a cluster's control plane, one replica at a time; no request is lost",
		long: `Restart the replicas of a cluster's control plane, one at a time.

The next one is restarted when the one before is ready again, so that no request is
lost. Nodes and pods are left alone, and so is etcd.`,
	},
	{
		name:  "resync",
		kind:  v1alpha1.OperationResync,
		short: "Write everything again that a cluster consists of; nothing is restarted if nothing differs",
		long: `Write everything again that a cluster consists of, also inside the tenant, whether
or not it seems to be in place; and look at its network and its nodes in the cloud.

What somebody has changed or deleted by hand is set right. What is as it should be
stays as it is: nothing is restarted for it.`,
	},
	{
		name:  "rotate-certificates",
		kind:  v1alpha1.OperationRotateCertificates,
		short: "Issue a control plane's leaf certificates again; nothing is restarted, CAs stay",
		long: `Issue every leaf certificate of a cluster's control plane again.

Nothing is restarted: the processes read the new ones by themselves. CAs stay, so
that kubeconfigs and nodes go on working.`,
	},
}

func newAction(open session.Opener, g group, a action) *cobra.Command {
	r := &request{}
	names, one, more := []string{"NAME"}, g.example, " --timeout=2m"
	takes := arguments.Named("NAME")
	if a.nodes {
		names, one, more = append(names, "NODE..."), one+" demo-workers-x7k2p demo-workers-q9z4d", ""
		takes = arguments.NamedAndMore("NAME", "NODE")
	}
	command := fmt.Sprintf("  marina %s %s %s", g.command, a.name, one)
	cmd := &cobra.Command{
		Use:     a.name + " " + strings.Join(names, " "),
		Short:   a.short,
		Long:    a.long + "\n\nIt creates an operation. With --wait the command exits as 'marina operation watch'\ndoes.",
		Example: command + "\n" + command + " --wait" + more,
		Args:    takes,
		RunE: func(cmd *cobra.Command, args []string) error {
			return r.run(cmd, open, func(ctx context.Context, s *session.Session) (v1alpha1.OperationSpec, error) {
				target, err := g.target(ctx, s, args[0])
				return v1alpha1.OperationSpec{TargetRef: target, Type: a.kind, Nodes: args[1:]}, err
			})
		},
		ValidArgsFunction: g.complete(open, 1),
	}
	r.addFlags(cmd)
	return cmd
}
