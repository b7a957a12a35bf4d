package cluster

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// postpone notes why an upgrade that is due does not begin in the window that is open since a
// time, and tells it once in each. What a person has to change is looked at again in the next.
func (r *Reconciler) postpone(s *scope, due upgrade, since time.Time, e *reconcile.Error) {
	now := v1alpha1.PostponedUpgrade{
		Version: due.to.String(), At: metav1.NewTime(r.Now().Truncate(time.Second)), Reason: e.Reason, Message: e.Message, Refused: e.Kind == reconcile.KindUser,
	}
	if p := s.cluster.Status.Postponed; p != nil && p.Version == now.Version && p.Reason == now.Reason && !p.At.Time.Before(since) {
		p.Message = now.Message
		return
	}
	s.cluster.Status.Postponed = &now
	kind := corev1.EventTypeNormal
	if now.Refused {
		kind = corev1.EventTypeWarning
	}
	r.events.Eventf(s.cluster, nil, kind, "UpgradePostponed", "Upgrade", "the upgrade to %s, which is due, does not begin: %s", due.to, e.Message)
}

// postponed reports whether a person has to change something before an upgrade that is due can
// begin, as was found since a time.
func (s *scope) postponed(since time.Time) bool {
	p := s.cluster.Status.Postponed
	return p != nil && p.Refused && !p.At.Time.Before(since)
}

// giveNotice tells that what runs gets no fixes before long, by an Event, too.
func (r *Reconciler) giveNotice(s *scope) {
	status := &s.cluster.Status
	if status.Version == "" {
		return
	}
	running, now, given := s.runs(), r.Now(), status.EndOfSupport
	status.EndOfSupport = nil
	if running != nil {
		status.EndOfSupport = notice(given, status.Version, running.until, now)
	}
	if status.EndOfSupport != nil && (given == nil || given.Release != status.Version) {
		c := supported(running, status.EndOfSupport, status.Version, s.offers, now)
		r.events.Eventf(s.cluster, nil, corev1.EventTypeWarning, "SupportEnds", "Notice", "%s", c.Message)
	}
}

// showSupport tells how long what runs gets fixes, and what stands against the upgrade that is due.
func (r *Reconciler) showSupport(s *scope) {
	status := &s.cluster.Status
	if status.Version == "" {
		return
	}
	c := supported(s.runs(), status.EndOfSupport, status.Version, s.offers, r.Now())
	c.ObservedGeneration = s.cluster.Generation
	if p := status.Postponed; p != nil {
		c.Message += fmt.Sprintf("; the upgrade to %s, which is due, did not begin at %s: %s", p.Version, p.At.UTC().Format(time.DateTime+" MST"), p.Message)
	}
	meta.SetStatusCondition(&status.Conditions, c)
}
