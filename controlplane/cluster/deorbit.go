package cluster

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/operation"
	"github.com/marina-dev/marina/pkg/reconcile"
)

const (
	// deorbitLimit is how long load balancers and volumes are waited for. Of what they need, the
	// longest is six minutes: after these Kubernetes detaches a volume from a node that has not
	// let it go (ReconcilerMaxWaitForUnmountDuration of its attach-detach controller).
	deorbitLimit = 10 * time.Minute
	// unansweredLimit is how long an API server is waited for that does not answer: longer than
	// its replicas take to be replaced.
	unansweredLimit = 2 * time.Minute
	// deorbitBusy is when the tenant is asked again, deorbitPatient when it has not answered.
	deorbitBusy    = 2 * time.Second
	deorbitPatient = 10 * time.Second
	// deorbitNamed is how many load balancers and volumes a message names.
	deorbitNamed = 5
	// noteLimit is how many bytes the note of an Event may have.
	noteLimit = 1024
)

// deorbit waits until the load balancers and volumes of a Cluster are gone, or may be waited for
// no longer. Its begin and its end are written down before anything else happens. Without nodes
// nobody could delete any: what has made them runs there.
func (r *Reconciler) deorbit(ctx context.Context, s *scope) error {
	d, now := s.cluster.Status.Deorbit, metav1.NewTime(r.Now().Truncate(time.Second))
	switch {
	case !s.cluster.Deorbits(), d == nil && len(s.pools) == 0:
		return nil
	case d == nil || d.StartedAt.After(now.Add(time.Minute)):
		// A clock that was set back would let it run for ever.
		s.cluster.Status.Deorbit = &v1alpha1.DeorbitStatus{StartedAt: now}
		return s.deorbitWaits(deorbitBusy, "looking for load balancers and volumes")
	case len(s.pools) == 0:
		return r.deorbitEnds(s, now, "there are no nodes any more on which something could delete them", nil)
	case s.hcp == nil || s.hcp.DeletionTimestamp != nil:
		return r.deorbitEnds(s, now, "there is no control plane any more by which something could delete them", nil)
	}
	end := d.StartedAt.Add(deorbitLimit)
	waiting, kept, err := r.Deorbit(ctx, NamespaceName(s.cluster))
	if err != nil {
		ctrl.LoggerFrom(ctx).V(1).Info("the tenant does not tell of its load balancers and volumes", "error", err.Error())
		return r.deorbitUnanswered(s, now, end)
	}
	d.UnansweredSince, d.Left = nil, firstOf(waiting)
	switch {
	case len(waiting) == 0:
		return r.deorbitEnds(s, now, "", kept)
	case !now.Time.Before(end):
		return r.deorbitEnds(s, now, "not gone after "+operation.Took(deorbitLimit), kept)
	default:
		return s.deorbitWaits(deorbitBusy, "waiting for load balancers and volumes to be deleted, until %s at the latest: %s", clock(end), d.Left)
	}
}

// deorbitUnanswered waits for a tenant that cannot be asked, not for long.
func (r *Reconciler) deorbitUnanswered(s *scope, now metav1.Time, end time.Time) error {
	d := s.cluster.Status.Deorbit
	if d.UnansweredSince == nil || d.UnansweredSince.After(now.Time) {
		d.UnansweredSince = &now
	}
	if limit := d.UnansweredSince.Add(unansweredLimit); limit.Before(end) {
		end = limit
	}
	if !now.Time.Before(end) {
		return r.deorbitEnds(s, now, "the cluster's API server does not answer", nil)
	}
	return s.deorbitWaits(deorbitPatient, "the cluster's API server, by which load balancers and volumes are deleted, does not answer: it is waited for until %s", clock(end))
}

func (s *scope) deorbitWaits(after time.Duration, format string, args ...any) error {
	s.cluster.Status.Deorbit.Message = fmt.Sprintf(format, args...)
	return reconcile.WaitFor(after, "Deorbiting", "%s", s.cluster.Status.Deorbit.Message)
}

// deorbitEnds writes down that nobody waits any longer: why not, if not because nothing is left,
// and which volumes were to stay.
func (r *Reconciler) deorbitEnds(s *scope, now metav1.Time, why string, kept []string) error {
	d := s.cluster.Status.Deorbit
	var sentences []string
	say := func(kind, reason, sentence string) {
		sentences = append(sentences, sentence)
		r.events.Eventf(s.cluster, nil, kind, reason, "Deorbit", "%s", note(sentence))
	}
	switch {
	case why != "" && d.Left != "":
		say(corev1.EventTypeWarning, "LeftInCloud", fmt.Sprintf("left in the cloud, delete it there: %s (%s)", d.Left, why))
	case why != "":
		say(corev1.EventTypeWarning, "LeftInCloud", fmt.Sprintf("nobody knows whether load balancers and volumes are left in the cloud, look there (%s)", why))
	}
	if len(kept) > 0 {
		say(corev1.EventTypeNormal, "VolumesKept", "kept in the cloud, as the reclaim policy says or since somebody made them by hand: "+firstOf(kept))
	}
	d.FinishedAt, d.UnansweredSince, d.Left, d.Message = &now, nil, "", strings.Join(sentences, "; ")
	return reconcile.WaitFor(deorbitBusy, "Deorbited", "load balancers and volumes are waited for no longer")
}

// deorbited is the step of a deletion for what others have made in the cloud.
func (s situation) deorbited() []operation.Step {
	if s.cluster.Spec.InfrastructureRef == nil {
		return nil
	}
	d, result := s.cluster.Status.Deorbit, operation.Step{Name: "Load balancers and volumes"}
	result.Done = !s.cluster.Deorbits() || d == nil && len(s.pools) == 0
	if d != nil {
		result.Message, result.Note = d.Message, d.Message
	}
	return []operation.Step{result}
}

// firstOf names the first of many.
func firstOf(names []string) string {
	if more := len(names) - deorbitNamed; more > 0 {
		return strings.Join(names[:deorbitNamed], ", ") + fmt.Sprintf(", %d more", more)
	}
	return strings.Join(names, ", ")
}

func clock(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// note is a sentence that may be that of an Event: a longer one is refused.
func note(sentence string) string {
	if len(sentence) <= noteLimit {
		return sentence
	}
	return strings.ToValidUTF8(sentence[:noteLimit-len("…")], "") + "…"
}
