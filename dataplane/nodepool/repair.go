package nodepool

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/rand"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/operation"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// settling is how long after a change of the control plane, of the pool, or of nodes by name,
// none is healed.
const settling = 2 * time.Minute

// diagnose finds what is to be healed. Change is the Operation that carries out the spec, and
// repair one that runs already: while it has not given its node up, that is the one. History are
// all Operations on the pool.
func (r *Reconciler) diagnose(ctx context.Context, s *scope, change, repair *v1alpha1.Operation, history []*v1alpha1.Operation) error {
	s.diagnosis, s.health = diagnosis{}, health{}
	if s.pool.DeletionTimestamp != nil {
		return nil
	}
	h := health{spec: s.pool.Spec, cluster: s.cluster, now: r.Now(), held: cmp.Or(s.refused, s.blocked)}
	h.machines, _ = s.wish().staying(s.machines)
	h.vain, h.settled = inVain(history, s.machines, repair), settled(history, h.now)
	if s.stalled = stalled(s.wish(), s.machines); s.stalled {
		h.settled = time.Time{}
	} else if h.busy = changing(change); h.busy == "" && (repair == nil || repair.Spec.Type != v1alpha1.OperationHeal) {
		h.busy = moving(s.facts())
	}
	if len(unwell(h.machines)) > 0 && s.cluster != nil {
		fleet := &v1alpha1.MachineList{}
		if err := r.Client.List(ctx, fleet, client.InNamespace(s.cluster.Status.Namespace)); err != nil {
			return err
		}
		h.fleet = fleet.Items
	}
	d := diagnose(h)
	if next := cmp.Or(d.heal, d.ask); next != nil && repair != nil && (repair.Spec.Type != v1alpha1.OperationHeal || !slices.Contains(repair.Spec.Nodes, next.Name)) {
		// One at a time.
		d = diagnosis{reason: "PoolBusy", message: fmt.Sprintf("node %s is healed when operation %s (%s) has ended", next.Name, repair.Name, repair.Spec.Type)}
	}
	s.diagnosis, s.health = d, h
	return nil
}

// changing is which change of the pool runs; empty for none. Nodes may be away because of it.
func changing(change *v1alpha1.Operation) string {
	if change == nil {
		return ""
	}
	return fmt.Sprintf("operation %s (%s) has ended", change.Name, change.Spec.Type)
}

// settled is when the last change of the pool, or of nodes by name, is over for long enough.
func settled(history []*v1alpha1.Operation, now time.Time) (at time.Time) {
	for _, op := range history {
		end := op.Status.FinishedAt
		if isResync(op) || op.Spec.Type == v1alpha1.OperationHeal || op.Status.StartedAt == nil || end == nil || end.After(now) {
			continue
		}
		at = later(at, end.Add(settling))
	}
	return at
}

// moving is what a pool does beside its Operations that changes its nodes; empty for nothing.
func moving(f facts) string {
	switch {
	case f.Old > 0 && !f.GivenUp:
		return "the nodes of the pool are as its spec asks"
	case f.Going > 0:
		return "the nodes are gone that are being removed"
	case f.Live != f.Wanted && !f.GivenUp:
		return "the pool has as many nodes as it is to have"
	}
	return ""
}

// confirm looks once more at what a node is given up for, past the cache, as the last thing
// before it is: the node may be Ready again, or not be wanted to be healed any more. Then nothing
// is done in this pass, and the next one finds what there is.
func (r *Reconciler) confirm(ctx context.Context, s *scope) error {
	if s.healed == nil {
		return nil
	}
	pool, cluster, fleet := &v1alpha1.NodePool{}, &v1alpha1.Cluster{}, &v1alpha1.MachineList{}
	overtaken := apierrors.NewConflict(v1alpha1.GroupVersion.WithResource("machines").GroupResource(), s.healed.Name, errors.New("it is not to be healed as it is now"))
	for object, key := range map[client.Object]client.ObjectKey{pool: client.ObjectKeyFromObject(s.pool), cluster: client.ObjectKeyFromObject(s.cluster)} {
		if err := r.Live.Get(ctx, key, object); apierrors.IsNotFound(err) {
			return overtaken
		} else if err != nil {
			return err
		}
	}
	if err := r.Live.List(ctx, fleet, client.InNamespace(s.cluster.Status.Namespace)); err != nil {
		return err
	}
	if s.stalled && !stalled(s.wish(), s.machines) {
		return overtaken
	}
	h := s.health
	h.machines, _ = s.wish().staying(s.machines)
	h.spec, h.fleet, h.cluster, h.now = pool.Spec, fleet.Items, cluster, r.Now()
	d := diagnose(h)
	if pool.UID != s.pool.UID || pool.Generation != s.pool.Generation || pool.DeletionTimestamp != nil || d.heal == nil || d.heal.UID != s.healed.UID {
		return overtaken
	}
	s.healed = d.heal
	return nil
}

