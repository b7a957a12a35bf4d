package cluster

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
	"github.com/marina-dev/marina/pkg/release"
)

// retryAfter is how long an upgrade that Marina began by itself, and that was given up, is not
// begun again where there is no window.
const retryAfter = 24 * time.Hour

// observeOffers finds the releases that a Cluster that runs one may run.
func (r *Reconciler) observeOffers(ctx context.Context, s *scope) error {
	if s.hcp == nil || s.hcp.Status.Version == "" {
		return nil
	}
	offered := func(string) bool { return true }
	if ref := s.cluster.Spec.InfrastructureRef; ref != nil {
		infra := &v1alpha1.Infrastructure{}
		if err := r.Client.Get(ctx, client.ObjectKey{Name: ref.Name}, infra); client.IgnoreNotFound(err) != nil {
			return err
		}
		offered = func(name string) bool {
			// What runs is not known to be bad because it is offered no longer.
			return name == s.hcp.Status.Version ||
				slices.ContainsFunc(infra.Spec.Releases, func(r v1alpha1.InfrastructureRelease) bool { return r.Release == name })
		}
	}
	list := &v1alpha1.KubernetesReleaseList{}
	if err := r.Client.List(ctx, list); err != nil {
		return err
	}
	s.offers = offers(list.Items, offered)
	return nil
}

// showSupport tells how long what runs gets fixes. A notice is an Event, too.
func (r *Reconciler) showSupport(s *scope) {
	status := &s.cluster.Status
	if status.Version == "" || s.cluster.DeletionTimestamp != nil {
		return
	}
	running, now, given := s.runs(), r.Now(), status.EndOfSupport
	status.EndOfSupport = nil
	if running != nil {
		status.EndOfSupport = notice(given, status.Version, running.until, now)
	}
	c := supported(running, status.EndOfSupport, status.Version, s.offers, now)
	c.ObservedGeneration = s.cluster.Generation
	meta.SetStatusCondition(&status.Conditions, c)
	if status.EndOfSupport != nil && (given == nil || given.Release != status.Version) {
		r.events.Eventf(s.cluster, nil, corev1.EventTypeWarning, "SupportEnds", "Notice", "%s", c.Message)
	}
}

// runs is the release that runs; nil where it is not known any more.
func (s *scope) runs() *offer {
	i := slices.IndexFunc(s.offers, func(o offer) bool { return o.String() == s.cluster.Status.Version })
	if i < 0 {
		return nil
	}
	return &s.offers[i]
}

// maintain asks for the upgrade that is due and that nobody has asked for, as a user would: by
// the version of the spec. It is begun in the window, and of a Cluster that is well and at
// rest: the API server checks that once more.
func (r *Reconciler) maintain(ctx context.Context, s *scope) error {
	running, now := s.runs(), r.Now()
	if running == nil {
		return nil
	}
	s.again = reconcile.Earliest(s.again, s.nextLook(*running, now))
	to, why := s.due(*running, now)
	if why == "" || !s.calm() || s.tried(to.String(), now) {
		return nil
	}
	if e := reconcile.As(r.checkEtcd(ctx, NamespaceName(s.cluster))); e != nil && e.Kind == reconcile.KindWait {
		s.again = reconcile.Earliest(s.again, waitsFor)
		return nil
	} else if e != nil {
		return e
	}
	before := s.cluster.DeepCopy()
	s.cluster.Spec.Version = to.String()
	err := r.Client.Patch(ctx, s.cluster, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}), client.FieldOwner(v1alpha1.FieldOwner))
	switch {
	case apierrors.IsConflict(err) || apierrors.IsNotFound(err):
		return nil // It is another one by now, which has a pass of its own.
	case err != nil:
		return fmt.Errorf("setting spec.version to %s: %w", to, err)
	}
	r.events.Eventf(s.cluster, nil, corev1.EventTypeNormal, "AutoUpgrade", "Upgrade", "upgrading from %s to %s: %s", running, to, why)
	return nil
}

// due is the version that a Cluster is to be upgraded to now without anybody asking for it, and
// why; the latter is empty for none.
func (s *scope) due(running offer, now time.Time) (to release.Version, why string) {
	maintenance, given := s.cluster.Spec.Maintenance, s.cluster.Status.EndOfSupport
	if _, open := opened(maintenance.Window, now); !open {
		return to, ""
	}
	if given != nil && !now.Before(given.UpgradeAfter.Time) {
		if to, found := wayOut(running.Version, s.offers, now); found {
			return to, fmt.Sprintf("%s gets no fixes any more, of which notice was given at %s", running, given.NoticedAt.UTC().Format(time.DateTime+" MST"))
		}
	}
	if maintenance.AutoUpgrade == v1alpha1.AutoUpgradePatch && maintenance.Window != nil {
		if to, found := newestPatch(running.Version, s.offers, now); found {
			return to, "it is the newest patch, and autoUpgrade asks for that"
		}
	}
	return to, ""
}

// calm reports whether nothing happens to a Cluster, nothing is left to do, and it could begin
// an upgrade at once: one that waits would begin when the window is closed.
func (s *scope) calm() bool {
	c := s.cluster
	if c.Status.Phase != v1alpha1.ClusterActive || s.running != nil || c.Spec.Version != c.Status.Version ||
		c.Status.Accepted == nil || c.Status.Accepted.Version != c.Spec.Version || c.Status.Accepted.Generation != c.Generation {
		return false
	}
	for _, t := range []string{v1alpha1.ConditionEtcdReady, v1alpha1.ConditionAvailable, v1alpha1.ConditionUpToDate} {
		if !reconcile.IsTrue(c.Status.Conditions, t) {
			return false
		}
	}
	return poolBusy(s.pools) == nil
}

// tried reports whether an upgrade to a version has been begun in the window that is open. One
// that somebody gave up is not begun again in it.
func (s *scope) tried(version string, now time.Time) bool {
	since, _ := opened(s.cluster.Spec.Maintenance.Window, now)
	if s.cluster.Spec.Maintenance.Window == nil {
		since = now.Add(-retryAfter)
	}
	return slices.ContainsFunc(s.operations, func(op *v1alpha1.Operation) bool {
		return op.Spec.Type == v1alpha1.OperationUpgrade && op.Spec.Version == version && !op.CreationTimestamp.Time.Before(since)
	})
}

// nextLook is after how long time alone changes what is to be done.
func (s *scope) nextLook(running offer, now time.Time) time.Duration {
	maintenance, given := s.cluster.Spec.Maintenance, s.cluster.Status.EndOfSupport
	times := []time.Time{running.until.Add(-noticePeriod), running.until}
	if given != nil {
		times = append(times, given.UpgradeAfter.Time)
	}
	if maintenance.Window != nil && (given != nil || maintenance.AutoUpgrade == v1alpha1.AutoUpgradePatch) {
		times = append(times, opening(maintenance.Window, now))
	} else if given != nil {
		// The next try, where there is no window.
		times = append(times, now.Add(retryAfter))
	}
	var next time.Duration
	for _, t := range times {
		if t.After(now) {
			next = reconcile.Earliest(next, t.Sub(now))
		}
	}
	return next
}
