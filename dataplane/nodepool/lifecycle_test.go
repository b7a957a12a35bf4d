package nodepool

import (
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/apitest"
)

const lifecycle = "docs/reference/lifecycle.md"

// The table of what rolls nodes has every field of a pool, and says of each what comes of a
// change: another template, other words in the Machines that there are, or neither.
func TestTheTableOfPoolFields(t *testing.T) {
	verdicts := apitest.Verdicts(t, lifecycle, "### Fields of a NodePool")
	fields := apitest.Fields(reflect.TypeFor[v1alpha1.NodePoolSpec]())
	if diff := cmp.Diff(slices.Sorted(slices.Values(fields)), slices.Sorted(maps.Keys(verdicts))); diff != "" {
		t.Errorf("fields in the table (-of the NodePool +of the table):\n%s", diff)
	}
	changes := map[string]func(*v1alpha1.NodePoolSpec){
		"version":          func(s *v1alpha1.NodePoolSpec) { s.Version = "1.36.4-1" },
		"flavor":           func(s *v1alpha1.NodePoolSpec) { s.Flavor = "b3-16" },
		"image":            func(s *v1alpha1.NodePoolSpec) { s.Image = "00000000-0000-0000-0000-000000000001" },
		"diskGiB":          func(s *v1alpha1.NodePoolSpec) { s.DiskGiB = new(int64(40)) },
		"availabilityZone": func(s *v1alpha1.NodePoolSpec) { s.AvailabilityZone = "z" },
		"securityGroups":   func(s *v1alpha1.NodePoolSpec) { s.SecurityGroups = []string{"g"} },
		"networks":         func(s *v1alpha1.NodePoolSpec) { s.Networks = []string{"n"} },
		"floatingIPs":      func(s *v1alpha1.NodePoolSpec) { s.FloatingIPs = true },
		"labels":           func(s *v1alpha1.NodePoolSpec) { s.Labels = map[string]string{"a": "b"} },
		"taints":           func(s *v1alpha1.NodePoolSpec) { s.Taints = []v1alpha1.Taint{{Key: "a", Effect: "NoSchedule"}} },
		"startupTaints":    func(s *v1alpha1.NodePoolSpec) { s.StartupTaints = []v1alpha1.Taint{{Key: "a", Effect: "NoSchedule"}} },
		"replicas":         func(s *v1alpha1.NodePoolSpec) { s.Replicas = new(int32(7)) },
		"nodesToRemove":    func(s *v1alpha1.NodePoolSpec) { s.NodesToRemove = []string{"a"} },
		"upgrade": func(s *v1alpha1.NodePoolSpec) {
			s.Upgrade.MaxSurge, s.Upgrade.DrainTimeoutSeconds = new(int32(2)), new(int32(5))
		},
		"autoHeal": func(s *v1alpha1.NodePoolSpec) { s.AutoHeal.Enabled = new(false) },

		"creationTimeoutSeconds": func(s *v1alpha1.NodePoolSpec) { s.CreationTimeoutSeconds = new(int32(60)) },
	}
	for field, verdict := range verdicts {
		if verdict == "refused" {
			continue // by the API server: see TestRule01WhatCannotBeChanged
		}
		change := changes[field]
		if change == nil {
			t.Errorf("%s: nobody tries what comes of a change", field)
			continue
		}
		before := &scope{pool: &v1alpha1.NodePool{Spec: v1alpha1.NodePoolSpec{Flavor: "b3-8"}}}
		after := &scope{pool: before.pool.DeepCopy()}
		if change(&after.pool.Spec); cmp.Equal(before.pool, after.pool) {
			t.Errorf("%s: nothing is changed", field)
		}
		if got := comesOf(before, after); got != verdict {
			t.Errorf("%s: %s, and the table says %s", field, got, verdict)
		}
	}
}

// comesOf is what a change does to nodes that there are.
func comesOf(before, after *scope) string {
	var was, is v1alpha1.MachineSpec
	before.shape(&was)
	after.shape(&is)
	// How long an emptying or a beginning may take is no matter to a node before and after it.
	was.DrainTimeoutSeconds, is.DrainTimeoutSeconds = nil, nil
	was.CreationTimeoutSeconds, is.CreationTimeoutSeconds = 0, 0
	switch {
	case !cmp.Equal(before.template(), after.template()):
		return "replaced"
	case !cmp.Equal(was, is):
		return "adjusted"
	default:
		return "nothing"
	}
}

// The picture of a pool's life has every phase, and each can be deleted.
func TestThePictureOfAPool(t *testing.T) {
	picture := apitest.Transitions(t, lifecycle, "## A NodePool")
	phases := []v1alpha1.PoolPhase{
		v1alpha1.PoolPending, v1alpha1.PoolCreating, v1alpha1.PoolActive, v1alpha1.PoolScaling, v1alpha1.PoolUpdating,
		v1alpha1.PoolUpgrading, v1alpha1.PoolDegraded, v1alpha1.PoolError,
	}
	reached := map[string]bool{}
	for _, to := range picture {
		for _, phase := range to {
			reached[phase] = true
		}
	}
	for _, phase := range phases {
		if phase != v1alpha1.PoolPending && !reached[string(phase)] || !slices.Contains(picture[string(phase)], "Deleting") {
			t.Errorf("%s is reached: %v, and leads to %v", phase, reached[string(phase)], picture[string(phase)])
		}
	}
	// And what the picture shows happens: facts of a pool that has been Active, one after the other.
	for name, tc := range map[string]struct {
		from, to facts
	}{
		"ScaleUp":       {facts{BeenReady: true, Wanted: 2, Live: 2, Ready: 2}, facts{BeenReady: true, Wanted: 3, Live: 3, Ready: 2}},
		"ScaleDone":     {facts{BeenReady: true, Wanted: 3, Live: 3, Ready: 2}, facts{BeenReady: true, Wanted: 3, Live: 3, Ready: 3}},
		"OtherFlavor":   {facts{BeenReady: true, Wanted: 2, Live: 2, Ready: 2}, facts{BeenReady: true, Wanted: 2, Live: 3, Ready: 2, Old: 2}},
		"OtherVersion":  {facts{BeenReady: true, Wanted: 2, Live: 2, Ready: 2}, facts{BeenReady: true, Wanted: 2, Live: 3, Ready: 2, Old: 2, OldVersion: 2}},
		"ANodeIsLost":   {facts{BeenReady: true, Wanted: 2, Live: 2, Ready: 2}, facts{BeenReady: true, Wanted: 2, Live: 2, Ready: 1, Lost: true}},
		"AndComesBack":  {facts{BeenReady: true, Wanted: 2, Live: 2, Ready: 1, Lost: true}, facts{BeenReady: true, Wanted: 2, Live: 2, Ready: 2}},
		"FirstNodes":    {facts{Wanted: 2, Blocked: true}, facts{Wanted: 2, Live: 2}},
		"AllOfThem":     {facts{Wanted: 2, Live: 2, Ready: 1}, facts{BeenReady: true, Wanted: 2, Live: 2, Ready: 2}},
		"NoneCanBeMade": {facts{Wanted: 2, Live: 2}, facts{Wanted: 2, Live: 2, Failing: 2, Stuck: 2}},
		"Mended":        {facts{Wanted: 2, Live: 2, Failing: 2, Stuck: 2}, facts{Wanted: 2, Live: 2}},
	} {
		from, to := phase(tc.from), phase(tc.to)
		if from == to || !slices.Contains(picture[string(from)], string(to)) {
			t.Errorf("%s: %s becomes %s, which the picture does not show: %v", name, from, to, picture[string(from)])
		}
	}
}
