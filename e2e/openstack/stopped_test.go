package openstack

import (
	"maps"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// stop is what happens to Marina at a call.
type stop struct {
	becomes fate
	// dies is whether it ends with it; else it goes on with an error.
	dies bool
}

// A pool of two and its network are made and deleted, and Marina is stopped at each kind of call
// of all that, one after the other, the first time that it is made: in the end there was one of
// each thing, and nothing is left. All calls are covered in the packages of the controllers, one
// in each life, with the simulator; these are the answers of the cloud that is given.
func TestStopped(t *testing.T) {
	for name, stop := range map[string]stop{
		"before it":               {isLost, true},
		"after it":                {arrives, true},
		"answer lost":             {answerIsLost, false},
		"answer lost and stopped": {answerIsLost, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newWorld(t).stepped()
			struck := map[string]bool{}
			s.wire.cutBy(func(c call) fate {
				if s.Dead.Load() {
					return isLost
				}
				if struck[c.String()] || c.path == "/" || c.path == "/auth/tokens" {
					return arrives
				}
				struck[c.String()] = true
				if stop.dies {
					s.Dead.Store(true)
				}
				return stop.becomes
			})
			p := s.pool("web", 2, nodesWithAll)
			s.until("the creation", s.settled(p, 2))
			for _, m := range s.machines() {
				if m.Status.Failures != 0 {
					t.Errorf("%d servers of %s were given up", m.Status.Failures, m.Name)
				}
			}
			want := map[string]int{
				"network": 1, "subnet": 1, "router": 1, "security group": 2, "server group": 1, "server": 2, "volume": 2, "floating IP": 2,
			}
			got := s.inventory(t)
			delete(got, "port") // of which Neutron makes some by itself
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("in the cloud (-want +got):\n%s", diff)
			}
			s.dismiss(p)
			s.until("the deletion of the pool", s.gone(p))
			s.dismiss(s.cluster)
			s.dismiss(s.network)
			s.until("the deletion of the network", s.gone(s.network))

			made := map[string]int{}
			for _, c := range s.wire.changes() {
				if c.method == http.MethodPost && c.status < 300 {
					made[c.String()]++
				}
			}
			if diff := cmp.Diff(map[string]int{
				"POST /networks": 1, "POST /subnets": 1, "POST /routers": 1, "POST /security-groups": 1, "POST /security-group-rules": 1,
				"POST /os-server-groups": 1, "POST /servers": 2, "POST /floatingips": 2,
			}, made); diff != "" {
				t.Errorf("what was made, in all (-want +got): %s", diff)
			}
			points := slices.Sorted(maps.Keys(struck))
			changes := slices.DeleteFunc(slices.Clone(points), func(point string) bool { return point[:3] == "GET" })
			t.Logf("stopped at %d kinds of calls, %d of which change something: %v", len(points), len(changes), points)
			if len(changes) < 16 {
				t.Errorf("stopped at %d kinds of calls that change something, want all: %v", len(changes), changes)
			}
		})
	}
}
