package nodepool

import (
	"cmp"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// facts are what a phase is derived from.
type facts struct {
	// Deleting: the pool has been deleted.
	Deleting bool
	// Refused: a person has to change the spec, or what it names.
	Refused bool
	// Blocked: no node can be made now.
	Blocked bool
	// BeenReady: it has had all its nodes before.
	BeenReady bool
	// Wanted is how many nodes there are to be.
	Wanted int
	// Live is how many Machines there are that are not going away, of which Ready are ready,
	// and Failing need somebody, or something that has not happened yet.
	Live, Ready, Failing int
	// Stuck is how many of those that fail do so until a person has changed something.
	Stuck int
	// Going is how many are going away.
	Going int
	// Old is how many there are of another kind, of which OldVersion have another version.
	Old, OldVersion int
	// Lost: a node that was ready is not.
	Lost bool
	// Stopped: new nodes do not come, so that no others are replaced. GivenUp: and that is so for
	// good, so that the others go on as a pool of their own, without the Vain that did not come.
	Stopped, GivenUp bool
	Vain             int
}

// settled reports whether a pool is as asked.
func (f facts) settled() bool {
	return f.Live == f.Wanted && f.Ready == f.Wanted && f.Old == 0 && f.Going == 0
}

// phase is derived from facts alone, never from the phase before: a restart at any point
// finds the same one.
func phase(f facts) v1alpha1.PoolPhase {
	switch {
	case f.Deleting:
		return v1alpha1.PoolDeleting
	case f.Refused && f.Live+f.Going == 0:
		return v1alpha1.PoolError
	case f.Refused:
		return v1alpha1.PoolDegraded
	case f.settled() && (f.Wanted > 0 || !f.Blocked || f.BeenReady):
		return v1alpha1.PoolActive
	case f.Blocked && f.Live+f.Going == 0 && !f.BeenReady:
		return v1alpha1.PoolPending
	case !f.BeenReady && f.Stuck > 0 && f.Stuck == f.Live:
		return v1alpha1.PoolError
	case !f.BeenReady && f.Failing == 0:
		return v1alpha1.PoolCreating
	case f.Failing > 0, f.Lost, f.Stopped, f.Blocked && f.Live < f.Wanted:
		return v1alpha1.PoolDegraded
	case f.OldVersion > 0:
		return v1alpha1.PoolUpgrading
	case f.Old > 0:
		return v1alpha1.PoolUpdating
	default:
		return v1alpha1.PoolScaling
	}
}

// facts are those of a pass.
func (s *scope) facts() facts {
	w := s.wish()
	f := facts{
		Deleting: s.pool.DeletionTimestamp != nil, Refused: s.refused != nil, Blocked: s.blocked != nil,
		BeenReady: s.pool.Status.ReadySince != nil, Wanted: replicas(w.spec), Stopped: w.isStopped(s.machines),
	}
	staying, givenUp := w.staying(s.machines)
	f.GivenUp, f.Vain = givenUp, len(s.machines)-len(staying)
	makesRoom := w.makesRoom(s.machines)
	for _, m := range s.machines {
		going := m.DeletionTimestamp != nil
		// What is asked for is not known while it is not known what nodes run.
		if w.template.Release != "" && !w.isCurrent(m) {
			f.Old++
			if releaseOf(m) != w.template.Release {
				f.OldVersion++
			}
		}
		if going {
			f.Going++
			continue
		}
		f.Live++
		switch {
		case isReady(m):
			f.Ready++
		case isRoomless(m) && makesRoom:
			// It comes when an old one has gone.
		case failing(m):
			f.Failing++
			if stuck(m) {
				f.Stuck++
			}
		case m.Rebuilding() && !m.Renewing():
			// It comes back.
		case m.Status.ReadySince != nil:
			f.Lost = true
		}
	}
	return f
}

// writeStatus computes the status from what was observed; err is what the steps came to. A
// change of phase is an Event.
func (r *Reconciler) writeStatus(s *scope, err error) {
	status, generation := &s.pool.Status, s.pool.Generation
	f := s.facts()
	if f.settled() && !f.Refused && !f.Blocked && status.ReadySince == nil && !f.Deleting {
		now := metav1.NewTime(r.Now())
		status.ReadySince, f.BeenReady = &now, true
	}
	before := status.Phase
	status.ObservedGeneration = generation
	status.Phase = phase(f)
	status.Selector = v1alpha1.LabelPool + "=" + s.pool.Name
	if s.cluster != nil {
		status.Version = cmp.Or(s.template().Release, status.Version)
	}
	// Without its Cluster nobody knows where they are.
	if s.cluster != nil || f.Deleting {
		status.Replicas, status.ReadyReplicas = int32(f.Live+f.Going), int32(f.Ready)
		status.UpdatedReplicas, status.Nodes = 0, nil
		w := s.wish()
		for _, m := range s.machines {
			if m.DeletionTimestamp != nil {
				continue
			}
			status.Nodes = append(status.Nodes, m.Name)
			if w.isCurrent(m) {
				status.UpdatedReplicas++
			}
		}
		slices.Sort(status.Nodes)
	}
	problem := cmp.Or(s.refused, err)
	status.Message = s.message(f, problem)
	if f.Deleting {
		reconcile.SetCondition(&status.Conditions, v1alpha1.ConditionDeleting, generation, err, "")
	} else {
		meta.SetStatusCondition(&status.Conditions, specAccepted(cmp.Or(problem, s.blocked, s.waits(f)), generation))
	}
	if s.wish().makesRoom(s.machines) {
		s.again = reconcile.Earliest(s.again, guardInterval) // it may be over without an event
	}
	r.writeHealth(s)
	reconcile.SetCondition(&status.Conditions, v1alpha1.ConditionReady, generation, s.ready(f, problem), status.Message)
	r.writeFrozen(s)
	if status.Phase != before {
		r.phaseEvent(s.pool)
	}
}

// specAccepted tells whether the spec has been taken up. What may pass by itself is no
// refusal, whatever was said before.
func specAccepted(err error, generation int64) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionSpecAccepted, ObservedGeneration: generation}
	switch e := reconcile.As(err); {
	case e == nil:
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, "AsExpected", "the spec has been taken up"
	case e.Kind == reconcile.KindUser:
		c.Status, c.Reason, c.Message = metav1.ConditionFalse, e.Reason, e.Message
	default:
		c.Status, c.Reason, c.Message = metav1.ConditionUnknown, e.Reason, e.Message
	}
	return c
}

