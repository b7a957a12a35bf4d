package openstack

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/marina-dev/marina/dataplane/openstack"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// What is left of Machines and NodePools that are gone is collected when it is old enough, and
// nothing else: not what a pool has, nor what others have made.
func TestGarbage(t *testing.T) {
	s := newWorld(t).stepped()
	p := s.pool("web", 1, func(s *v1alpha1.NodePoolSpec) { s.AntiAffinity, s.FloatingIPs = v1alpha1.AntiAffinityHard, true })
	s.until("a node", s.settled(p, 1))
	s.read(s.network)
	collect := func(after time.Duration) {
		t.Helper()
		s.ahead += after
		_, err := s.all.garbage.Reconcile(s.Context(), request(s.network))
		check(t, err)
	}
	s.wire.reset()
	collect(time.Hour)
	collect(time.Hour)
	if made := s.wire.changes(); len(made) > 0 {
		t.Fatalf("the collector finds something where nothing is left over: %v", made)
	}

	gone := openstack.Mark{Cluster: s.cluster.UID, Owner: "00000000-1111-4d9b-9f0c-3b8f2f9a0001"}
	other := openstack.Mark{Cluster: "00000000-2222-4d9b-9f0c-3b8f2f9a0001", Owner: gone.Owner}
	s.plantServer(t, nil, "")
	s.plantServer(t, marks(other), "")
	s.plantGroup(t, "web")
	s.plantGroup(t, openstack.ServerGroupName("web", other))
	s.plantAddress(t, "web")
	s.plantAddress(t, openstack.FloatingIPKey(other))
	group := s.plantGroup(t, openstack.ServerGroupName("web", gone))
	s.plantServer(t, marks(gone), group)
	s.plantAddress(t, openstack.FloatingIPKey(gone))
	planted := s.inventory(t)
	collect(16 * time.Minute) // it is seen
	if diff := cmp.Diff(planted, s.inventory(t)); diff != "" {
		t.Errorf("what is seen for the first time is deleted (-before +after):\n%s", diff)
	}
	collect(16 * time.Minute) // the server goes, and the address; the group has a member
	s.awaitCount(t, "server", 3)
	collect(16 * time.Minute)
	s.awaitCount(t, "server group", 3)
	s.awaitCount(t, "floating IP", 3)
	collect(16 * time.Minute)
	left := map[string]int{}
	for kind, n := range s.inventory(t) {
		if kind == "server" || kind == "server group" || kind == "floating IP" {
			left[kind] = n
		}
	}
	if diff := cmp.Diff(map[string]int{"server": 3, "server group": 3, "floating IP": 3}, left); diff != "" {
		t.Errorf("what others have made, and the pool (-want +got):\n%s", diff)
	}
	s.until("the pool has its node", s.settled(p, 1))
}

func marks(m openstack.Mark) map[string]string {
	return map[string]string{openstack.MetadataCluster: string(m.Cluster), openstack.MetadataMachine: string(m.Owner)}
}
