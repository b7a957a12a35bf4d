package hosted

import (
	"cmp"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
	"github.com/marina-dev/marina/pkg/release"
)

// rollLimit is how long it may take until one more replica is replaced and ready. One that
// stops takes up to a minute and a half, one that starts has its image to fetch.
const rollLimit = 5 * time.Minute

// setting is what a component is given: a release, and the older minor version that it
// behaves as; empty for its own.
type setting struct{ version, emulates string }

// words tell what replicas of that setting run.
func (t setting) words() string {
	if t.emulates != "" {
		return t.version + " as " + t.emulates
	}
	return t.version
}

// target is what a component is to be given. While a change of version is paused each one
// stays at what it was given last.
//
// A newer minor version behaves as the older one, of which everything else is, until all
// components run it: so long what it stores can be read by the older one, and going back is
// safe. Controllers do so as well, since they would use what API servers hide.
func (s *scope) target(name string) setting {
	if s.paused() {
		return s.given(name)
	}
	to := setting{version: s.hcp.Spec.Version}
	if s.changesMinor() && s.hcp.Status.Committed == "" {
		from, _ := release.Parse(s.hcp.Status.Version)
		to.emulates = from.MinorVersion()
	}
	return to
}

// given is what a component was given last; nothing at first.
func (s *scope) given(name string) setting {
	known := componentStatus(s.hcp, name)
	return setting{version: cmp.Or(known.Version, s.hcp.Status.Version), emulates: known.Emulates}
}

// goesBack reports whether the API servers have been given a newer version than they
// are to run.
func (s *scope) goesBack() bool {
	given, target := s.given(component.NameAPIServer).version, s.target(component.NameAPIServer).version
	return given != "" && older(target, given)
}

// older reports whether a release is older than another one. What is no release is not.
func older(a, b string) bool {
	from, errFrom := release.Parse(b)
	to, errTo := release.Parse(a)
	return errFrom == nil && errTo == nil && to.Compare(from) < 0
}

// refuseReturn refuses what goes back further than is safe, which is the last word: between
// the Cluster and this object time passes.
func (s *scope) refuseReturn() error {
	runs := s.hcp.Status.Version
	to, err := release.Parse(s.hcp.Spec.Version)
	if err != nil {
		return reconcile.UserError("InvalidRelease", "%v", err)
	}
	if err := release.CanReturn(s.hcp.Status.Committed, to); err != nil {
		return reconcile.UserError("UpgradeRefused", "%v", err)
	}
	if runs != "" && older(s.hcp.Spec.Version, runs) {
		return reconcile.UserError("UpgradeRefused", "%s is older than %s, and a downgrade is not possible: set spec.version to %s", to, runs, runs)
	}
	return nil
}

// changesVersion reports whether the control plane runs another version than it is to.
func (s *scope) changesVersion() bool {
	return s.hcp.Status.Version != "" && s.hcp.Status.Version != s.hcp.Spec.Version
}

// changesMinor reports whether that is of another minor version.
func (s *scope) changesMinor() bool {
	from, errFrom := release.Parse(s.hcp.Status.Version)
	to, errTo := release.Parse(s.hcp.Spec.Version)
	return errFrom == nil && errTo == nil && from.MinorVersion() != to.MinorVersion()
}

// paused reports whether a change of version has been stopped halfway. One from which
// there is no way back goes on.
func (s *scope) paused() bool {
	return s.hcp.Spec.Paused && s.changesVersion() && s.hcp.Status.Committed == ""
}

// emulates reports whether any component was told to behave as an older minor version.
func (s *scope) emulates() bool {
	for _, given := range s.applied {
		if given.emulates != "" {
			return true
		}
	}
	return false
}

// version is the release whose parts inside the tenant are wanted. Those on nodes are
// never newer than what the API servers behave as.
func (s *scope) version() string {
	if s.paused() || s.applied[component.NameAPIServer].emulates != "" {
		return s.hcp.Status.Version
	}
	return s.hcp.Spec.Version
}

// rolls tells how far the replicas of a component are, and as of when a person is needed.
func (s *scope) rolls(name, reason string, c component.Status) error {
	to, known := s.target(name), componentStatus(s.hcp, name)
	far := []any{c.Updated, c.Replicas, name, to.words(), c.Ready, because(c.Message)}
	// What was replaced while nobody looked is progress that is noted at the end of this pass.
	if known.ProgressedAt != nil && to == s.given(name) && int32(c.Updated) <= known.Updated {
		left := s.lookedSince(known.ProgressedAt.Time).Add(rollLimit).Sub(s.now)
		if left <= 0 {
			return reconcile.UserError(v1alpha1.ReasonRolloutStuck, "%d of %d replicas of %s run %s and %d are ready, and the next one has not become ready within "+rollLimit.String()+"%s. "+
				"The others serve. It goes on by itself when that is mended; %s", append(far, s.wayBack())...)
		}
		s.again = reconcile.Earliest(s.again, max(left, time.Second))
	}
	return reconcile.Wait(reason, "%d of %d replicas of %s run %s and %d are ready%s", far...)
}

// lookedSince is since when it was looked whether a roll that came further at a time comes further
// still: some hosts replace nothing while Marina is away. That one is stuck is not forgotten.
func (s *scope) lookedSince(progressed time.Time) time.Time {
	c := meta.FindStatusCondition(s.hcp.Status.Conditions, v1alpha1.ConditionSpecAccepted)
	if s.awake.Before(progressed) || c != nil && c.Reason == v1alpha1.ReasonRolloutStuck {
		return progressed
	}
	return s.awake
}

// wayBack tells how to give up a change of version.
func (s *scope) wayBack() string {
	if !s.changesVersion() {
		return "whoever runs the platform sees to that"
	}
	if s.hcp.Status.Committed != "" {
		return "there is no way back to " + s.hcp.Status.Version
	}
	return "to go back set spec.version to " + s.hcp.Status.Version
}

// progressedAt is when the replacement of a component's replicas by ones of another version
// began, or when one more was replaced; nil while there is nothing to replace. Before is what was
// known of it. What has begun is followed to its end, also when it is to be stopped there, or goes
// back. Other rolls are not followed, nor are replicas that are lost when one has ended.
func (s *scope) progressedAt(before, now v1alpha1.ComponentStatus) *metav1.Time {
	done := now.Updated == now.Replicas && now.Ready == now.Replicas
	other := s.given(now.Name) != setting{cmp.Or(now.Version, s.hcp.Status.Version), now.Emulates}
	follows := before.ProgressedAt != nil
	switch {
	case s.hcp.Status.Version == "" || done:
		return nil
	case other, !follows && s.changesVersion() && !s.paused(), follows && now.Updated > before.Updated:
		return stamp(s.now)
	default:
		return before.ProgressedAt
	}
}