// ready is why not all nodes are ready that were asked for, nil if they are.
func (s *scope) ready(f facts, problem error) error {
	message := s.pool.Status.Message
	switch s.pool.Status.Phase {
	case v1alpha1.PoolError, v1alpha1.PoolDegraded:
		if problem != nil {
			return problem
		}
		if f.Stopped {
			return reconcile.UserError("ReplacementStopped", "%s", message)
		}
		if f.Lost && f.Old > 0 && f.Failing == 0 && !f.Blocked && !s.diagnosis.ofAPerson() {
			return reconcile.UserError(v1alpha1.ReasonReplacing, "%s", message)
		}
		return reconcile.UserError("NodesNotReady", "%s", message)
	case v1alpha1.PoolDeleting:
		return reconcile.Wait("Deleting", "%s", message)
	}
	switch {
	case problem != nil:
		return problem
	case s.blocked != nil && f.Ready < f.Wanted, s.pool.Status.Phase == v1alpha1.PoolPending:
		return s.blocked
	case f.Ready < f.Wanted:
		return cmp.Or(s.waits(f), reconcile.Wait("NodesNotReady", "%s", message))
	}
	return nil
}

// message is the sentence that tells most about a pool: how many nodes are ready, and what
// the first one says that is not.
func (s *scope) message(f facts, problem error) string {
	if problem != nil {
		return reconcile.As(problem).Message
	}
	if s.blocked != nil && (len(s.machines) == 0 || s.cluster == nil) {
		return reconcile.As(s.blocked).Message
	}
	words := fmt.Sprintf("%d of %d nodes are ready", f.Ready, f.Wanted)
	if f.Wanted == 1 && f.Ready == 1 {
		words = "1 of 1 node is ready"
	}
	if why := cmp.Or(s.blocked, s.waits(f)); why != nil && !f.settled() {
		return words + "; " + reconcile.As(why).Message
	}
	if text := cmp.Or(s.stopped(), s.room()); text != "" {
		return words + "; " + text
	}
	if m := s.first(); m != nil {
		switch text := said(m); {
		case text != "":
			return words + "; node " + m.Name + ": " + text
		case m.DeletionTimestamp != nil:
			return words + "; node " + m.Name + " is being removed"
		}
	}
	return words
}

// said is what a Machine says of itself. One that was deleted a moment ago says what was
// before, and one that is gone from the cloud what was before that: it waits for its node.
func said(m *v1alpha1.Machine) string {
	switch {
	case m.DeletionTimestamp == nil:
	case !controllerutil.ContainsFinalizer(m, v1alpha1.MachineFinalizer):
		if m.Status.Node == nil {
			return ""
		}
		return m.Status.Node.DrainMessage
	case meta.FindStatusCondition(m.Status.Conditions, v1alpha1.ConditionDeleting) == nil:
		return ""
	}
	return m.Status.Message
}

// first is the Machine that has most to say: one that needs somebody, then one that has been
// ready, then one that is to become so, then one that is going away.
func (s *scope) first() *v1alpha1.Machine {
	rank := func(m v1alpha1.Machine) int {
		switch {
		case m.DeletionTimestamp != nil:
			return 3
		case failing(m):
			return 0
		case m.Status.ReadySince != nil:
			return 1
		default:
			return 2
		}
	}
	var said []v1alpha1.Machine
	for _, m := range s.machines {
		if !isReady(m) || m.DeletionTimestamp != nil {
			said = append(said, m)
		}
	}
	if len(said) == 0 {
		return nil
	}
	first := slices.MinFunc(said, func(a, b v1alpha1.Machine) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Name, b.Name))
	})
	return &first
}

// phaseEvent tells people what happened and why, beside the object.
func (r *Reconciler) phaseEvent(pool *v1alpha1.NodePool) {
	kind := corev1.EventTypeNormal
	if pool.Status.Phase == v1alpha1.PoolDegraded || pool.Status.Phase == v1alpha1.PoolError {
		kind = corev1.EventTypeWarning
	}
	r.events.Eventf(pool, nil, kind, string(pool.Status.Phase), "Reconcile", "%s", pool.Status.Message)
}