// askForHeal records that nodes are healed, before that is begun: those whose servers somebody
// else has deleted, together, or else the one that was diagnosed. Where the spec is carried out,
// or another repair has been asked for, that has its own record.
func (r *Reconciler) askForHeal(ctx context.Context, s *scope, change *v1alpha1.Operation, asked bool, history []*v1alpha1.Operation) (*v1alpha1.Operation, error) {
	if s.pool.DeletionTimestamp != nil || change != nil && !s.stalled || asked || s.held() {
		return nil, nil
	}
	var nodes []string
	reason, since := "", ""
	for i := range s.machines {
		if m := &s.machines[i]; serverGone(*m) && m.DeletionTimestamp == nil {
			nodes = append(nodes, m.Name)
			reason = "somebody else has deleted the servers"
		}
	}
	if m := s.diagnosis.heal; len(nodes) == 0 && m != nil {
		nodes, since = []string{m.Name}, stamp(changedAt(m))
		reason = fmt.Sprintf("the node has not been Ready since %s: %s", since, lastWords(m))
	}
	if len(nodes) == 0 {
		return nil, nil
	}
	slices.Sort(nodes)
	subject := s.changes(r.Now()).Subject()
	op := &v1alpha1.Operation{ObjectMeta: metav1.ObjectMeta{Namespace: subject.Namespace, Labels: subject.Labels}}
	op.Spec = v1alpha1.OperationSpec{
		TargetRef: v1alpha1.OperationTarget{Kind: subject.Kind, Name: subject.Name, UID: subject.UID},
		Type:      v1alpha1.OperationHeal, Nodes: nodes[:min(len(nodes), 21)], Reason: shortened(reason),
	}
	// A record that was made and is not seen yet is not made twice.
	for attempt := 0; op.Name == "" || slices.ContainsFunc(history, func(other *v1alpha1.Operation) bool { return other.Name == op.Name }); attempt++ {
		h := fnv.New32a()
		fmt.Fprintf(h, "%s %s %s %d", s.pool.UID, strings.Join(nodes, " "), since, attempt)
		op.Name = fmt.Sprintf("%s-heal-%s", s.pool.Name, rand.SafeEncodeString(fmt.Sprintf("%08x", h.Sum32())))
	}
	return op, r.book().Ask(ctx, op)
}

// lastWords is what is known of a node that is not Ready, and of its server.
func lastWords(m *v1alpha1.Machine) string {
	words := m.Status.Node.Message
	if c := serverReady(*m); c != nil && c.Status == metav1.ConditionFalse {
		words += "; " + c.Message
	}
	return words
}

func shortened(text string) string {
	const most = 1000
	runes := []rune(text)
	return string(runes[:min(len(runes), most)])
}

// begin has a repair that runs be carried out: by what is given up, and what is of no use any
// more, in the plan.
func (s *scope) begin(op *v1alpha1.Operation) {
	s.healed, s.renew, s.leave, s.outdated, s.evicts, s.reboots = nil, renewal{}, nil, nil, nil, nil
	if op == nil {
		return
	}
	switch op.Spec.Type {
	case v1alpha1.OperationHeal:
		if m := s.diagnosis.heal; m != nil && slices.Contains(op.Spec.Nodes, m.Name) {
			s.healed = m
			if s.pool.Spec.AutoHeal.Action == v1alpha1.HealRebuild && renewable(m) && s.wish().keeps(*m) {
				s.renew = renewal{m.UID, renewalOf(op)}
			} else {
				s.leave = []types.UID{m.UID}
			}
		}
	case v1alpha1.OperationReplaceNode:
		s.outdated = op.Spec.Nodes
	case v1alpha1.OperationRebootNode:
		s.reboots = op
	case v1alpha1.OperationEvictNode:
		s.evicts = op
		if isEvicted(s.pool, op) {
			s.leave = s.named(op)
		}
	}
}

// named are the UIDs of the Machines that an Operation names.
func (s *scope) named(op *v1alpha1.Operation) (uids []types.UID) {
	live, going := repairs{changes: changes{machines: s.machines}}.named(op)
	for _, m := range append(live, going...) {
		uids = append(uids, m.UID)
	}
	return uids
}

// ask asks the tenant and the cloud once more for the node that is to be healed.
func (r *Reconciler) ask(ctx context.Context, s *scope) error {
	m := s.diagnosis.ask
	if m == nil {
		return nil
	}
	before := m.DeepCopy()
	m.Spec.CheckAfter = &metav1.Time{Time: r.Now().Truncate(time.Second)}
	err := r.Client.Patch(ctx, m, client.MergeFrom(before), client.FieldOwner(v1alpha1.FieldOwner))
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("having node %s looked at: %w", m.Name, err)
	}
	return nil
}

// writeHealth writes the condition Healthy. That something keeps nodes from being healed is
// an Event.
func (r *Reconciler) writeHealth(s *scope) {
	if s.pool.DeletionTimestamp != nil || s.cluster == nil {
		return
	}
	status, d := &s.pool.Status, s.diagnosis
	c := metav1.Condition{Type: v1alpha1.ConditionHealthy, Status: metav1.ConditionTrue, Reason: "AsExpected", ObservedGeneration: s.pool.Generation,
		Message: "all nodes that have been Ready are so"}
	if d.reason != "" {
		c.Status, c.Reason, c.Message = metav1.ConditionFalse, d.reason, shortened(d.message)
	}
	before := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionHealthy)
	if d.paused && (before == nil || before.Reason != d.reason) {
		r.events.Eventf(s.pool, nil, corev1.EventTypeWarning, d.reason, "Heal", "%s", c.Message)
	}
	meta.SetStatusCondition(&status.Conditions, c)
	s.again = reconcile.Earliest(s.again, d.again)
}

var _ operation.Target = repairs{}
