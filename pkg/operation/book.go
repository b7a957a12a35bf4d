package operation

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
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// indexTarget finds Operations by the name of their target.
const indexTarget = "spec.targetRef.name"

// AddIndexes makes the indexes known to a manager. It is called once, before the
// controllers that keep Books are set up.
func AddIndexes(ctx context.Context, mgr ctrl.Manager) error {
	return mgr.GetFieldIndexer().IndexField(ctx, &v1alpha1.Operation{}, indexTarget, targetOf)
}

// Index is the index that AddIndexes makes, for clients that have none of a manager.
func Index() (object client.Object, field string, values client.IndexerFunc) {
	return &v1alpha1.Operation{}, indexTarget, targetOf
}

func targetOf(object client.Object) []string {
	return []string{object.(*v1alpha1.Operation).Spec.TargetRef.Name}
}

// Book is where the Operations on the objects of one kind are written down.
type Book struct {
	Client client.Client
	// Live reads past the cache, for what must not be missed.
	Live client.Reader
	// Kind is that of the objects, and What is the word for one.
	Kind, What string
	// Success is the last word on an Operation that has done what it was to do.
	Success func(*v1alpha1.Operation) string
	// New and List make an empty object of the kind and an empty list.
	New  func() client.Object
	List func() client.ObjectList
	// Events tells people what became of an Operation; nil tells nobody.
	Events events.EventRecorder
	Now    func() time.Time
}

// Of are the Operations on objects of a name, the oldest first. They are copies.
func (b *Book) Of(ctx context.Context, key types.NamespacedName) ([]*v1alpha1.Operation, error) {
	list := &v1alpha1.OperationList{}
	if err := b.Client.List(ctx, list, client.InNamespace(key.Namespace), client.MatchingFields{indexTarget: key.Name}); err != nil {
		return nil, err
	}
	return b.sorted(list), nil
}

// sorted are those of the kind, the oldest first.
func (b *Book) sorted(list *v1alpha1.OperationList) []*v1alpha1.Operation {
	operations := make([]*v1alpha1.Operation, 0, len(list.Items))
	for i := range list.Items {
		if KindOf(&list.Items[i]) == b.Kind {
			operations = append(operations, &list.Items[i])
		}
	}
	slices.SortFunc(operations, byAge)
	return operations
}

