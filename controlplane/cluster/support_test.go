package cluster

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/release"
)

func instant(text string) time.Time {
	at, err := time.Parse("2006-01-02 15:04", text)
	if err != nil {
		panic(err)
	}
	return at
}

func on(day string, hour int32) *v1alpha1.MaintenanceWindow {
	return &v1alpha1.MaintenanceWindow{Day: day, StartHour: &hour}
}

// The 21st of November 2026 is a Saturday.
func TestRule18AWindowIsOpenForTwoHours(t *testing.T) {
	if windowLength != 2*time.Hour {
		t.Errorf("a window is open for %s, want 2h", windowLength)
	}
	for name, tc := range map[string]struct {
		window *v1alpha1.MaintenanceWindow
		now    string
		open   bool
		next   string
	}{
		"Before":           {on("Saturday", 12), "2026-11-21 11:59", false, "2026-11-21 12:00"},
		"AsItOpens":        {on("Saturday", 12), "2026-11-21 12:00", true, "2026-11-28 12:00"},
		"Late":             {on("Saturday", 12), "2026-11-21 13:59", true, "2026-11-28 12:00"},
		"Closed":           {on("Saturday", 12), "2026-11-21 14:00", false, "2026-11-28 12:00"},
		"OtherDay":         {on("Monday", 12), "2026-11-21 12:30", false, "2026-11-23 12:00"},
		"AnyDay":           {on("Any", 3), "2026-11-21 04:59", true, "2026-11-22 03:00"},
		"DayLeftOut":       {on("", 3), "2026-11-21 05:00", false, "2026-11-22 03:00"},
		"PastMidnight":     {on("Friday", 23), "2026-11-21 00:30", true, "2026-11-27 23:00"},
		"PastTheEndOfYear": {on("Any", 23), "2027-01-01 00:59", true, "2027-01-01 23:00"},
	} {
		t.Run(name, func(t *testing.T) {
			now := instant(tc.now)
			since, open := opened(tc.window, now)
			if open != tc.open {
				t.Errorf("open: %v, since %s, want %v", open, since, tc.open)
			}
			if open && (since.After(now) || now.Sub(since) >= windowLength) {
				t.Errorf("open since %s", since)
			}
			// What somebody's clock is set to is of no matter.
			if got := opening(tc.window, now.In(time.FixedZone("far", 11*3600))).Format("2006-01-02 15:04"); got != tc.next {
				t.Errorf("it opens at %s, want %s", got, tc.next)
			}
		})
	}
	if _, open := opened(nil, noon); !open {
		t.Error("without a window it is never open")
	}
}

// What is due for all in the same moment begins in turns: over a day where there is no window,
// and early enough in one to have begun before it closes. Each Cluster has always the same.
func TestRule19NotAllBeginAtOnce(t *testing.T) {
	const clusters = 1000
	for name, tc := range map[string]struct {
		window *v1alpha1.MaintenanceWindow
		slots  int           // in which some begin
		slot   time.Duration // how long each is
	}{
		"WithoutWindow": {nil, 24, time.Hour},
		"InTheWindow":   {on("Any", 0), 10, 10 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			from, begun := instant("2027-06-29 00:00"), make([]int, tc.slots+2)
			offered := offers(releases("1.36.4-1", "2027-06-28", "1.37.1-1", "2027-10-28"), all)
			for i := range clusters {
				c := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{UID: types.UID(fmt.Sprintf("%08x-7a52-4d9b-9f0c-3b8f2f9a0001", i))}}
				c.Spec.Maintenance.Window = tc.window
				c.Status.EndOfSupport = &v1alpha1.EndOfSupport{UpgradeAfter: metav1.NewTime(from)}
				s, slot := &scope{cluster: c, offers: offered}, 0
				for ; slot <= tc.slots; slot++ {
					now := from.Add(time.Duration(slot)*tc.slot - time.Second)
					if _, open := s.opened(now); open && s.due(offered[0], now) != nil {
						break
					}
				}
				begun[slot]++
			}
			if begun[0] > 0 || begun[tc.slots+1] > 0 {
				t.Errorf("too early %d, and too late %d", begun[0], begun[tc.slots+1])
			}
			for slot, n := range begun[1 : tc.slots+1] {
				if most := 2 * clusters / tc.slots; n == 0 || n > most {
					t.Errorf("%d begin in slot %d, want some and at most %d", n, slot, most)
				}
			}
		})
	}
}

func releases(until ...string) (all []v1alpha1.KubernetesRelease) {
	for i := 0; i < len(until); i += 2 {
		all = append(all, v1alpha1.KubernetesRelease{ObjectMeta: metav1.ObjectMeta{Name: until[i]}, Spec: v1alpha1.KubernetesReleaseSpec{SupportedUntil: until[i+1]}})
	}
	return all
}

func all(string) bool { return true }

