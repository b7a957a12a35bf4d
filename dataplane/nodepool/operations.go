package nodepool

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/operation"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// book is where the Operations on NodePools are written down.
func (r *Reconciler) book() *operation.Book {
	return &operation.Book{
		Client: r.Client, Live: r.Live, Now: r.Now, Events: r.events, Success: success,
		Kind: v1alpha1.TargetNodePool, What: "node pool",
		New:  func() client.Object { return &v1alpha1.NodePool{} },
		List: func() client.ObjectList { return &v1alpha1.NodePoolList{} },
	}
}

// operate writes down which Operations run and how far they are, before anything is done. One
// carries out what the spec asks for. A Resync changes nothing, and runs beside it: it is most
// asked for while another one does not come to its end.
func (r *Reconciler) operate(ctx context.Context, s *scope) error {
	book := r.book()
	history, err := book.Of(ctx, client.ObjectKeyFromObject(s.pool))
	if err != nil {
		return err
	}
	if err := book.CloseOthers(ctx, history, s.pool); err != nil {
		return err
	}
	asked := operation.About(history, s.pool)
	at := s.changes(r.Now())
	at.operations = only(asked, func(op *v1alpha1.Operation) bool { return !isResync(op) && !isRepair(op) })
	looks := resyncs{changes: at}
	looks.operations = only(asked, isResync)
	looking := operation.Decide(looks, looks.operations)
	carried := operation.Decide(at, at.operations)

	fixes := repairs{changes: at, change: carried.Running, held: cmp.Or(s.refused, s.blocked), gate: s.gate}
	fixes.operations = only(asked, isRepair)
	running := firstRunning(fixes.operations)
	if err := r.diagnose(ctx, s, carried.Running, running, asked); err != nil {
		return err
	}
	waits := slices.ContainsFunc(fixes.operations, func(op *v1alpha1.Operation) bool { return !op.Status.Phase.Finished() })
	heal, err := r.askForHeal(ctx, s, carried.Running, waits, history)
	if err != nil {
		return err
	}
	if heal != nil {
		history, fixes.operations = append(history, heal), append(fixes.operations, heal)
	}
	fixes.diagnosis, fixes.stalled, fixes.wish = s.diagnosis, s.stalled, s.wish()
	fixing := operation.Decide(fixes, fixes.operations)
	s.begin(fixing.Running)
	name := ""
	for _, part := range []struct {
		operation.Target
		operation.Decision
	}{{looks, looking}, {fixes, fixing}, {at, carried}} {
		again, err := book.Enact(ctx, part.Target, s.pool, history, part.Decision)
		if err != nil {
			return err
		}
		s.again = reconcile.Earliest(s.again, again)
		if op := part.Running; op != nil {
			name = op.Name
			if limit := at.deadline(op); !limit.IsZero() {
				s.again = reconcile.Earliest(s.again, max(time.Second, limit.Sub(r.Now())+time.Second))
			}
		}
	}
	if looking.Running != nil {
		s.resync = string(looking.Running.UID)
	}
	s.pool.Status.Operation = name
	if s.pool.DeletionTimestamp == nil {
		s.pool.Status.Accepted = at.takenUp(carried)
	}
	return nil
}

// only are those of some Operations that are of a kind.
func only(operations []*v1alpha1.Operation, is func(*v1alpha1.Operation) bool) []*v1alpha1.Operation {
	return slices.DeleteFunc(slices.Clone(operations), func(op *v1alpha1.Operation) bool { return !is(op) })
}

// firstRunning is the first that runs, of those of which one does at a time.
func firstRunning(operations []*v1alpha1.Operation) *v1alpha1.Operation {
	for _, op := range operations {
		if op.Status.Phase == v1alpha1.OperationRunning {
			return op
		}
	}
	return nil
}

func isResync(op *v1alpha1.Operation) bool { return op.Spec.Type == v1alpha1.OperationResync }

// changes are the Operations that carry out what the spec of a pool asks for.
type changes struct {
	pool     *v1alpha1.NodePool
	machines []v1alpha1.Machine
	network  *v1alpha1.ClusterNetwork
	facts    facts
	// refused is why a person has to change something.
	refused error
	// servers is how many Machines there are that have a server and stay, and current is how
	// many of these are of the kind that is asked for, of which currentReady are ready.
	servers, current, currentReady int
	// shaped is whether all that is changed in Machines as they are is in them.
	shaped bool
	// moved is whether there are more Machines, or fewer, than the pass before has left: some
	// that it made may not be in the cache yet.
	moved bool
	// trouble is what the first Machine says that needs somebody, or what all wait for.
	trouble string
	// note is what is to be said of how nodes are changed.
	note string
	// givenUp is why the replacement of nodes has stopped for good.
	givenUp    string
	operations []*v1alpha1.Operation
	now        time.Time
}

func (s *scope) changes(now time.Time) changes {
	c := changes{pool: s.pool, machines: s.machines, network: s.network, facts: s.facts(), refused: s.refused, now: now, shaped: true}
	c.moved = int(s.pool.Status.Replicas) != len(s.machines)
	w := s.wish()
	for _, m := range s.machines {
		if m.DeletionTimestamp != nil {
			continue
		}
		c.shaped = c.shaped && s.isShaped(&m)
		if m.Status.ServerID == "" {
			continue
		}
		c.servers++
		if w.isCurrent(m) {
			c.current++
			if isReady(m) {
				c.currentReady++
			}
		}
	}
	if m := s.first(); m != nil && m.DeletionTimestamp == nil && failing(*m) {
		c.trouble = "node " + m.Name + ": " + said(m)
	} else if why := s.waits(c.facts); why != nil {
		c.trouble = reconcile.As(why).Message
	}
	c.trouble = cmp.Or(s.stopped(), s.room(), c.trouble)
	if w.replacesInPlace(s.machines) {
		c.note = "nodes are replaced and not made anew in place, as more of them changes than the version and the image"
	}
	if w.isGivenUp(s.machines) {
		c.givenUp = s.stopped()
	}
	return c
}