// KindOf is the kind of object that an Operation is about.
func KindOf(op *v1alpha1.Operation) string {
	return cmp.Or(op.Spec.TargetRef.Kind, v1alpha1.TargetCluster)
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

// IsAbout reports whether an Operation on an object of a name is about this one, and not
// about an earlier one of its name.
func IsAbout(op *v1alpha1.Operation, object client.Object) bool {
	if uid := op.Spec.TargetRef.UID; uid != "" {
		return uid == object.GetUID()
	}
	// One that waits is about the one that there is now.
	created := object.GetCreationTimestamp()
	return !op.Status.Phase.Finished() || !op.CreationTimestamp.Before(&created)
}

// About are those Operations on objects of a name that are about this one.
func About(history []*v1alpha1.Operation, object client.Object) (about []*v1alpha1.Operation) {
	for _, op := range history {
		if IsAbout(op, object) {
			about = append(about, op)
		}
	}
	return about
}

// verdictsPerPass is how many Operations end in one pass at most.
const verdictsPerPass = 20

// Enact writes down what was decided: what ends, what begins, and how far that is. History
// are all Operations on objects of the name. Again is when another pass is needed; zero is
// no matter.
func (b *Book) Enact(ctx context.Context, t Target, object client.Object, history []*v1alpha1.Operation, d Decision) (again time.Duration, err error) {
	now, generation := metav1.NewTime(b.Now()), t.Subject().Generation
	if len(d.Verdicts) > verdictsPerPass {
		// Somebody has made very many; others have their turn in between.
		d.Verdicts, again = d.Verdicts[:verdictsPerPass], time.Second
	}
	for _, v := range d.Verdicts {
		before := v.Operation.DeepCopy()
		if v.Phase == v1alpha1.OperationSucceeded && v.Operation.Status.StartedAt == nil {
			// A record whose maker was killed before it had said so.
			v.Operation.Status.StartedAt = &now
		}
		merge(v.Operation, d, generation)
		steps, _ := t.Steps(v.Operation)
		Conclude(v.Operation, steps, v, now)
		if err := b.patch(ctx, before, v.Operation); err != nil {
			return again, err
		}
		b.tell(object, v)
	}
	op := d.Running
	if d.Create {
		if err := b.create(ctx, op); err != nil {
			return again, err
		}
		history = append(slices.Clone(history), op)
	}
	if d.Begins || len(d.Verdicts) > 0 {
		if err := b.prune(ctx, history); err != nil {
			return again, err
		}
	}
	if op == nil {
		return again, nil
	}
	before := op.DeepCopy()
	merge(op, d, generation)
	if d.Begins || op.Status.StartedAt.After(now.Add(time.Minute)) {
		// A clock that was set back would let it run for ever.
		op.Status.Phase, op.Status.StartedAt, op.Status.Generation = v1alpha1.OperationRunning, &now, generation
	}
	steps, note := t.Steps(op)
	Report(op, steps, now)
	op.Status.Message = note
	return again, b.patch(ctx, before, op)
}

// merge has an Operation be of the newer spec that it takes up.
func merge(op *v1alpha1.Operation, d Decision, generation int64) {
	if op == d.Merged && op.Status.Generation < generation {
		op.Status.Generation = generation
		op.Status.Merged++
	}
}

// Record writes down something that has been done already, at a time.
func (b *Book) Record(ctx context.Context, object client.Object, op *v1alpha1.Operation, message string, at metav1.Time) error {
	if err := b.create(ctx, op); err != nil {
		return err
	}
	before := op.DeepCopy()
	op.Status.StartedAt, op.Status.Generation = &at, object.GetGeneration()
	v := Verdict{op, v1alpha1.OperationSucceeded, message}
	Conclude(op, nil, v, at)
	if err := b.patch(ctx, before, op); err != nil {
		return err
	}
	b.tell(object, v)
	return nil
}

// Ask makes an Operation as users do, which may begin in this pass.
func (b *Book) Ask(ctx context.Context, op *v1alpha1.Operation) error { return b.create(ctx, op) }

// create makes an Operation that follows from the spec.
func (b *Book) create(ctx context.Context, op *v1alpha1.Operation) error {
	err := b.Client.Create(ctx, op, client.FieldOwner(v1alpha1.FieldOwner))
	if apierrors.IsAlreadyExists(err) {
		known := &v1alpha1.Operation{}
		if err := b.Live.Get(ctx, client.ObjectKeyFromObject(op), known); err != nil {
			return client.IgnoreNotFound(err)
		}
		if known.Spec.TargetRef == op.Spec.TargetRef && known.Spec.Type == op.Spec.Type && known.Spec.Version == op.Spec.Version {
			return ErrBehind
		}
		// Somebody else has taken the name, which can be foreseen.
		op.GenerateName, op.Name = op.Name+"-", ""
		err = b.Client.Create(ctx, op, client.FieldOwner(v1alpha1.FieldOwner))
	}
	if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return &reconcile.Error{Kind: reconcile.KindWait, Reason: "NamespaceDeleted", After: time.Second, Err: err,
			Message: fmt.Sprintf("the namespace %s is being deleted, and the %s with it", op.Namespace, b.What)}
	}
	if err != nil {
		return fmt.Errorf("recording the operation: %w", err)
	}
	return nil
}

// ErrBehind says that the cache does not know yet what an earlier pass wrote. Status would
// tell of what is not known: nothing is written then.
var ErrBehind = reconcile.WaitFor(100*time.Millisecond, "HistoryBehind", "the operation has been recorded and is not seen yet")

// patch writes the status of an Operation, if it has changed. It is refused if somebody has
// written since, and then decided anew.
func (b *Book) patch(ctx context.Context, before, op *v1alpha1.Operation) error {
	if data, err := client.MergeFrom(before).Data(op); err != nil || string(data) == "{}" {
		return err
	}
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	err := b.Client.Status().Patch(ctx, op, patch, client.FieldOwner(v1alpha1.FieldOwner))
	switch {
	case apierrors.IsConflict(err), apierrors.IsNotFound(err):
		return ErrBehind
	case err != nil:
		return fmt.Errorf("writing the status of operation %s: %w", op.Name, err)
	}
	return nil
}

// tell tells people what became of an Operation, beside the object.
func (b *Book) tell(object client.Object, v Verdict) {
	kind := corev1.EventTypeNormal
	if v.Phase != v1alpha1.OperationSucceeded {
		kind = corev1.EventTypeWarning
	}
	b.Events.Eventf(object, v.Operation, kind, string(v.Operation.Spec.Type)+string(v.Phase), "Operate", "operation %s: %s", v.Operation.Name, v.Message)
}

// Forgivable is nil for an error that must not hold up a deletion: in a namespace that
// is being deleted nothing can be recorded any more.
func Forgivable(err error) error {
	if apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) || apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
