package nodepool

import (
	"context"
	"fmt"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/operation"
)

// resyncs are the Operations that have the cloud looked at early.
type resyncs struct{ changes }

// Wanted implements operation.Target: only users ask for one.
func (resyncs) Wanted() *operation.Wish { return nil }

// Merges implements operation.Target.
func (resyncs) Merges(*v1alpha1.Operation) bool { return false }

// Admit implements operation.Target.
func (r resyncs) Admit(op *v1alpha1.Operation) (v1alpha1.OperationPhase, string) {
	reason := operation.CannotRetry(op, r.operations, "node pool")
	if r.facts.Deleting {
		reason = "the node pool is being deleted"
	}
	if reason == "" {
		return "", ""
	}
	return v1alpha1.OperationFailed, reason
}

// Steps implements operation.Target.
func (r resyncs) Steps(op *v1alpha1.Operation) (steps []operation.Step, note string) {
	done := r.network != nil
	for i := range r.machines {
		pool, _ := resynced(&r.machines[i])
		done = done && (r.machines[i].DeletionTimestamp != nil || pool == string(op.UID))
	}
	return []operation.Step{{Name: "Servers", Done: done, Message: "not all servers have been looked at"}}, ""
}

// Judge implements operation.Target.
func (r resyncs) Judge(op *v1alpha1.Operation) (v1alpha1.OperationPhase, string) {
	steps, _ := r.Steps(op)
	switch left := operation.LeftOver(steps); {
	case r.facts.Deleting:
		return v1alpha1.OperationCancelled, "overtaken: the node pool is being deleted" + left
	case operation.AllDone(steps):
		return v1alpha1.OperationSucceeded, success(op)
	case r.late(op):
		return v1alpha1.OperationFailed, fmt.Sprintf("not done within %s%s", operation.Took(r.limit(op)), left)
	}
	return v1alpha1.OperationRunning, ""
}

// resynced are the Resyncs of its pool and of its Cluster for which the server of a Machine has
// been looked at.
func resynced(m *v1alpha1.Machine) (pool, cluster string) {
	pool, cluster, _ = strings.Cut(m.Status.Resynced, "/")
	return pool, cluster
}

// passResync passes the Resync that runs on to the Machines, also while the spec is refused, and
// tells the Cluster when its own has reached all of them. What was asked for before stays.
func (r *Reconciler) passResync(ctx context.Context, s *scope) error {
	for i := range s.machines {
		m := &s.machines[i]
		if s.resync == "" || m.Spec.Resync == s.resync || m.DeletionTimestamp != nil {
			continue
		}
		before := m.DeepCopy()
		m.Spec.Resync = s.resync
		err := r.Client.Patch(ctx, m, client.MergeFrom(before), client.FieldOwner(v1alpha1.FieldOwner))
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("having Machine %s looked at: %w", m.Name, err)
		}
	}
	if s.network == nil || s.network.Spec.Resync == "" {
		return nil
	}
	for i := range s.machines {
		if _, cluster := resynced(&s.machines[i]); cluster != s.network.Spec.Resync && s.machines[i].DeletionTimestamp == nil {
			return nil
		}
	}
	s.pool.Status.Resynced = s.network.Spec.Resync
	return nil
}
