package cluster

import (
	"errors"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/release"
)

// supportSays is what the condition Supported says.
func (w *world) supportSays() string {
	w.Helper()
	return meta.FindStatusCondition(w.cluster1().Status.Conditions, v1alpha1.ConditionSupported).Message
}

// setPool gives the pool of the world a version of its own; empty has it follow.
func (w *world) setPool(version string) {
	w.Helper()
	p := &v1alpha1.NodePool{}
	w.must(w.api.Get(w.Context(), client.ObjectKey{Namespace: shop.Namespace, Name: "web"}, p))
	p.Spec.Version = version
	w.must(w.api.Update(w.Context(), p))
}

// Nobody has asked for the upgrade at the end of support: what would be refused does not make the
// cluster Degraded, and does not begin when the window is closed. It says what is in the way, and
// is looked at once in each window.
func TestRule19WhatWouldBeRefusedIsPostponed(t *testing.T) {
	for name, tc := range map[string]struct {
		wrong, right func(*world)
		reason, says string
	}{
		"an API is in use that ends": {
			func(w *world) { w.found.deprecated = []release.DeprecatedAPI{endedAPI} }, func(w *world) { w.found.deprecated = nil },
			"RemovedAPIsInUse", "storage.k8s.io/v1beta1/volumeattributesclasses"},
		"a node is too old": {
			func(w *world) { w.found.kubelets = map[string]string{"mine": "v1.33.9"} }, func(w *world) { w.found.kubelets = nil },
			"NodeTooOld", "mine (v1.33.9)"},
		"a pool is too old": {
			func(w *world) { w.setPool("1.33.1-1") }, func(w *world) { w.setPool("") },
			"NodePoolTooOld", "node pool web has version 1.33.1-1"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.offer(oldVersion, "2027-06-28", newVersion, "2027-10-28")
			w.place(oldVersion, newVersion)
			w.change(func(c *v1alpha1.Cluster) { c.Spec.Maintenance.Window = on("Any", 3) })
			w.settle()
			tc.wrong(w)
			at := func(when, version string) {
				t.Helper()
				w.now = instant(when)
				w.settle()
				if c := w.cluster1(); c.Spec.Version != version || c.Status.Version != version || c.Status.Phase != v1alpha1.ClusterActive {
					t.Errorf("%s: it asks for %s, runs %s and is %s: %s; want %s and Active", when, c.Spec.Version, c.Status.Version, c.Status.Phase, c.Status.Message, version)
				}
			}
			at("2027-05-30 04:00", oldVersion)
			w.toldOf("SupportEnds")
			at("2027-06-30 02:30", oldVersion)
			if p := w.cluster1().Status.Postponed; p != nil {
				t.Errorf("before the window: %+v", p)
			}
			at("2027-06-30 04:45", oldVersion)
			p := w.cluster1().Status.Postponed
			if p == nil || p.Version != newVersion || p.Reason != tc.reason || !p.Refused || !strings.Contains(p.Message, tc.says) {
				t.Fatalf("postponed: %+v, want %s", p, tc.reason)
			}
			if says := w.supportSays(); !strings.Contains(says, "; the upgrade to 1.37.1-1, which is due, did not begin at 2027-06-30 04:45:") || !strings.Contains(says, tc.says) {
				t.Errorf("Supported says %q", says)
			}
			tc.right(w)
			asked := w.found.asked
			at("2027-06-30 04:50", oldVersion)
			at("2027-06-30 12:00", oldVersion)
			if told := w.toldOf("UpgradePostponed"); len(told) != 1 || !strings.Contains(told[0], tc.says) || w.found.asked != asked {
				t.Errorf("told %q, and looked %d times, in one window", told, 1+w.found.asked-asked)
			}
			at("2027-07-01 04:45", newVersion)
			if p := w.cluster1().Status.Postponed; p != nil || strings.Contains(w.supportSays(), "which is due") {
				t.Errorf("at its end: %+v, %s", p, w.supportSays())
			}
		})
	}
}

