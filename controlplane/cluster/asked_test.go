package cluster

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// What an upgrade needs is asked once, before it begins: what is withdrawn half-way stops nothing,
// since there it would leave two versions behind.
func TestRule03WhatIsWithdrawnHalfWayStopsNothing(t *testing.T) {
	withdrawn := map[string]struct {
		withdraw func(*world)
		reason   string
	}{
		"the release": {func(w *world) {
			w.must(w.api.Delete(w.Context(), &v1alpha1.KubernetesRelease{ObjectMeta: metav1.ObjectMeta{Name: newVersion}}))
		}, "ReleaseNotFound"},
		"the offer of the Infrastructure": {func(w *world) {
			infra := &v1alpha1.Infrastructure{ObjectMeta: metav1.ObjectMeta{Name: "paris"}}
			w.must(w.api.Delete(w.Context(), infra))
			w.must(w.api.Create(w.Context(), &v1alpha1.Infrastructure{ObjectMeta: metav1.ObjectMeta{Name: "paris"}}))
		}, "ReleaseNotOffered"},
		"the version of a pool": {func(w *world) { w.setPool("1.33.1-1") }, "NodePoolTooOld"},
	}
	for name, given := range map[string]struct {
		told, runs string // what the control plane was told, and what its first component was given
		paused     bool
		asks       bool
	}{
		"before it is told":                      {oldVersion, oldVersion, false, true},
		"told":                                   {newVersion, oldVersion, false, false},
		"half-way":                               {newVersion, newVersion, false, false},
		"stopped half-way":                       {newVersion, newVersion, true, false},
		"stopped before it began, tried again":   {newVersion, oldVersion, true, true},
		"told to go back, and on again half-way": {oldVersion, newVersion, false, true},
	} {
		for what, tc := range withdrawn {
			t.Run(what+"/"+name, func(t *testing.T) {
				w := newWorld(t)
				w.place(oldVersion, newVersion)
				w.settle()
				tc.withdraw(w)
				s := &scope{cluster: w.cluster1(), hcp: w.hcp(), operations: ops(upgradeTo(newVersion, "u"))}
				s.cluster.Spec.Version, s.hcp.Spec.Version, s.hcp.Spec.Paused = newVersion, given.told, given.paused
				s.hcp.Status.Components[0].Version = given.runs
				r := w.controller()
				w.must(r.observePools(t.Context(), r.Client, s))
				e := reconcile.As(r.checkSpec(t.Context(), s))
				if (e != nil) != given.asks || e != nil && e.Reason != tc.reason {
					t.Errorf("%v, want that it is refused: %v", e, given.asks)
				}
			})
		}
	}
}
