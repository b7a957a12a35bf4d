package cluster

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/rand"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// situation is all that the decision about Operations depends on.
type situation struct {
	cluster *v1alpha1.Cluster
	// hcp is the control plane, nil without one.
	hcp *v1alpha1.HostedControlPlane
	// network is that of the nodes, nil without one.
	network *v1alpha1.ClusterNetwork
	// pools are the NodePools.
	pools []v1alpha1.NodePool
	// refused is why a person has to change the spec, or what it names; nil if nothing
	// is wrong with it.
	refused error
	// operations are those of this Cluster, the oldest first.
	operations []*v1alpha1.Operation
	now        time.Time
}

// decision is what becomes of the Operations of a Cluster in one pass.
type decision struct {
	// running is the one that runs from now on, nil for none.
	running *v1alpha1.Operation
	// begins is true when it has not run before, and create when it does not exist yet.
	begins, create bool
	// verdicts are those that end now.
	verdicts []verdict
}

// verdict ends an Operation.
type verdict struct {
	operation *v1alpha1.Operation
	phase     v1alpha1.OperationPhase
	message   string
}

// decide finds out which Operation runs. At most one does:
//
//  1. the one that runs goes on, unless it is done, refused, stopped or overtaken
//  2. what the spec asks for comes next
//  3. then what users have asked for, in the order of their creation
//  4. what was asked for while another one runs is refused by its name
func decide(s situation) (d decision) {
	end := func(op *v1alpha1.Operation, phase v1alpha1.OperationPhase, format string, args ...any) {
		d.verdicts = append(d.verdicts, verdict{op, phase, fmt.Sprintf(format, args...)})
	}
	want := s.wanted()
	var pending []*v1alpha1.Operation
	for _, op := range s.operations {
		switch {
		case op.Status.Phase.Finished():
		case op.Status.Phase == v1alpha1.OperationRunning && d.running == nil:
			if phase, message := s.judge(op); phase.Finished() {
				end(op, phase, "%s", message)
			} else {
				d.running = op
			}
		default:
			pending = append(pending, op)
		}
	}
	withdrawn := false
	for _, op := range pending {
		switch reason := s.refuses(op, want); {
		case op.Spec.Type == v1alpha1.OperationRenewCertificates && op.Spec.RetryOf == "":
			end(op, v1alpha1.OperationSucceeded, "%s", s.renewed())
		case op.Spec.Cancel:
			withdrawn = withdrawn || want != nil && want.is(op)
			end(op, v1alpha1.OperationCancelled, "cancelled before it had begun")
		case reason != "":
			end(op, v1alpha1.OperationFailed, "refused: %s", reason)
		case d.running != nil:
			end(op, v1alpha1.OperationFailed, "refused: operation %s (%s) runs: wait until it has ended, or cancel it, and ask again", d.running.Name, d.running.Spec.Type)
		case want != nil && !want.is(op) && !s.resumes(op) && s.isNew(want):
			end(op, v1alpha1.OperationFailed, "refused: the spec has changed, which comes first (%s): ask again when that has ended", want.kind)
		default:
			d.running, d.begins = op, true
		}
	}
	if d.running == nil && want != nil && !withdrawn && s.isNew(want) {
		d.running, d.begins, d.create = s.newOperation(want), true, true
	}
	return d
}

// resumes reports whether an Operation goes on with a change of version that has been
// stopped.
func (s situation) resumes(op *v1alpha1.Operation) bool {
	return op.Spec.Type == v1alpha1.OperationUpgrade && s.stopped()
}

// wish is what the spec of a Cluster asks for.
type wish struct {
	kind v1alpha1.OperationType
	// version is that of an Upgrade.
	version string
	// generation of the spec that it is of.
	generation int64
}

// is reports whether an Operation is of the kind that is wished for.
func (w wish) is(op *v1alpha1.Operation) bool {
	return w.kind == op.Spec.Type && w.version == op.Spec.Version
}

// wanted is what the spec asks for and has not been carried out; nil for nothing.
func (s situation) wanted() *wish {
	c := s.cluster
	switch {
	case c.DeletionTimestamp != nil:
		return &wish{kind: v1alpha1.OperationDelete, generation: c.Generation}
	case s.awaitsPool() != nil:
		return nil
	case !s.beenReady():
		return &wish{kind: v1alpha1.OperationCreate, generation: c.Generation}
	case s.changesVersion() && !s.stopped():
		return &wish{kind: v1alpha1.OperationUpgrade, version: c.Spec.Version, generation: c.Generation}
	case c.Status.Accepted == nil || c.Status.Accepted.Generation != c.Generation:
		return &wish{kind: v1alpha1.OperationUpdate, generation: c.Generation}
	default:
		return nil
	}
}

func (s situation) beenReady() bool {
	return s.cluster.Status.ReadySince != nil || s.hcp != nil && controlPlaneError(s.hcp) == nil && networkError(s.cluster, s.network) == nil
}

// changesVersion reports whether the control plane runs, or is about to run, another
// version than the spec asks for.
func (s situation) changesVersion() bool {
	if s.hcp == nil {
		return false
	}
	return s.hcp.Status.Version != s.cluster.Spec.Version || s.hcp.Spec.Version != s.cluster.Spec.Version
}

