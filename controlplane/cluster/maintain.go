package cluster

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
			// What runs is not known to be bad because it is offered no longer. Nodes do not
			// follow to what there is no image of.
			return name == s.hcp.Status.Version || looked(infra) && imaged(infra, name) &&
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

// runs is the release that runs; nil where it is not known any more.
func (s *scope) runs() *offer {
	i := slices.IndexFunc(s.offers, func(o offer) bool { return o.String() == s.cluster.Status.Version })
	if i < 0 {
		return nil
	}
	return &s.offers[i]
}

// upgrade is one that Marina begins by itself, and why.
type upgrade struct {
	to  release.Version
	why string
}

// maintain finds the upgrade that nobody has asked for and that is to begin now: in the window,
// and of a Cluster that is well and at rest. It returns nil for none.
func (r *Reconciler) maintain(ctx context.Context, s *scope) (begins *upgrade, err error) {
	status, running, now := &s.cluster.Status, s.runs(), r.Now()
	if running == nil {
		status.Postponed = nil
		return nil, nil
	}
	due := s.due(*running, now)
	if p := status.Postponed; p != nil && (due == nil || p.Version != due.to.String() || s.cluster.Spec.Version != status.Version) {
		status.Postponed = nil
	}
	if due != nil {
		begins, err = r.mayBegin(ctx, s, *running, *due)
	}
	s.again = reconcile.Earliest(s.again, s.nextLook(*running, now))
	return begins, err
}

// mayBegin is an upgrade that is due if it begins now; nil if not. What keeps it from beginning
// while it might is noted.
func (r *Reconciler) mayBegin(ctx context.Context, s *scope, running offer, due upgrade) (*upgrade, error) {
	since, open := s.opened(r.Now())
	if !open || s.cluster.Spec.Version != s.cluster.Status.Version || s.tried(due.to.String(), since) || s.postponed(since) {
		return nil, nil
	}
	err := s.calm()
	if err == nil {
		if err = r.standsAgainst(ctx, s, running, due.to); err == nil {
			return &due, nil
		}
		s.again = reconcile.Earliest(s.again, waitsFor)
	}
	e := reconcile.As(err)
	if e.Kind == reconcile.KindRetry {
		return nil, err
	}
	r.postpone(s, due, since, e)
	return nil, nil
}

// standsAgainst is what would have an upgrade be refused, or wait. Nobody has asked for this one:
// the Cluster is not to be Degraded by it, nor to begin it when the window is closed.
func (r *Reconciler) standsAgainst(ctx context.Context, s *scope, running offer, to release.Version) error {
	if err := checkPoolVersions(s.pools, to); err != nil {
		return err
	}
	if err := r.checkEtcd(ctx, NamespaceName(s.cluster)); err != nil || running.MinorVersion() == to.MinorVersion() {
		return err
	}
	return r.checkTenant(ctx, s.cluster, to)
}

// begin asks for an upgrade as a user would, by the version of the spec: the API server checks
// once more that nothing happens to the Cluster.
func (r *Reconciler) begin(ctx context.Context, s *scope, up upgrade) error {
	before := s.cluster.DeepCopy()
	s.cluster.Spec.Version = up.to.String()
	err := r.Client.Patch(ctx, s.cluster, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}), client.FieldOwner(v1alpha1.FieldOwner))
	switch {
	case apierrors.IsConflict(err) || apierrors.IsNotFound(err):
		return nil // It is another one by now, which has a pass of its own.
	case err != nil:
		return fmt.Errorf("setting spec.version to %s: %w", up.to, err)
	}
	r.events.Eventf(s.cluster, nil, corev1.EventTypeNormal, "AutoUpgrade", "Upgrade", "upgrading from %s to %s: %s", before.Spec.Version, up.to, up.why)
	return nil
}

