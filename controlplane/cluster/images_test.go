package cluster

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// images has the cloud have the images of releases, or not have been looked into for them.
func (w *world) images(looked bool, releases ...string) {
	w.Helper()
	infra := &v1alpha1.Infrastructure{}
	w.must(w.api.Get(w.Context(), client.ObjectKey{Name: "paris"}, infra))
	infra.Status.Images, infra.Status.ObservedGeneration = nil, infra.Generation
	if !looked {
		infra.Status.ObservedGeneration--
	}
	for _, r := range releases {
		infra.Status.Images = append(infra.Status.Images, v1alpha1.InfrastructureImage{Release: r, ID: "of " + r})
	}
	w.must(w.api.Status().Update(w.Context(), infra))
}

// Rule 13: what is offered comes from the infrastructure, and an image that is not there yet is
// not offered. What asks for it is refused before the control plane is changed: its nodes could
// not follow.
func TestRule13WithoutItsImageAVersionIsNotOffered(t *testing.T) {
	for name, tc := range map[string]struct {
		looked         bool
		pool           func(*v1alpha1.NodePoolSpec)
		reason, status string // of what is asked for; empty if it is carried out
	}{
		"no image":                        {true, nil, "ImageNotFound", "False"},
		"not known yet":                   {false, nil, "InfrastructureNotReady", "Unknown"},
		"a pool with an image of its own": {true, func(s *v1alpha1.NodePoolSpec) { s.Image = "11111111-7a52-4d9b-9f0c-3b8f2f9a0001" }, "", ""},
		"a pool that does not follow":     {true, func(s *v1alpha1.NodePoolSpec) { s.Version = oldVersion }, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.place(oldVersion, newVersion)
			w.settle()
			w.images(tc.looked, oldVersion)
			if tc.pool != nil {
				p := &v1alpha1.NodePool{}
				w.must(w.api.Get(t.Context(), client.ObjectKey{Namespace: shop.Namespace, Name: "web"}, p))
				tc.pool(&p.Spec)
				w.must(w.api.Update(t.Context(), p))
			}
			w.change(func(c *v1alpha1.Cluster) { c.Spec.Version = newVersion })
			w.settle()
			c := w.cluster1()
			accepted := meta.FindStatusCondition(c.Status.Conditions, v1alpha1.ConditionSpecAccepted)
			if tc.reason != "" && (accepted.Reason != tc.reason || string(accepted.Status) != tc.status || !strings.Contains(accepted.Message, "Infrastructure paris") || w.hcp().Spec.Version != oldVersion) {
				t.Errorf("told to run %s: %+v, want %s %s", w.hcp().Spec.Version, accepted, tc.status, tc.reason)
			}
			w.images(true, oldVersion, newVersion)
			w.settle()
			if c := w.cluster1(); c.Status.Version != newVersion || c.Status.Phase != v1alpha1.ClusterActive {
				t.Errorf("with its image it is %s with %s: %s", c.Status.Phase, c.Status.Version, c.Status.Message)
			}
		})
	}
}

// What Marina begins by itself takes the newest of which there is an image.
func TestRule18And19OnlyToWhatTheCloudHasAnImageOf(t *testing.T) {
	const newest = "1.36.6-1"
	w := newWorld(t)
	w.offer(oldVersion, "2027-06-28", newPatch, "2027-06-28", newest, "2027-06-28", newVersion, "2027-10-28")
	w.place(oldVersion, newPatch, newest, newVersion)
	w.images(true, oldVersion)
	w.change(func(c *v1alpha1.Cluster) {
		c.Spec.Maintenance = v1alpha1.MaintenanceSpec{Window: on("Any", 12), AutoUpgrade: v1alpha1.AutoUpgradePatch}
	})
	for _, tc := range []struct {
		at     string
		looked bool
		images []string
		want   string
	}{
		{"2026-11-21 13:50", true, []string{oldVersion}, oldVersion},
		{"2026-11-22 13:50", false, []string{oldVersion, newPatch}, oldVersion},
		{"2026-11-23 13:50", true, []string{oldVersion, newPatch}, newPatch},
		{"2026-11-24 13:50", true, []string{oldVersion, newPatch, newest}, newest},
		// Support has ended, and the next minor has no image.
		{"2027-05-30 09:00", true, []string{newest}, newest},
		{"2027-07-10 13:50", true, []string{newest}, newest},
		{"2027-07-11 13:50", true, []string{newest, newVersion}, newVersion},
	} {
		w.images(tc.looked, tc.images...)
		w.now = instant(tc.at)
		w.settle()
		if c := w.cluster1(); c.Spec.Version != tc.want || c.Status.Phase != v1alpha1.ClusterActive {
			t.Errorf("%s, with images of %q: it is %s and asks for %s, want %s", tc.at, tc.images, c.Status.Phase, c.Spec.Version, tc.want)
		}
	}
}

// An image that appears wakes those that wait for it; a cloud that is looked at does not.
func TestAnImageWakesClusters(t *testing.T) {
	infra := func(change func(*v1alpha1.Infrastructure)) *v1alpha1.Infrastructure {
		i := &v1alpha1.Infrastructure{}
		i.Generation, i.Status.ObservedGeneration = 2, 2
		i.Status.Images = []v1alpha1.InfrastructureImage{{Release: oldVersion, ID: "a"}}
		change(i)
		return i
	}
	for name, tc := range map[string]struct {
		change func(*v1alpha1.Infrastructure)
		wakes  bool
	}{
		"nothing": {func(*v1alpha1.Infrastructure) {}, false},
		"a condition": {func(i *v1alpha1.Infrastructure) {
			meta.SetStatusCondition(&i.Status.Conditions, metav1.Condition{Type: "Ready", Status: "True"})
		}, false},
		"the spec": {func(i *v1alpha1.Infrastructure) { i.Generation = 3 }, true},
		"another image": {func(i *v1alpha1.Infrastructure) {
			i.Status.Images = append(i.Status.Images, v1alpha1.InfrastructureImage{Release: newVersion, ID: "b"})
		}, true},
		"it has been looked": {func(i *v1alpha1.Infrastructure) { i.Status.ObservedGeneration = 1 }, true},
	} {
		e := event.UpdateEvent{ObjectOld: infra(func(*v1alpha1.Infrastructure) {}), ObjectNew: infra(tc.change)}
		if got := offersChanged().Update(e); got != tc.wakes {
			t.Errorf("%s: wakes %v, want %v", name, got, tc.wakes)
		}
	}
}
