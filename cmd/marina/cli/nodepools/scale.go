package nodepools

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/cmd/marina/cli/arguments"
	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

type scaleOptions struct {
	change
	replicas int32
	remove   []string
}

func newScale(open session.Opener) *cobra.Command {
	o := &scaleOptions{}
	cmd := &cobra.Command{
		Use:   "scale NAME",
		Short: "Change how many nodes a pool has",
		Long: `Change how many nodes a pool has. 0 empties the pool and keeps it.

When there are to be fewer, the nodes named with --remove go first; without it those
that were made last. The pods on a node are moved away before it goes.`,
		Example: `  marina nodepool scale workers --replicas 5 --wait
  marina nodepool scale workers --replicas 2 --remove demo-workers-x7k2p`,
		Args: arguments.Named("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("replicas") {
				return failure.Usage(cmd.CommandPath(), "--replicas is missing: say how many nodes there are to be")
			}
			return o.run(cmd, open, func(ctx context.Context, s *session.Session) error {
				return o.scale(ctx, cmd, s, args[0])
			})
		},
		ValidArgsFunction: session.CompleteNodePools(open, 1),
	}
	cmd.Flags().Int32Var(&o.replicas, "replicas", 0, "how many nodes there are to be")
	cmd.Flags().StringSliceVar(&o.remove, "remove", nil, "`name` of a node that goes first; repeatable")
	o.addFlags(cmd, "wait until the pool has that many nodes")
	return cmd
}

func (o *scaleOptions) scale(ctx context.Context, cmd *cobra.Command, s *session.Session, name string) error {
	pool, err := s.NodePool(ctx, name)
	if err != nil {
		return err
	}
	if err := o.checkFrozen(pool); err != nil {
		return err
	}
	if err := o.checkRemoval(pool); err != nil {
		return err
	}
	// Both fields are set whatever they are: names of nodes that a former change left would
	// choose for this one too.
	fields := map[string]any{"replicas": o.replicas, "nodesToRemove": o.remove}
	return o.apply(ctx, cmd, s, pool, fields, fmt.Sprintf("scaled to %d", o.replicas), "being scaled")
}

// checkFrozen refuses another number while the pool is upgraded: it would be carried out at
// some later time.
func (o *scaleOptions) checkFrozen(pool *v1alpha1.NodePool) error {
	c := meta.FindStatusCondition(pool.Status.Conditions, v1alpha1.ConditionSizeFrozen)
	if c == nil || c.Status != metav1.ConditionTrue || pool.WantedReplicas() == o.replicas {
		return nil
	}
	return failure.New(fmt.Sprintf("wait until it is Active ('marina nodepool wait %s'), and scale it then", pool.Name), "nodepool %q cannot be scaled now: %s", pool.Name, c.Message)
}

// checkRemoval refuses to name nodes that would stay: they would go some other day, when
// there are to be fewer and nobody thinks of them any more. The same again is fine.
func (o *scaleOptions) checkRemoval(pool *v1alpha1.NodePool) error {
	wanted := pool.WantedReplicas()
	again := o.replicas == wanted && slices.Equal(o.remove, pool.Spec.NodesToRemove)
	if len(o.remove) == 0 || again {
		return nil
	}
	if o.replicas < wanted {
		return o.checkNames(pool)
	}
	return failure.New("ask for fewer nodes, or leave --remove out",
		"--remove names nodes to go, but nodepool %q is to have %d nodes and you ask for %d", pool.Name, wanted, o.replicas)
}

// checkNames refuses names that no node of the pool has: others would go in their place. A
// status without names is that of an older manager.
func (o *scaleOptions) checkNames(pool *v1alpha1.NodePool) error {
	there := pool.Status.Nodes
	unknown := slices.DeleteFunc(slices.Clone(o.remove), func(name string) bool { return slices.Contains(there, name) })
	if len(there) == 0 && pool.Status.Replicas > 0 || len(unknown) == 0 {
		return nil
	}
	do := "its nodes are " + strings.Join(there, ", ")
	if len(there) == 0 {
		do = "it has no nodes"
	}
	return failure.New(do, "--remove: nodepool %q has no node %s", pool.Name, strings.Join(unknown, ", "))
}
