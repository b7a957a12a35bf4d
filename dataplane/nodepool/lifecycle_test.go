package nodepool

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/apitest"
)

const lifecycle = "docs/reference/lifecycle.md"

// The table of what rolls nodes has every field of a pool, and says of each what comes of a
// change: another template, other words in the Machines that there are, or neither.
func TestTheTableOfPoolFields(t *testing.T) {
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
	apitest.WantVerdicts(t, lifecycle, "### Fields of a NodePool", v1alpha1.NodePoolSpec{Flavor: "b3-8"}, changes, func(before, after *v1alpha1.NodePoolSpec) string {
		return comesOf(&scope{pool: &v1alpha1.NodePool{Spec: *before}}, &scope{pool: &v1alpha1.NodePool{Spec: *after}})
	})
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

// happenings are the facts that one event more makes of those of a pool: what its users do, what
// the cloud and the nodes do, and what the controller does.
func happenings(f facts) (next []facts) {
	then := func(possible bool, change func(*facts)) {
		g := f
		if !possible {
			return
		}
		if change(&g); phase(g) == v1alpha1.PoolActive {
			g.BeenReady = true
		}
		next = append(next, g)
	}
	if f.Deleting {
		return nil
	}
	can, waiting := !f.Refused && !f.Blocked, f.Live-f.Ready-f.Failing
	then(true, func(g *facts) { g.Deleting = true })
	then(true, func(g *facts) { g.Blocked = !f.Blocked })
	then(true, func(g *facts) { g.Refused = !f.Refused })
	then(f.Wanted < 2, func(g *facts) { g.Wanted++ })
	then(f.Wanted > 0, func(g *facts) { g.Wanted-- })
	then(f.Live > 0 && f.Old == 0, func(g *facts) { g.Old = f.Live + f.Going })
	then(f.Live > 0 && f.Old == 0, func(g *facts) { g.Old = f.Live + f.Going; g.OldVersion = g.Old })
	then(f.Old > 0 && f.OldVersion == 0, func(g *facts) { g.OldVersion = f.Old })
	then(f.OldVersion > 0, func(g *facts) { g.OldVersion = 0 })
	then(f.Old > 0, func(g *facts) { g.Old, g.OldVersion = 0, 0 })
	then(can && f.Live-f.Old < f.Wanted && f.Live < 3, func(g *facts) { g.Live++ })
	then(can && f.Live > f.Wanted && f.Ready > 0 && f.Going < 2, func(g *facts) {
		g.Live--
		g.Ready--
		g.Going++
		g.Old = min(g.Old, g.Live+g.Going)
		g.OldVersion = min(g.OldVersion, g.Old)
	})
	then(f.Going > 0, func(g *facts) { g.Going--; g.Old = max(0, g.Old-1); g.OldVersion = max(0, g.OldVersion-1) })
	then(waiting > 0, func(g *facts) { g.Ready++; g.Lost = f.Lost && waiting > 1 })
	then(waiting > 0, func(g *facts) { g.Failing++ })
	then(waiting > 0, func(g *facts) { g.Failing++; g.Stuck++ })
	then(f.Failing > 0, func(g *facts) { g.Failing--; g.Stuck = min(g.Stuck, g.Failing) })
	then(f.Ready > 0, func(g *facts) { g.Ready--; g.Lost = true })
	return next
}

// The picture of a pool's life shows each transition that events make, and no other.
func TestThePictureOfAPool(t *testing.T) {
	found := map[string]map[string]bool{}
	start := facts{Blocked: true, Wanted: 2}
	seen := map[facts]bool{start: true}
	for todo := []facts{start}; len(todo) > 0; todo = todo[1:] {
		from := todo[0]
		for _, to := range happenings(from) {
			if was, is := string(phase(from)), string(phase(to)); was != is {
				if found[was] == nil {
					found[was] = map[string]bool{}
				}
				found[was][is] = true
			}
			if !seen[to] {
				seen[to], todo = true, append(todo, to)
			}
		}
	}
	if len(seen) < 200 {
		t.Fatalf("only %d combinations of facts: the walk does not go far", len(seen))
	}
	shown := map[string]map[string]bool{}
	for from, tos := range apitest.Transitions(t, lifecycle, "## A NodePool") {
		for _, to := range tos {
			if from != "[*]" && to != "[*]" {
				if shown[from] == nil {
					shown[from] = map[string]bool{}
				}
				shown[from][to] = true
			}
		}
	}
	if diff := cmp.Diff(found, shown); diff != "" {
		t.Errorf("what the picture shows (-happens +shown):\n%s", diff)
	}
}
