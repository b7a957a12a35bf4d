package cluster

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

const newPatch = "1.36.5-1"

// offer has the platform offer releases, each until a day, in place of those of the world.
func (w *world) offer(until ...string) {
	w.Helper()
	w.must(w.api.DeleteAllOf(w.Context(), &v1alpha1.KubernetesRelease{}))
	for _, r := range releases(until...) {
		w.must(w.api.Create(w.Context(), &r))
	}
}

// told are the Events of a reason.
func (w *world) toldOf(reason string) (all []string) {
	for {
		select {
		case e := <-w.events.Events:
			if strings.Contains(e, " "+reason+" ") {
				all = append(all, e)
			}
		default:
			return all
		}
	}
}

// active is a Cluster at rest, with what the tenant has said of maintenance.
func active(t *testing.T, maintenance v1alpha1.MaintenanceSpec) *world {
	t.Helper()
	w := newWorld(t)
	w.offer(oldVersion, "2027-06-28", newVersion, "2027-10-28")
	w.create()
	w.change(func(c *v1alpha1.Cluster) { c.Spec.Maintenance = maintenance })
	w.settle()
	if p := w.cluster1().Status.Phase; p != v1alpha1.ClusterActive {
		t.Fatalf("the cluster is %s", p)
	}
	return w
}

// A patch is taken up in the window, of a cluster that is well, once; a minor never.
func TestRule18PatchesAreTakenUpInTheWindow(t *testing.T) {
	patch := v1alpha1.MaintenanceSpec{Window: on("Saturday", 12), AutoUpgrade: v1alpha1.AutoUpgradePatch}
	for name, tc := range map[string]struct {
		maintenance v1alpha1.MaintenanceSpec
		at          string
		disturb     func(*world)
		want        string
	}{
		"InTheWindow":   {patch, "2026-11-21 13:45", nil, newPatch},
		"Before":        {patch, "2026-11-21 11:30", nil, oldVersion},
		"WhenItClosed":  {patch, "2026-11-21 14:00", nil, oldVersion},
		"OtherDay":      {patch, "2026-11-22 13:45", nil, oldVersion},
		"NotAskedFor":   {v1alpha1.MaintenanceSpec{Window: on("Saturday", 12)}, "2026-11-21 13:45", nil, oldVersion},
		"AskedNotTo":    {v1alpha1.MaintenanceSpec{Window: on("Saturday", 12), AutoUpgrade: v1alpha1.AutoUpgradeNone}, "2026-11-21 13:45", nil, oldVersion},
		"EtcdIsNotWell": {patch, "2026-11-21 13:45", func(w *world) { w.setEtcd(2) }, oldVersion},
		"GivenUpBefore": {patch, "2026-11-21 13:45", func(w *world) {
			o := op(v1alpha1.OperationUpgrade, "before")
			o.Spec.Version, o.Status.Phase, o.CreationTimestamp = newPatch, v1alpha1.OperationCancelled, metav1.NewTime(instant("2026-11-21 12:10"))
			w.must(w.api.Create(w.Context(), o))
		}, oldVersion},
		"GivenUpAWeekAgo": {patch, "2026-11-21 13:45", func(w *world) {
			o := op(v1alpha1.OperationUpgrade, "before")
			o.Spec.Version, o.Status.Phase, o.CreationTimestamp = newPatch, v1alpha1.OperationCancelled, metav1.NewTime(instant("2026-11-14 12:10"))
			w.must(w.api.Create(w.Context(), o))
		}, newPatch},
	} {
		t.Run(name, func(t *testing.T) {
			w := active(t, tc.maintenance)
			w.now = instant(tc.at)
			if tc.disturb != nil {
				tc.disturb(w)
			}
			w.offer(oldVersion, "2027-06-28", newPatch, "2027-06-28", newVersion, "2027-10-28")
			w.settle()
			c := w.cluster1()
			if c.Spec.Version != tc.want || c.Status.Version != tc.want {
				t.Errorf("it asks for %s and runs %s, want %s", c.Spec.Version, c.Status.Version, tc.want)
			}
			var events []string
			if tc.want != oldVersion {
				events = []string{"Normal AutoUpgrade upgrading from 1.36.4-1 to 1.36.5-1: it is the newest patch, and autoUpgrade asks for that"}
			}
			if told := w.toldOf("AutoUpgrade"); fmt.Sprint(told) != fmt.Sprint(events) {
				t.Errorf("told: %q, want %q", told, events)
			}
		})
	}
}