// due is the upgrade that Marina is to begin by itself, as soon as it may; nil for none.
func (s *scope) due(running offer, now time.Time) *upgrade {
	maintenance, given := s.cluster.Spec.Maintenance, s.cluster.Status.EndOfSupport
	if given != nil && !now.Before(s.forcedAt(given)) {
		if to, found := wayOut(running.Version, s.offers, now); found {
			return &upgrade{to, fmt.Sprintf("%s gets no fixes any more, of which notice was given at %s", running, given.NoticedAt.UTC().Format(time.DateTime+" MST"))}
		}
	}
	if maintenance.AutoUpgrade == v1alpha1.AutoUpgradePatch && maintenance.Window != nil {
		if to, found := newestPatch(running.Version, s.offers, now); found {
			return &upgrade{to, "it is the newest patch, and autoUpgrade asks for that"}
		}
	}
	return nil
}

// calm is nil if nothing happens to a Cluster, nothing is left to do, and it could begin an
// upgrade at once: one that waits would begin when the window is closed.
func (s *scope) calm() error {
	switch c := s.cluster; {
	case s.running != nil:
		return reconcile.Wait("OperationRuns", "operation %s (%s) runs", s.running.Name, s.running.Spec.Type)
	case c.Status.Phase != v1alpha1.ClusterActive:
		return reconcile.Wait(string(c.Status.Phase), "the cluster is %s: %s", c.Status.Phase, c.Status.Message)
	case c.Spec.Version != c.Status.Version || c.Status.Accepted == nil || c.Status.Accepted.Version != c.Spec.Version || c.Status.Accepted.Generation != c.Generation:
		return reconcile.Wait("Waiting", "the last change of the spec has not been taken up yet")
	}
	for _, t := range []string{v1alpha1.ConditionEtcdReady, v1alpha1.ConditionAvailable, v1alpha1.ConditionUpToDate} {
		if c := meta.FindStatusCondition(s.cluster.Status.Conditions, t); c == nil {
			return reconcile.Wait("NotObserved", "%s has not been looked at yet", t)
		} else if c.Status != metav1.ConditionTrue {
			return reconcile.Wait(c.Reason, "%s", c.Message)
		}
	}
	return poolBusy(s.pools)
}

// opened is since when upgrades may begin, and whether they may now. Without a window that is
// always so, and what was tried within retryAfter was tried in this one.
func (s *scope) opened(now time.Time) (since time.Time, open bool) {
	if s.cluster.Spec.Maintenance.Window == nil {
		return now.Add(-retryAfter), true
	}
	since, open = opened(s.cluster.Spec.Maintenance.Window, now)
	return since, open && !now.Before(since.Add(turn(s.cluster.UID, turns)))
}

// forcedAt is when the end of support has a Cluster be upgraded, in the window if it has one.
func (s *scope) forcedAt(given *v1alpha1.EndOfSupport) time.Time {
	if s.cluster.Spec.Maintenance.Window == nil {
		return given.UpgradeAfter.Add(turn(s.cluster.UID, retryAfter))
	}
	return given.UpgradeAfter.Time
}

// tried reports whether an upgrade to a version has been begun in the window that is open since
// then. One that somebody gave up is not begun again in it.
func (s *scope) tried(version string, since time.Time) bool {
	return slices.ContainsFunc(s.operations, func(op *v1alpha1.Operation) bool {
		return op.Spec.Type == v1alpha1.OperationUpgrade && op.Spec.Version == version && !op.CreationTimestamp.Time.Before(since)
	})
}

// nextLook is after how long time alone changes what is to be done.
func (s *scope) nextLook(running offer, now time.Time) time.Duration {
	maintenance, given, postponed := s.cluster.Spec.Maintenance, s.cluster.Status.EndOfSupport, s.cluster.Status.Postponed
	times := []time.Time{running.until.Add(-noticePeriod), running.until}
	if given != nil {
		times = append(times, s.forcedAt(given))
	}
	if maintenance.Window != nil && (given != nil || maintenance.AutoUpgrade == v1alpha1.AutoUpgradePatch) {
		mine := turn(s.cluster.UID, turns)
		times = append(times, opening(maintenance.Window, now.Add(-windowLength)).Add(mine), opening(maintenance.Window, now).Add(mine))
	} else if given != nil {
		// The next try, where there is no window.
		times = append(times, now.Add(retryAfter))
		if postponed != nil {
			times = append(times, postponed.At.Add(retryAfter+time.Second))
		}
	}
	var next time.Duration
	for _, t := range times {
		if t.After(now) {
			next = reconcile.Earliest(next, t.Sub(now))
		}
	}
	return next
}
