package cluster

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// indexTarget finds Operations by the name of their target.
const indexTarget = "spec.targetRef.name"

// AddIndexes makes the indexes known to a manager. It is called once, before
// SetupWithManager.
func AddIndexes(ctx context.Context, mgr ctrl.Manager) error {
	return mgr.GetFieldIndexer().IndexField(ctx, &v1alpha1.Operation{}, indexTarget, targetOf)
}

func targetOf(object client.Object) []string {
	return []string{object.(*v1alpha1.Operation).Spec.TargetRef.Name}
}

// operationsOf are the Operations on Clusters of a name, the oldest first. They are
// copies.
func (r *Reconciler) operationsOf(ctx context.Context, key types.NamespacedName) ([]*v1alpha1.Operation, error) {
	list := &v1alpha1.OperationList{}
	if err := r.Client.List(ctx, list, client.InNamespace(key.Namespace), client.MatchingFields{indexTarget: key.Name}); err != nil {
		return nil, err
	}
	operations := make([]*v1alpha1.Operation, 0, len(list.Items))
	for i := range list.Items {
		operations = append(operations, &list.Items[i])
	}
	slices.SortFunc(operations, byAge)
	return operations, nil
}

// byAge sorts the oldest first. Creation times have seconds only: of two of one
// second, the one that began first is older.
func byAge(a, b *v1alpha1.Operation) int {
	started := func(op *v1alpha1.Operation) time.Time {
		if op.Status.StartedAt == nil {
			return time.Unix(1<<40, 0)
		}
		return op.Status.StartedAt.Time
	}
	return cmp.Or(
		a.CreationTimestamp.Compare(b.CreationTimestamp.Time),
		started(a).Compare(started(b)),
		cmp.Compare(a.Name, b.Name))
}

// isAbout reports whether an Operation is about this Cluster and not about an earlier
// one of its name.
func isAbout(op *v1alpha1.Operation, cluster *v1alpha1.Cluster) bool {
	if uid := op.Spec.TargetRef.UID; uid != "" {
		return uid == cluster.UID
	}
	// One that waits is about the one that there is now.
	return !op.Status.Phase.Finished() || !op.CreationTimestamp.Before(&cluster.CreationTimestamp)
}

// verdictsPerPass is how many Operations end in one pass at most.
const verdictsPerPass = 20

// enact writes down what was decided: what ends, what begins, and how far that is.
func (r *Reconciler) enact(ctx context.Context, s *scope, d decision) error {
	now := metav1.NewTime(r.Now())
	if len(d.verdicts) > verdictsPerPass {
		// Somebody has made very many; others have their turn in between.
		d.verdicts, s.again = d.verdicts[:verdictsPerPass], time.Second
	}
	for _, v := range d.verdicts {
		before := v.operation.DeepCopy()
		if v.phase == v1alpha1.OperationSucceeded && v.operation.Status.StartedAt == nil {
			// A record whose maker was killed before it had said so.
			v.operation.Status.StartedAt = &now
		}
		conclude(v.operation, stepsOf(v.operation, s.situation(now.Time)), v, now)
		if err := r.patchOperation(ctx, before, v.operation); err != nil {
			return err
		}
		r.operationEvent(s.cluster, v)
	}
	op, history := d.running, s.history
	if d.create {
		if err := r.record(ctx, op); err != nil {
			return err
		}
		history = append(slices.Clone(history), op)
	}
	if d.begins || len(d.verdicts) > 0 {
		if err := r.prune(ctx, history); err != nil {
			return err
		}
	}
	if op == nil {
		return nil
	}
	before := op.DeepCopy()
	if d.begins || op.Status.StartedAt.After(now.Add(time.Minute)) {
		// A clock that was set back would let it run for ever.
		op.Status.Phase, op.Status.StartedAt, op.Status.Generation = v1alpha1.OperationRunning, &now, s.cluster.Generation
	}
	report(op, stepsOf(op, s.situation(now.Time)), now)
	op.Status.Message = ""
	if op.Spec.Cancel {
		op.Status.Message = "stopping at the next safe point, which is when all replicas of what has begun are ready"
		if op.Spec.Type == v1alpha1.OperationUpgrade {
			op.Status.Message += "; spec.version " + s.cluster.Status.Version + " goes back at once"
		}
	}
	return r.patchOperation(ctx, before, op)
}

// record creates an Operation that follows from the spec.
func (r *Reconciler) record(ctx context.Context, op *v1alpha1.Operation) error {
	err := r.Client.Create(ctx, op, client.FieldOwner(v1alpha1.FieldOwner))
	if apierrors.IsAlreadyExists(err) {
		known := &v1alpha1.Operation{}
		if err := r.Live.Get(ctx, client.ObjectKeyFromObject(op), known); err != nil {
			return client.IgnoreNotFound(err)
		}
		if known.Spec.TargetRef == op.Spec.TargetRef && known.Spec.Type == op.Spec.Type && known.Spec.Version == op.Spec.Version {
			return errHistoryBehind
		}
		// Somebody else has taken the name, which can be foreseen.
		op.GenerateName, op.Name = op.Name+"-", ""
		err = r.Client.Create(ctx, op, client.FieldOwner(v1alpha1.FieldOwner))
	}
	if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return &reconcile.Error{Kind: reconcile.KindWait, Reason: "NamespaceDeleted", After: time.Second, Err: err,
			Message: fmt.Sprintf("the namespace %s is being deleted, and the cluster with it", op.Namespace)}
	}
	if err != nil {
		return fmt.Errorf("recording the operation: %w", err)
	}
	return nil
}