// stopped reports whether the change to the version of the spec has been cancelled: it
// stays so until somebody tries it again or changes the version. The newest Upgrade
// tells, of those that began or that a user cancelled before they did.
func (s situation) stopped() bool {
	if !s.changesVersion() {
		return false
	}
	for _, op := range slices.Backward(s.operations) {
		cancelled := op.Status.Phase == v1alpha1.OperationCancelled && op.Spec.Cancel
		if op.Spec.Type == v1alpha1.OperationUpgrade && (op.Status.StartedAt != nil || cancelled) {
			return cancelled && op.Spec.Version == s.cluster.Spec.Version
		}
	}
	// The history does not reach back so far.
	return s.hcp.Spec.Paused && s.hcp.Spec.Version == s.cluster.Spec.Version
}

// isNew reports whether something is to be begun for a wish: not if that has been
// done and the cache does not know what came of it, nor if it has failed and nothing
// has changed since. It does not go by times: clocks are set back.
func (s situation) isNew(want *wish) bool {
	failed := false
	for _, op := range s.operations {
		if !want.is(op) || op.Status.StartedAt == nil {
			continue
		}
		succeeded := op.Status.Phase == v1alpha1.OperationSucceeded
		switch {
		case succeeded && want.kind == v1alpha1.OperationCreate:
			return false
		case op.Status.Generation != want.generation:
		case op.Status.Phase == v1alpha1.OperationFailed:
			failed = true
		default:
			return false
		}
	}
	return !failed || s.refused == nil
}

// newOperation records a wish. Its name follows from what it is about, so that a
// record that was made and is not seen yet is not made twice.
func (s situation) newOperation(want *wish) *v1alpha1.Operation {
	op := &v1alpha1.Operation{}
	op.Namespace = s.cluster.Namespace
	op.Labels = labelsOf(s.cluster)
	op.Spec = v1alpha1.OperationSpec{
		TargetRef: v1alpha1.OperationTarget{Kind: "Cluster", Name: s.cluster.Name, UID: s.cluster.UID},
		Type:      want.kind,
		Version:   want.version,
	}
	for _, earlier := range s.operations {
		if want.is(earlier) && (earlier.Status.Phase == v1alpha1.OperationFailed || earlier.Status.Phase == v1alpha1.OperationCancelled) &&
			earlier.Status.Generation == want.generation {
			op.Spec.RetryOf = earlier.Name
		}
	}
	for attempt := 0; ; attempt++ {
		op.Name = operationName(s.cluster, want, attempt)
		if !slices.ContainsFunc(s.operations, func(other *v1alpha1.Operation) bool { return other.Name == op.Name }) {
			return op
		}
	}
}

func operationName(cluster *v1alpha1.Cluster, want *wish, attempt int) string {
	h := fnv.New32a()
	fmt.Fprintf(h, "%s %s %d %d", cluster.UID, want.kind, want.generation, attempt)
	return fmt.Sprintf("%s-%s-%s", cluster.Name, strings.ToLower(string(want.kind)), rand.SafeEncodeString(fmt.Sprintf("%08x", h.Sum32())))
}

// refuses tells why an Operation that has not begun never will; empty if it may.
func (s situation) refuses(op *v1alpha1.Operation, want *wish) string {
	deleting := s.cluster.DeletionTimestamp != nil
	switch op.Spec.Type {
	case v1alpha1.OperationResync, v1alpha1.OperationRestart, v1alpha1.OperationRotateCertificates:
		switch {
		case deleting:
			return "the cluster is being deleted"
		case !s.beenReady():
			return "the cluster has never been ready: there is nothing yet that this could be done to"
		}
	case v1alpha1.OperationUpgrade:
		if deleting {
			return "the cluster is being deleted"
		}
		if op.Spec.Version != s.cluster.Spec.Version || !s.changesVersion() {
			return fmt.Sprintf("the cluster is not to be upgraded to %s: its spec asks for %s and it runs %s; change spec.version instead",
				op.Spec.Version, s.cluster.Spec.Version, s.cluster.Status.Version)
		}
	default:
		if want == nil || !want.is(op) {
			return fmt.Sprintf("there is nothing left to do of type %s", op.Spec.Type)
		}
	}
	if op.Spec.RetryOf == "" {
		return ""
	}
	i := slices.IndexFunc(s.operations, func(other *v1alpha1.Operation) bool { return other.Name == op.Spec.RetryOf })
	switch {
	case i < 0:
		return fmt.Sprintf("there is no operation %s of this cluster that could be tried again", op.Spec.RetryOf)
	case s.operations[i].Spec.Type != op.Spec.Type:
		return fmt.Sprintf("operation %s is of type %s and cannot be tried again as %s", op.Spec.RetryOf, s.operations[i].Spec.Type, op.Spec.Type)
	case s.operations[i].Status.Phase != v1alpha1.OperationFailed && s.operations[i].Status.Phase != v1alpha1.OperationCancelled:
		return fmt.Sprintf("operation %s has neither failed nor been cancelled", op.Spec.RetryOf)
	}
	return ""
}