// Without a window it is looked at again a day later.
func TestRule19WithoutAWindowItIsLookedAtOnceADay(t *testing.T) {
	w := active(t, v1alpha1.MaintenanceSpec{})
	w.found.deprecated = []release.DeprecatedAPI{endedAPI}
	w.now = instant("2027-05-30 04:00")
	w.settle() // with which notice is given
	for _, tc := range []struct {
		at, version string
		looked      int
	}{
		{"2027-07-02 12:00", oldVersion, 1}, {"2027-07-02 18:00", oldVersion, 1}, {"2027-07-03 11:59", oldVersion, 1}, {"2027-07-03 12:05", oldVersion, 2},
	} {
		w.now = instant(tc.at)
		w.settle()
		if c := w.cluster1(); c.Status.Version != tc.version || w.found.asked != tc.looked {
			t.Errorf("%s: it runs %s and was looked at %d times, want %d", tc.at, c.Status.Version, w.found.asked, tc.looked)
		}
	}
	w.found.deprecated = nil
	w.now = instant("2027-07-04 12:10")
	w.settle()
	if c := w.cluster1(); c.Status.Version != newVersion {
		t.Errorf("then it runs %s: %s", c.Status.Version, w.supportSays())
	}
}

// What a window waits for in vain is told: once in each, and until it has begun.
func TestRule18WhatAWindowWaitsForIsTold(t *testing.T) {
	busy := v1alpha1.NodePoolStatus{Phase: v1alpha1.PoolScaling, Message: "2 of 3 nodes are ready"}
	for name, tc := range map[string]struct {
		wrong, right func(*world)
		reason, says string
	}{
		"a node pool is busy":           {func(w *world) { w.pool = busy }, func(w *world) { w.pool = v1alpha1.NodePoolStatus{} }, "NodePoolBusy", "node pool web is Active, which is Scaling: 2 of 3 nodes are ready"},
		"a member of etcd is not well":  {func(w *world) { w.setEtcd(2) }, func(w *world) { w.setEtcd(3) }, "EtcdUnhealthy", "2 of 3 members"},
		"its last change is refused":    {func(w *world) { w.class("none") }, func(w *world) { w.class("default") }, "Degraded", "the cluster is Degraded: HostingClass none does not exist"},
		"an API server does not answer": {func(w *world) { w.found.err = errors.New("away") }, func(w *world) { w.found.err = nil }, "NotInspected", "not all API servers answer"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.offer(oldVersion, "2027-06-28", newVersion, "2027-10-28")
			w.place(oldVersion, newVersion)
			w.change(func(c *v1alpha1.Cluster) { c.Spec.Maintenance.Window = on("Any", 3) })
			w.settle()
			w.now = instant("2027-05-30 04:00")
			w.settle()
			tc.wrong(w)
			w.nodePools()
			w.now = instant("2027-06-29 12:00")
			w.settle()
			for _, window := range []string{"2027-06-30", "2027-07-01"} {
				w.now = instant(window + " 04:45")
				w.settle()
				w.settle()
				p := w.cluster1().Status.Postponed
				if p == nil || p.Reason != tc.reason || p.Refused || !strings.Contains(p.Message, tc.says) || !strings.Contains(w.supportSays(), "did not begin at "+window+" 04:45:") {
					t.Errorf("%s: %+v; Supported says %q", window, p, w.supportSays())
				}
				if told := w.toldOf("UpgradePostponed"); len(told) != 1 || !strings.Contains(told[0], tc.says) {
					t.Errorf("%s: told %q", window, told)
				}
			}
			tc.right(w)
			w.now = instant("2027-07-01 12:00")
			w.settle()
			if c := w.cluster1(); c.Spec.Version != oldVersion || c.Status.Postponed == nil {
				t.Errorf("when the window is closed it asks for %s, and what it waited for is %+v", c.Spec.Version, c.Status.Postponed)
			}
			w.now = instant("2027-07-02 04:45")
			w.settle()
			if c := w.cluster1(); c.Status.Version != newVersion || c.Status.Postponed != nil {
				t.Errorf("then it runs %s, and waits for %+v", c.Status.Version, c.Status.Postponed)
			}
		})
	}
}

// class gives the Cluster another HostingClass, as the API server would not let a user.
func (w *world) class(name string) {
	w.Helper()
	w.change(func(c *v1alpha1.Cluster) { c.Spec.HostingClassRef.Name = name })
}