// errHistoryBehind says that the cache does not know yet what an earlier pass wrote.
var errHistoryBehind = reconcile.WaitFor(100*time.Millisecond, "HistoryBehind", "the operation has been recorded and is not seen yet")

// patchOperation writes the status of an Operation, if it has changed. It is refused
// if somebody has written since, and then decided anew.
func (r *Reconciler) patchOperation(ctx context.Context, before, op *v1alpha1.Operation) error {
	if data, err := client.MergeFrom(before).Data(op); err != nil || string(data) == "{}" {
		return err
	}
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	err := r.Client.Status().Patch(ctx, op, patch, client.FieldOwner(v1alpha1.FieldOwner))
	switch {
	case apierrors.IsConflict(err), apierrors.IsNotFound(err):
		return errHistoryBehind
	case err != nil:
		return fmt.Errorf("writing the status of operation %s: %w", op.Name, err)
	}
	return nil
}

// refusalsKept is how many are kept at most of those that have ended without having
// begun: who asks again and again must not push out what has been done.
const refusalsKept = 10

// surplus are those to be deleted, so that no more than v1alpha1.OperationsKept are
// left: of those that have ended, refusals beyond refusalsKept, and then the oldest.
// operations come the oldest first.
func surplus(operations []*v1alpha1.Operation) []*v1alpha1.Operation {
	var delete, rest []*v1alpha1.Operation
	refusals, unfinished := 0, 0
	for _, op := range slices.Backward(operations) {
		if !op.Status.Phase.Finished() {
			if op.Status.StartedAt != nil {
				unfinished++
			}
			// One that waits may be refused, and must not push out anything before that.
			continue
		}
		if op.Status.StartedAt == nil {
			if refusals++; refusals > refusalsKept {
				delete = append(delete, op)
				continue
			}
		}
		rest = append(rest, op)
	}
	over := len(rest) + unfinished - v1alpha1.OperationsKept
	over = min(max(over, 0), len(rest))
	return append(delete, rest[len(rest)-over:]...)
}

// prune deletes the surplus.
func (r *Reconciler) prune(ctx context.Context, operations []*v1alpha1.Operation) error {
	for _, op := range surplus(operations) {
		if err := client.IgnoreNotFound(r.Client.Delete(ctx, op)); err != nil {
			return fmt.Errorf("deleting old operations: %w", err)
		}
	}
	return nil
}

// closeHistory ends what was to be done to Clusters of a name that is gone. Their
// history stays; of all Clusters of the project that are gone together, no more than
// v1alpha1.OperationsKept Operations do.
func (r *Reconciler) closeHistory(ctx context.Context, key types.NamespacedName) error {
	operations, err := r.operationsOf(ctx, key)
	if err != nil || len(operations) == 0 {
		return err
	}
	// The cache may hear of an Operation before its Cluster.
	if err := r.Live.Get(ctx, key, &v1alpha1.Cluster{}); err == nil {
		return errHistoryBehind
	} else if !apierrors.IsNotFound(err) {
		return err
	}
	if err := r.close(ctx, operations, fmt.Sprintf("refused: there is no cluster %s in this namespace", key.Name)); err != nil {
		return err
	}
	return r.pruneOrphans(ctx, key.Namespace)
}

// close ends Operations of Clusters that are gone; refusal is what those are told that
// have not begun.
func (r *Reconciler) close(ctx context.Context, operations []*v1alpha1.Operation, refusal string) error {
	now := metav1.NewTime(r.Now())
	for _, op := range operations {
		if op.Status.Phase.Finished() {
			continue
		}
		v := verdict{op, v1alpha1.OperationCancelled, "overtaken: the cluster has been deleted"}
		switch {
		case op.Spec.Type == v1alpha1.OperationDelete && op.Status.Phase == v1alpha1.OperationRunning:
			v.phase, v.message = v1alpha1.OperationSucceeded, success(op)
		case op.Status.Phase != v1alpha1.OperationRunning:
			v.phase, v.message = v1alpha1.OperationFailed, refusal
		}
		before := op.DeepCopy()
		conclude(op, nil, v, now)
		if err := r.patchOperation(ctx, before, op); err != nil {
			return err
		}
	}
	return nil
}

// pruneOrphans deletes the oldest Operations of Clusters that are gone.
func (r *Reconciler) pruneOrphans(ctx context.Context, namespace string) error {
	clusters, list := &v1alpha1.ClusterList{}, &v1alpha1.OperationList{}
	if err := r.Client.List(ctx, clusters, client.InNamespace(namespace)); err != nil {
		return err
	}
	if err := r.Client.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return err
	}
	var orphans []*v1alpha1.Operation
	for i := range list.Items {
		op := &list.Items[i]
		if !slices.ContainsFunc(clusters.Items, func(c v1alpha1.Cluster) bool { return c.Name == op.Spec.TargetRef.Name }) {
			orphans = append(orphans, op)
		}
	}
	slices.SortFunc(orphans, byAge)
	return r.prune(ctx, orphans)
}

// operationEvent tells people what became of an Operation, beside the Cluster.
func (r *Reconciler) operationEvent(cluster *v1alpha1.Cluster, v verdict) {
	kind := corev1.EventTypeNormal
	if v.phase != v1alpha1.OperationSucceeded {
		kind = corev1.EventTypeWarning
	}
	r.events.Eventf(cluster, v.operation, kind, string(v.operation.Spec.Type)+string(v.phase), "Operate", "operation %s: %s", v.operation.Name, v.message)
}

// forgivable is nil for an error that must not hold up a deletion: in a namespace that
// is being deleted nothing can be recorded any more.
func forgivable(err error) error {
	if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) || apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