// What is not at rest is not upgraded by itself, whatever it is that is left to do.
func TestRule18OnlyWhatIsAtRestIsUpgraded(t *testing.T) {
	well := func() *scope {
		c := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Generation: 3}}
		c.Spec.Version, c.Status.Version, c.Status.Phase = oldVersion, oldVersion, v1alpha1.ClusterActive
		c.Status.Accepted = &v1alpha1.AcceptedSpec{Version: oldVersion, Generation: 3}
		for _, t := range mirrored {
			c.Status.Conditions = append(c.Status.Conditions, metav1.Condition{Type: t, Status: metav1.ConditionTrue, Reason: "Reason", Message: "why"})
		}
		pool := v1alpha1.NodePool{}
		pool.Status.Phase = v1alpha1.PoolActive
		return &scope{cluster: c, pools: []v1alpha1.NodePool{pool}}
	}
	if err := well().calm(); err != nil {
		t.Fatalf("one that is well is not at rest: %v", err)
	}
	lacks := func(conditionType string) func(*scope) {
		return func(s *scope) {
			meta.FindStatusCondition(s.cluster.Status.Conditions, conditionType).Status = metav1.ConditionFalse
		}
	}
	for name, disturb := range map[string]func(*scope){
		"Degraded":           func(s *scope) { s.cluster.Status.Phase = v1alpha1.ClusterDegraded },
		"Updating":           func(s *scope) { s.cluster.Status.Phase = v1alpha1.ClusterUpdating },
		"OperationRuns":      func(s *scope) { s.running = &v1alpha1.Operation{} },
		"OtherVersionAsked":  func(s *scope) { s.cluster.Spec.Version = newVersion },
		"ChangeNotTakenUp":   func(s *scope) { s.cluster.Generation = 4 },
		"EtcdIsNotWell":      lacks(v1alpha1.ConditionEtcdReady),
		"AReplicaIsMissing":  lacks(v1alpha1.ConditionAvailable),
		"RollingSomething":   lacks(v1alpha1.ConditionUpToDate),
		"PoolIsScaling":      func(s *scope) { s.pools[0].Status.Phase = v1alpha1.PoolScaling },
		"PoolHasNotTakenUp":  func(s *scope) { s.pools[0].Generation = 2 },
		"NothingTakenUpEver": func(s *scope) { s.cluster.Status.Accepted = nil },
	} {
		t.Run(name, func(t *testing.T) {
			s := well()
			disturb(s)
			if e := reconcile.As(s.calm()); e == nil || e.Reason == "" || e.Message == "" || e.Kind != reconcile.KindWait {
				t.Errorf("%+v, want what it waits for", e)
			}
		})
	}
}

