package nodepool

import (
	"fmt"
	"strings"
	"time"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/operation"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// Steps implements operation.Target. They tell nothing that changes with every node: that
// stands in the pool.
func (c changes) Steps(op *v1alpha1.Operation) (steps []operation.Step, note string) {
	f := c.facts
	removed := operation.Step{Name: "Surplus removed", Done: f.Live-f.Vain <= f.Wanted && f.Going == 0, Message: "nodes are being emptied and deleted"}
	switch op.Spec.Type {
	case v1alpha1.OperationCreate:
		return []operation.Step{
			{Name: "Spec taken up", Done: c.refused == nil},
			{Name: "Cluster and network", Done: !f.Blocked || f.Live > 0, Message: "the cluster, or its network, is not ready yet"},
			{Name: "Servers made", Done: c.servers >= f.Wanted, Message: c.trouble},
			{Name: "Nodes ready", Done: f.Ready >= f.Wanted, Message: c.trouble},
		}, ""
	case v1alpha1.OperationScale:
		return []operation.Step{
			{Name: "Servers made", Done: c.servers >= f.Wanted, Message: c.trouble},
			{Name: "Nodes ready", Done: f.Ready >= f.Wanted, Message: c.trouble},
			removed,
		}, ""
	case v1alpha1.OperationUpdate:
		removed.Done = removed.Done && f.Old == 0
		return []operation.Step{
			{Name: "Spec taken up", Done: c.shaped && c.refused == nil, Message: "not all Machines have the labels and taints"},
			{Name: "Servers made", Done: c.current >= f.Wanted, Message: c.trouble},
			{Name: "Nodes ready", Done: c.currentReady >= f.Wanted, Message: c.trouble},
			removed,
		}, c.note
	default: // Delete
		return []operation.Step{
			{Name: "Nodes removed", Done: len(c.machines) == 0, Message: "nodes are being emptied and deleted"},
			{Name: "Pool removed"},
		}, ""
	}
}

// done reports whether an Operation has done what it was to do.
func (c changes) done(op *v1alpha1.Operation) bool {
	switch op.Spec.Type {
	case v1alpha1.OperationCreate:
		return c.facts.BeenReady || c.refused == nil && c.facts.settled() && !c.facts.Blocked && !c.moved
	case v1alpha1.OperationDelete:
		return false // the pool goes with it
	default:
		steps, _ := c.Steps(op)
		return operation.AllDone(steps) && !c.moved
	}
}

// Judge implements operation.Target.
func (c changes) Judge(op *v1alpha1.Operation) (v1alpha1.OperationPhase, string) {
	steps, _ := c.Steps(op)
	left, kind := operation.LeftOver(steps), op.Spec.Type
	rest, _ := c.rest()
	switch {
	case kind == v1alpha1.OperationDelete:
	case c.facts.Deleting:
		return v1alpha1.OperationCancelled, "overtaken: the node pool is being deleted" + left
	case kind != v1alpha1.OperationCreate && rest > op.Status.Generation:
		return v1alpha1.OperationCancelled, "overtaken: the spec has changed again" + left
	case c.lacks(), c.refused != nil && kind != v1alpha1.OperationScale:
		return v1alpha1.OperationFailed, reconcile.As(c.refused).Message + left
	case c.done(op):
		return v1alpha1.OperationSucceeded, c.succeeded(op)
	case kind == v1alpha1.OperationCreate && phase(c.facts) == v1alpha1.PoolError:
		return v1alpha1.OperationFailed, c.trouble + left + "; the pool goes on trying"
	case kind == v1alpha1.OperationUpdate && c.givenUp != "":
		return v1alpha1.OperationFailed, c.givenUp + left
	case c.late(op):
		return v1alpha1.OperationFailed, fmt.Sprintf("not done within %s%s; the pool goes on trying", operation.Took(c.limit(op)), left)
	}
	return v1alpha1.OperationRunning, ""
}

// limit is how long an Operation may take; zero is for ever. Nodes that do not come are tried
// again after the time that each may take, and those that are replaced are so one after the other.
func (c changes) limit(op *v1alpha1.Operation) time.Duration {
	switch op.Spec.Type {
	case v1alpha1.OperationResync:
		return 10 * time.Minute
	case v1alpha1.OperationCreate, v1alpha1.OperationScale, v1alpha1.OperationHeal:
		return 4 * creationTimeout(c.pool.Spec)
	case v1alpha1.OperationUpdate, v1alpha1.OperationReplaceNode, v1alpha1.OperationEvictNode:
		return time.Duration(1+c.facts.Wanted) * 2 * creationTimeout(c.pool.Spec)
	case v1alpha1.OperationRebootNode:
		return time.Duration(len(op.Spec.Nodes)) * rebootTimeout
	default:
		return 0
	}
}

// deadline is when an Operation that runs has failed; zero without a limit.
func (c changes) deadline(op *v1alpha1.Operation) (never time.Time) {
	limit := c.limit(op)
	if limit == 0 || op.Status.StartedAt == nil {
		return never
	}
	return op.Status.StartedAt.Add(limit)
}

func (c changes) late(op *v1alpha1.Operation) bool {
	deadline := c.deadline(op)
	return !deadline.IsZero() && c.now.After(deadline)
}

// succeeded is the last word on an Operation that has done what it was to do.
func (c changes) succeeded(op *v1alpha1.Operation) string {
	words := success(op)
	switch op.Spec.Type {
	case v1alpha1.OperationCreate, v1alpha1.OperationScale:
		if words = fmt.Sprintf("the pool has its %d nodes", c.facts.Wanted); c.facts.Wanted == 1 {
			words = "the pool has its node"
		}
	}
	merged := op.Status.Merged
	if c.Merges(op) {
		merged++
	}
	switch merged {
	case 0:
		return words
	case 1:
		return words + ", after the spec had changed once more"
	default:
		return fmt.Sprintf("%s, after the spec had changed %d times more", words, merged)
	}
}

// success is what can be said without a look at the pool.
func success(op *v1alpha1.Operation) string {
	switch op.Spec.Type {
	case v1alpha1.OperationUpdate:
		return "the pool is as the spec asks"
	case v1alpha1.OperationDelete:
		return "nothing is left of the node pool"
	case v1alpha1.OperationResync:
		return "all servers have been looked at in the cloud"
	case v1alpha1.OperationHeal, v1alpha1.OperationReplaceNode:
		return "other nodes are in the place of " + strings.Join(op.Spec.Nodes, ", ")
	case v1alpha1.OperationRebootNode:
		return "the servers of these nodes have been rebooted, and the nodes are Ready: " + strings.Join(op.Spec.Nodes, ", ")
	case v1alpha1.OperationEvictNode:
		return "the pool is smaller by " + strings.Join(op.Spec.Nodes, ", ")
	default:
		return "the pool has its nodes"
	}
}