// The newest patch is by our order, where build 10 is newer than 9, of the same minor, and gets
// fixes. The way out leads to the next minor where there is none, and never further.
func TestRule18And19WhereToGo(t *testing.T) {
	for name, tc := range map[string]struct {
		offered       []v1alpha1.KubernetesRelease
		so            func(string) bool
		patch, wayOut string
	}{
		"Nothing":        {releases("1.36.4-1", "2027-06-28"), all, "", ""},
		"NextMinor":      {releases("1.36.4-1", "2027-06-28", "1.37.1-1", "2027-10-28"), all, "", "1.37.1-1"},
		"Builds":         {releases("1.36.4-9", "2027-06-28", "1.36.4-10", "2027-06-28", "1.37.1-1", "2027-10-28"), all, "1.36.4-10", "1.36.4-10"},
		"Patches":        {releases("1.36.10-1", "2027-06-28", "1.36.9-3", "2027-06-28"), all, "1.36.10-1", "1.36.10-1"},
		"WithoutFixes":   {releases("1.36.10-1", "2026-01-01", "1.37.1-1", "2027-10-28", "1.37.2-1", "2027-10-28"), all, "", "1.37.2-1"},
		"LastDay":        {releases("1.36.10-1", "2026-11-21"), all, "1.36.10-1", "1.36.10-1"},
		"DayAfter":       {releases("1.36.10-1", "2026-11-20"), all, "", ""},
		"OneStepAtATime": {releases("1.38.0-1", "2028-02-28", "1.37.1-1", "2025-10-28"), all, "", "1.37.1-1"},
		"TooFar":         {releases("1.38.0-1", "2028-02-28"), all, "", ""},
		"Older":          {releases("1.36.3-1", "2027-06-28", "1.35.9-1", "2027-06-28"), all, "", ""},
		"NotOffered":     {releases("1.36.5-1", "2027-06-28", "1.37.1-1", "2027-10-28"), func(name string) bool { return name == "1.37.1-1" }, "", "1.37.1-1"},
		"Unreadable":     {releases("1.36.5-1", "soon", "latest", "2027-06-28"), all, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			from, offered := release.Version{Major: 1, Minor: 36, Patch: 4, Build: 1}, offers(tc.offered, tc.so)
			word := func(v release.Version, found bool) string {
				if !found {
					return ""
				}
				return v.String()
			}
			if got := word(newestPatch(from, offered, noon)); got != tc.patch {
				t.Errorf("newest patch %q, want %q", got, tc.patch)
			}
			if got := word(wayOut(from, offered, noon)); got != tc.wayOut {
				t.Errorf("way out %q, want %q", got, tc.wayOut)
			}
		})
	}
}

// Notice is given thirty days before, and whoever was told late has thirty days all the same.
func TestRule19NoticeIsGivenThirtyDaysBefore(t *testing.T) {
	if noticePeriod != 30*24*time.Hour {
		t.Errorf("notice is given %s before, want 30 days", noticePeriod)
	}
	until := instant("2027-06-29 00:00")
	told := func(name, at, after string) *v1alpha1.EndOfSupport {
		return &v1alpha1.EndOfSupport{Release: name, NoticedAt: metav1.NewTime(instant(at)), UpgradeAfter: metav1.NewTime(instant(after))}
	}
	for name, tc := range map[string]struct {
		given *v1alpha1.EndOfSupport
		now   string
		want  *v1alpha1.EndOfSupport
	}{
		"FarAway":         {nil, "2027-05-29 23:59", nil},
		"ThirtyDays":      {nil, "2027-05-30 00:00", told("1.36.4-1", "2027-05-30 00:00", "2027-06-29 00:00")},
		"KeptAsGiven":     {told("1.36.4-1", "2027-05-30 00:00", "2027-06-29 00:00"), "2027-06-20 00:00", told("1.36.4-1", "2027-05-30 00:00", "2027-06-29 00:00")},
		"ToldLate":        {nil, "2027-07-20 00:00", told("1.36.4-1", "2027-07-20 00:00", "2027-08-19 00:00")},
		"OfAnotherBefore": {told("1.35.1-1", "2027-01-01 00:00", "2027-02-01 00:00"), "2027-06-20 00:00", told("1.36.4-1", "2027-06-20 00:00", "2027-07-20 00:00")},
		"Prolonged":       {told("1.36.4-1", "2027-01-01 00:00", "2027-02-01 00:00"), "2027-02-01 00:00", nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, notice(tc.given, "1.36.4-1", until, instant(tc.now))); diff != "" {
				t.Errorf("notice (-want +got):\n%s", diff)
			}
		})
	}
}

// The condition says until when, where to and after when.
func TestRule19TheConditionSaysWhatToDo(t *testing.T) {
	offered := offers(releases("1.36.4-1", "2027-06-28", "1.37.1-1", "2027-10-28"), all)
	given := &v1alpha1.EndOfSupport{Release: "1.36.4-1", UpgradeAfter: metav1.NewTime(instant("2027-06-29 00:00"))}
	for name, tc := range map[string]struct {
		running        *offer
		given          *v1alpha1.EndOfSupport
		offers         []offer
		now            string
		status, reason string
		words          string
	}{
		"FarAway": {&offered[0], nil, offered, "2026-11-21 12:00", "True", "AsExpected", "1.36.4-1 gets fixes until 2027-06-28"},
		"Soon":    {&offered[0], given, offered, "2027-06-20 12:00", "True", "EndsSoon", "1.36.4-1 gets fixes until 2027-06-28: set spec.version to 1.37.1-1; after 2027-06-29 00:00:00 UTC Marina does so"},
		"Ended":   {&offered[0], given, offered, "2027-06-29 00:00", "False", "Ended", "1.36.4-1 has got no fixes since 2027-06-28: set spec.version to 1.37.1-1; after "},
		"NoWay":   {&offered[0], given, offered[:1], "2027-06-29 00:00", "False", "Ended", "there is none yet that it can be upgraded to; ask whoever runs the platform to offer one"},
		"Unknown": {nil, nil, offered, "2027-06-29 00:00", "Unknown", "ReleaseNotFound", "there is no KubernetesRelease 1.36.4-1 any more"},
	} {
		t.Run(name, func(t *testing.T) {
			c := supported(tc.running, tc.given, "1.36.4-1", tc.offers, instant(tc.now))
			if string(c.Status) != tc.status || c.Reason != tc.reason || !strings.Contains(c.Message, tc.words) {
				t.Errorf("%+v, want %s, %s and %q", c, tc.status, tc.reason, tc.words)
			}
		})
	}
}
