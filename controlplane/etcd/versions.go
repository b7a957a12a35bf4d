package etcd

import (
	"context"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/version"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// chooseVersion decides what the members are to run: the version of the spec once
// they may go there, and what they have been told before until then. Why not is for
// reportVersion to say, so that nothing else waits for it. The decision is written
// down before it is acted upon: halfway there, the members are not what they have to
// be to begin.
func (r *ClusterReconciler) chooseVersion(ctx context.Context, s *clusterScope) error {
	status, want := &s.cluster.Status, s.cluster.Spec.Version
	if status.Version == "" {
		status.Version = s.versionBefore()
	}
	if status.Version == want {
		status.SnapshotBegan = nil
		return nil
	}
	if s.refused = mayRun(s, status.Version, want); s.refused == nil && s.needsSnapshot(status.Version, want) {
		s.snapshotting = true
		s.refused = r.ensureSnapshot(ctx, s, status.Version, want)
	}
	if s.refused == nil {
		status.Version = want
		return r.writeDown(ctx, s)
	}
	return nil
}

// needsSnapshot reports whether a change of the version is one that only a snapshot leads
// back from. Where nothing serves none can be taken, and a spec that may be the cure is
// let through.
func (s *clusterScope) needsSnapshot(have, want string) bool {
	if s.survey == nil || sameMinor(have, want) || allRun(s.survey.asked, want) {
		return false
	}
	return silent(s.survey.asked) < len(s.survey.asked)
}

// versionBefore is what the members were told by who did not write it down. When
// none answers nobody can know, and a spec that may be the cure is let through.
func (s *clusterScope) versionBefore() string {
	if s.cluster.Status.ObservedGeneration == s.cluster.Generation || s.survey == nil {
		return s.cluster.Spec.Version
	}
	newest := ""
	for _, member := range s.survey.asked {
		if v, err := version.ParseSemantic(member.Version); err == nil {
			if known, err := version.ParseSemantic(newest); err != nil || known.LessThan(v) {
				newest = member.Version
			}
		}
	}
	if newest == "" {
		return s.cluster.Spec.Version
	}
	return newest
}

// mayRun tells why the members may not be told to run another version, nil when they
// may. A release of the minor version that they run needs nothing: it may be the cure.
func mayRun(s *clusterScope, have, want string) error {
	var asked []Member
	if s.survey != nil {
		asked = s.survey.asked
	}
	if err := checkUpgrade(asked, want); err != nil || sameMinor(have, want) || allRun(asked, want) {
		return err
	}
	var missing []string
	for i := range component.EtcdReplicas {
		if !s.healthy(i) || !sameMinor(asked[i].Version, have) {
			missing = append(missing, component.EtcdMember(s.cluster.Name, i))
		}
	}
	// Where nothing serves, nothing is harmed.
	if serves := s.members.Ready > 0 || silent(asked) < len(asked); serves && len(missing) > 0 {
		return reconcile.WaitFor(lookAgain, "UpgradeWaits", "the members go from etcd %s to %s when all of them are healthy and run %s: %s",
			have, want, have, strings.Join(missing, ", "))
	}
	return nil
}

// allRun reports whether all members that answer run a minor version already: who
// they have been told to be is not yet what they are.
func allRun(asked []Member, want string) bool {
	for _, m := range asked {
		if m.answers() && !sameMinor(m.Version, want) {
			return false
		}
	}
	return silent(asked) < len(asked)
}

// oldestVersion keeps tenants apart; the CRD has it as well, of the members that
// Marina runs.
const oldestVersion = "3.6.13"

// olderThan reports whether a version is older than another.
func olderThan(have, than string) bool {
	v, err := version.ParseSemantic(have)
	return err == nil && v.LessThan(version.MustParseSemantic(than))
}

// sameMinor reports whether two versions are of one minor version.
func sameMinor(a, b string) bool {
	v, err := version.ParseSemantic(a)
	if err != nil {
		return false
	}
	w, err := version.ParseSemantic(b)
	return err == nil && v.Major() == w.Major() && v.Minor() == w.Minor()
}

// reportVersion says why the spec's version was not taken up.
func (r *ClusterReconciler) reportVersion(_ context.Context, s *clusterScope) error {
	return s.refused
}

// checkUpgrade refuses a version that the members could not go to from the one
// that they run. etcd goes up one minor version at a time and does not go back:
// its data would no longer be read, by any of the three.
func checkUpgrade(running []Member, wanted string) error {
	want, err := version.ParseSemantic(wanted)
	if err != nil {
		return reconcile.UserError("InvalidVersion", "spec.version %q is no version: %v", wanted, err)
	}
	for _, member := range running {
		have, err := version.ParseSemantic(member.Version)
		if err != nil {
			// It does not answer. The others run the same version or the one before.
			continue
		}
		switch {
		case want.Major() != have.Major() || want.Minor() > have.Minor()+1:
			return reconcile.UserError("VersionSkipped",
				"the members run etcd %s and go up one minor version at a time: set spec.version to a %d.%d first", have, have.Major(), have.Minor()+1)
		case want.Minor() < have.Minor():
			return reconcile.UserError("VersionTooOld",
				"the members run etcd %s and cannot go back to %s: set spec.version to a %d.%d", have, want, have.Major(), have.Minor())
		}
	}
	return nil
}

// changing tells what keeps the members from being what the spec says.
func changing(s *clusterScope) error {
	if s.refused != nil {
		return s.refused
	}
	if s.members.Updated < component.EtcdReplicas {
		if refusing := s.refusing(); len(refusing) > 0 {
			return reconcile.WaitFor(lookAgain, "MembersChanging", "%d of %d members run what was applied last; %s let nobody in who comes anew, until they are replaced one by one: %v",
				s.members.Updated, component.EtcdReplicas, s.named(refusing), s.survey.asked[refusing[0]].Refusal)
		}
		var silent []int
		for i, serves := range s.serves() {
			if !serves && slices.Contains(s.members.ReadyOrdinals, i) {
				silent = append(silent, i)
			}
		}
		if len(silent) > 0 && s.survey != nil {
			slices.Sort(silent)
			return reconcile.WaitFor(lookAgain, "MembersChanging", "%d of %d members run what was applied last; the next one waits for %s, which does not answer as a member with a leader and a vote",
				s.members.Updated, component.EtcdReplicas, s.named(silent))
		}
		return reconcile.Wait("MembersChanging", "%d of %d members run what was applied last", s.members.Updated, component.EtcdReplicas)
	}
	return nil
}