// Support ends: notice, thirty days, and one step to the next minor, in the window if there is
// one, whatever autoUpgrade says.
func TestRule19AfterNoticeTheNextMinorIsForced(t *testing.T) {
	for name, window := range map[string]*v1alpha1.MaintenanceWindow{"WithoutWindow": nil, "InTheWindow": on("Any", 3)} {
		t.Run(name, func(t *testing.T) {
			w := active(t, v1alpha1.MaintenanceSpec{Window: window, AutoUpgrade: v1alpha1.AutoUpgradeNone})
			is := func(at, version, status string, events int) {
				t.Helper()
				w.now = instant(at)
				w.settle()
				c := w.cluster1()
				if c.Status.Version != version {
					t.Errorf("%s: it runs %s, want %s", at, c.Status.Version, version)
				}
				if got := meta.FindStatusCondition(c.Status.Conditions, v1alpha1.ConditionSupported); string(got.Status) != status {
					t.Errorf("%s: %+v, want %s", at, got, status)
				}
				if told := w.toldOf("SupportEnds"); len(told) != events {
					t.Errorf("%s: %d notices, want %d: %q", at, len(told), events, told)
				}
			}
			is("2027-05-29 04:00", oldVersion, "True", 0)
			is("2027-05-30 04:00", oldVersion, "True", 1)
			is("2027-06-28 04:00", oldVersion, "True", 0)
			is("2027-06-29 02:30", oldVersion, "False", 0) // thirty days after the notice are at four o'clock
			if window != nil {
				is("2027-06-29 05:30", oldVersion, "False", 0) // which is closed
				is("2027-06-30 02:59", oldVersion, "False", 0)
				is("2027-06-30 04:45", newVersion, "True", 0)
			} else {
				is("2027-06-29 03:59", oldVersion, "False", 0)
				is("2027-06-30 04:01", newVersion, "True", 0) // it has its turn within a day
			}
			if w.cluster1().Status.EndOfSupport != nil {
				t.Error("the notice is of a release that does not run any more")
			}
		})
	}
}

// Time alone makes what is due: the controller wakes up for it.
func TestRule18And19ItLooksAgainInTime(t *testing.T) {
	running := offers(releases(oldVersion, "2027-06-28"), all)[0]
	for name, tc := range map[string]struct {
		maintenance v1alpha1.MaintenanceSpec
		noticed     string
		now, want   string
		within      time.Duration // after that
	}{
		"Notice":           {now: "2027-01-01 00:00", want: "2027-05-30 00:00"},
		"End":              {now: "2027-06-28 10:00", noticed: "2027-06-20 00:00", want: "2027-06-29 00:00"},
		"Forced":           {now: "2027-07-19 13:00", noticed: "2027-06-20 00:00", want: "2027-07-20 00:00", within: 13 * time.Hour},
		"AnotherTry":       {now: "2027-08-01 00:00", noticed: "2027-06-20 00:00", want: "2027-08-02 00:00"},
		"WindowOfPatches":  {v1alpha1.MaintenanceSpec{Window: on("Any", 3), AutoUpgrade: "Patch"}, "", "2027-01-01 05:00", "2027-01-02 03:00", 100 * time.Minute},
		"Turn":             {v1alpha1.MaintenanceSpec{Window: on("Any", 3), AutoUpgrade: "Patch"}, "", "2027-01-01 03:00", "2027-01-01 03:00", 100 * time.Minute},
		"WindowOfNothing":  {v1alpha1.MaintenanceSpec{Window: on("Any", 3)}, "", "2027-01-01 05:00", "2027-05-30 00:00", 0},
		"WindowAfterNotic": {v1alpha1.MaintenanceSpec{Window: on("Any", 3)}, "2027-06-20 00:00", "2027-08-01 05:00", "2027-08-02 03:00", 100 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			c := &v1alpha1.Cluster{}
			c.Spec.Maintenance = tc.maintenance
			if tc.noticed != "" {
				c.Status.EndOfSupport = notice(&v1alpha1.EndOfSupport{Release: oldVersion, NoticedAt: metav1.NewTime(instant(tc.noticed))}, oldVersion, running.until, instant(tc.now))
			}
			now := instant(tc.now)
			if got, want := now.Add((&scope{cluster: c}).nextLook(running, now)), instant(tc.want); got.Before(want) || got.After(want.Add(tc.within)) {
				t.Errorf("it looks again at %s, want %s or up to %s later", got, tc.want, tc.within)
			}
		})
	}
}
