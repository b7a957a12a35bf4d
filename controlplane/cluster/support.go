package cluster

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/release"
)

// noticePeriod is how long before the end of support notice is given, and how long at least
// before a cluster is upgraded because of it (features U14).
const noticePeriod = 30 * 24 * time.Hour

// offer is a release that a cluster may run.
type offer struct {
	release.Version
	// until is when its support has ended, the end of its last day.
	until time.Time
}

// offers are the releases that can be read, of those of which is so.
func offers(releases []v1alpha1.KubernetesRelease, so func(name string) bool) []offer {
	var all []offer
	for _, r := range releases {
		version, err := release.Parse(r.Name)
		day, noDay := time.Parse(time.DateOnly, r.Spec.SupportedUntil)
		if err != nil || noDay != nil || r.DeletionTimestamp != nil || !so(r.Name) {
			continue
		}
		all = append(all, offer{version, day.AddDate(0, 0, 1)})
	}
	slices.SortFunc(all, func(a, b offer) int { return a.Compare(b.Version) })
	return all
}

// newestPatch is the newest release of the same minor that gets fixes; false for none that is
// newer.
func newestPatch(from release.Version, offers []offer, now time.Time) (release.Version, bool) {
	return newest(from, offers, func(o offer) bool { return o.Minor == from.Minor && now.Before(o.until) })
}

// wayOut is where a release goes that gets no fixes any more: to a patch that gets some, or
// else to the newest of the next minor, be it only on the way.
func wayOut(from release.Version, offers []offer, now time.Time) (release.Version, bool) {
	if to, found := newestPatch(from, offers, now); found {
		return to, true
	}
	return newest(from, offers, func(o offer) bool { return o.Minor != from.Minor })
}

// newest is the newest of the offers that one may upgrade to and of which is so.
func newest(from release.Version, offers []offer, so func(offer) bool) (to release.Version, found bool) {
	for _, o := range slices.Backward(offers) {
		if so(o) && release.CanUpgrade(from, o.Version) == nil {
			return o.Version, true
		}
	}
	return to, false
}

// notice is that of a release whose support ends at a time; nil while that is far away. One
// that has been given is kept.
func notice(given *v1alpha1.EndOfSupport, name string, until, now time.Time) *v1alpha1.EndOfSupport {
	if now.Before(until.Add(-noticePeriod)) {
		return nil
	}
	at := metav1.NewTime(now.Truncate(time.Second))
	if given != nil && given.Release == name {
		at = given.NoticedAt
	}
	after := at.Add(noticePeriod)
	if after.Before(until) {
		after = until
	}
	return &v1alpha1.EndOfSupport{Release: name, NoticedAt: at, UpgradeAfter: metav1.NewTime(after)}
}

// supported is the condition of a cluster, by the release that it runs and its notice.
func supported(running *offer, given *v1alpha1.EndOfSupport, name string, offers []offer, now time.Time) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionSupported, Status: metav1.ConditionTrue, Reason: "AsExpected"}
	if running == nil {
		c.Status, c.Reason = metav1.ConditionUnknown, "ReleaseNotFound"
		c.Message = fmt.Sprintf("there is no KubernetesRelease %s any more that tells how long it gets fixes: upgrade to one that there is", name)
		return c
	}
	day := running.until.AddDate(0, 0, -1).Format(time.DateOnly)
	c.Message = fmt.Sprintf("%s gets fixes until %s", name, day)
	if given == nil {
		return c
	}
	c.Reason = "EndsSoon"
	if !now.Before(running.until) {
		c.Status, c.Reason = metav1.ConditionFalse, "Ended"
		c.Message = fmt.Sprintf("%s has got no fixes since %s", name, day)
	}
	then := now
	if then.Before(running.until) {
		then = running.until
	}
	if to, found := wayOut(running.Version, offers, then); found {
		c.Message += fmt.Sprintf(": set spec.version to %s; after %s Marina does so", to, given.UpgradeAfter.UTC().Format(time.DateTime+" MST"))
	} else {
		c.Message += ": there is none yet that it can be upgraded to; ask whoever runs the platform to offer one"
	}
	return c
}