// Subject implements operation.Target.
func (c changes) Subject() operation.Subject {
	p := c.pool
	labels := map[string]string{v1alpha1.LabelShard: v1alpha1.DefaultShard, v1alpha1.LabelClusterName: p.Spec.ClusterRef.Name, v1alpha1.LabelClusterNamespace: p.Namespace}
	return operation.Subject{Kind: v1alpha1.TargetNodePool, Namespace: p.Namespace, Name: p.Name, UID: p.UID, Generation: p.Generation, Labels: labels}
}

// Wanted implements operation.Target. Another number of nodes is carried out also while the
// rest of the spec is refused.
func (c changes) Wanted() *operation.Wish {
	pool, accepted := c.pool, c.pool.Status.Accepted
	wish := func(kind v1alpha1.OperationType, generation int64) *operation.Wish {
		return &operation.Wish{Kind: kind, Generation: generation}
	}
	switch {
	case pool.DeletionTimestamp != nil:
		return wish(v1alpha1.OperationDelete, pool.Generation)
	case !c.facts.BeenReady && (accepted == nil || accepted.Refused):
		return wish(v1alpha1.OperationCreate, pool.Generation)
	case accepted == nil:
		return nil // made before changes were recorded
	}
	if generation, changed := c.rest(); changed || accepted.Refused {
		if update := wish(v1alpha1.OperationUpdate, generation); operation.IsNew(c, *update, c.operations) {
			return update
		}
	}
	if accepted.Replicas != int32(c.facts.Wanted) && !shrunk(pool) {
		return wish(v1alpha1.OperationScale, pool.Generation)
	}
	return nil
}

// rest is the generation that all of the spec came with but for the number of nodes, and
// whether it differs from what has been taken up.
func (c changes) rest() (generation int64, changed bool) {
	accepted := c.pool.Status.Accepted
	if accepted == nil || accepted.Rest != restOf(c.pool.Spec) {
		return c.pool.Generation, true
	}
	return accepted.Generation, false
}

// restOf stands for all of a spec but for the number of nodes, which of them go first, and how
// they are healed, which changes none of them: an update of Marina brings defaults of it.
func restOf(spec v1alpha1.NodePoolSpec) string {
	spec.Replicas, spec.NodesToRemove = nil, nil
	spec.AutoHeal, spec.CreationTimeoutSeconds = v1alpha1.PoolAutoHeal{}, nil
	data, err := json.Marshal(spec)
	if err != nil {
		panic(err) // of such types there is always one
	}
	h := fnv.New64a()
	h.Write(data)
	return fmt.Sprintf("%016x", h.Sum64())
}

// takenUp is what counts as taken up after a decision. What is refused is wished for on, so
// that it is begun again when the cause is gone.
func (c changes) takenUp(d operation.Decision) *v1alpha1.AcceptedPool {
	refused := c.refused != nil
	next := v1alpha1.AcceptedPool{Replicas: int32(c.facts.Wanted), Rest: restOf(c.pool.Spec), Refused: refused}
	generation, changed := c.rest()
	next.Generation = generation
	if before := c.pool.Status.Accepted; before != nil {
		failed := slices.ContainsFunc(d.Verdicts, func(v operation.Verdict) bool {
			return v.Phase == v1alpha1.OperationFailed && v.Operation.Status.StartedAt != nil && v.Operation.Spec.Type != v1alpha1.OperationScale
		})
		next.Refused = refused && (changed || before.Refused || failed)
		if c.lacks() {
			next.Replicas = before.Replicas
		}
	}
	return &next
}

// lacks reports whether there are to be more nodes, which are refused.
func (c changes) lacks() bool { return c.refused != nil && c.facts.Live < c.facts.Wanted }

// Refused implements operation.Target.
func (c changes) Refused() bool { return c.refused != nil }

// Resumes implements operation.Target.
func (c changes) Resumes(*v1alpha1.Operation) bool { return false }

// Merges implements operation.Target: another number of nodes supersedes the one before, and
// goes on with what runs. A creation takes up anything.
func (c changes) Merges(op *v1alpha1.Operation) bool {
	accepted := c.pool.Status.Accepted
	if accepted == nil || c.facts.Deleting || op.Status.Generation >= c.pool.Generation {
		return false
	}
	_, changed := c.rest()
	scaled := accepted.Replicas != int32(c.facts.Wanted)
	switch op.Spec.Type {
	case v1alpha1.OperationCreate:
		return changed || scaled
	case v1alpha1.OperationScale, v1alpha1.OperationUpdate:
		return scaled && !changed
	default:
		return false
	}
}

// Admit implements operation.Target.
func (c changes) Admit(op *v1alpha1.Operation) (v1alpha1.OperationPhase, string) {
	want := c.Wanted()
	reason := ""
	switch kind := op.Spec.Type; {
	case want != nil && want.Is(op):
	case c.facts.Deleting:
		reason = "the node pool is being deleted"
	case kind == v1alpha1.OperationDelete, c.done(op):
		reason = fmt.Sprintf("there is nothing left to do of type %s", kind)
	}
	if reason == "" {
		reason = operation.CannotRetry(op, c.operations, "node pool")
	}
	if reason == "" {
		return "", ""
	}
	return v1alpha1.OperationFailed, reason
}
