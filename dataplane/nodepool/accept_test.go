package nodepool

import (
	"fmt"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// What cannot be carried out is refused before anything is made, with words that help.
func TestRefused(t *testing.T) {
	spec := func(f func(*v1alpha1.NodePoolSpec)) func(*world) {
		return func(w *world) { f(&w.pool.Spec) }
	}
	pods := func(cidr string) func(*world) {
		return func(w *world) {
			w.network.Spec.PodCIDR = cidr
			w.must(management.Client.Update(w.Context(), w.network))
		}
	}
	cases := map[string]struct {
		prepare       func(*world)
		reason, words string
	}{
		"FlavorNotOffered":   {spec(func(s *v1alpha1.NodePoolSpec) { s.Flavor = "m1.huge" }), "FlavorNotOffered", "does not offer the flavor m1.huge: choose one of b3-16, b3-8, "},
		"FlavorNotThere":     {spec(func(s *v1alpha1.NodePoolSpec) { s.Flavor = "imagined" }), "FlavorNotFound", "offers the flavor imagined, and its cloud does not have it: ask whoever runs the platform"},
		"FlavorUnder2GB":     {spec(func(s *v1alpha1.NodePoolSpec) { s.Flavor = "tiny" }), "FlavorTooSmall", "flavor tiny has 1999 MiB of memory, and a node takes at least 2000 (2 GB): choose a larger one"},
		"FlavorWithoutDisk":  {spec(func(s *v1alpha1.NodePoolSpec) { s.Flavor = "diskless" }), "DiskTooSmall", "flavor diskless has no disk of its own: set diskGiB, to 20 or more"},
		"FlavorOfASmallDisk": {spec(func(s *v1alpha1.NodePoolSpec) { s.Flavor = "small-disk" }), "DiskTooSmall", "has a disk of 19 GiB, and a node takes at least 20: set diskGiB"},
		"NoneOfABadFlavor":   {spec(func(s *v1alpha1.NodePoolSpec) { s.Flavor, s.Replicas = "m1.huge", new(int32(0)) }), "FlavorNotOffered", "m1.huge"},
		"LabelOfKubernetes":  {spec(func(s *v1alpha1.NodePoolSpec) { s.Labels = map[string]string{"node-role.kubernetes.io/web": ""} }), "InvalidNode", "label node-role.kubernetes.io/web is Kubernetes' own"},
		"LabelOfMarina":      {spec(func(s *v1alpha1.NodePoolSpec) { s.Labels = map[string]string{"marina.dev/pool": "other"} }), "InvalidNode", "label marina.dev/pool is Marina's own"},
		"LabelOfNoValue":     {spec(func(s *v1alpha1.NodePoolSpec) { s.Labels = map[string]string{"a": "b c"} }), "InvalidNode", `"b c" cannot be the value of label a`},
		"TaintTwice": {spec(func(s *v1alpha1.NodePoolSpec) {
			s.Taints = []v1alpha1.Taint{{Key: "a", Effect: "NoSchedule"}, {Key: "a", Value: "b", Effect: "NoSchedule"}}
		}), "InvalidNode", "taint a:NoSchedule is there twice"},
		"StartupTaintThatIsKept": {spec(func(s *v1alpha1.NodePoolSpec) {
			s.Taints = []v1alpha1.Taint{{Key: "a", Effect: "NoSchedule"}}
			s.StartupTaints = []v1alpha1.Taint{{Key: "b", Effect: "NoSchedule"}, {Key: "a", Value: "b", Effect: "NoSchedule"}}
		}), "InvalidNode", "taint a:NoSchedule is among taints, which are kept, and among startupTaints, which are not: choose one"},
		"FloatingIPsWithoutRouter": {func(w *world) {
			w.pool.Spec.FloatingIPs = true
			w.network.Status.RouterID = ""
			w.writeStatus(w.network)
		}, "NoRouter", "remove floatingIPs"},
		"FloatingIPsWithoutGateway": {func(w *world) {
			w.pool.Spec.FloatingIPs = true
			w.network.Status.ExternalNetworkID = ""
			w.writeStatus(w.network)
		}, "NoRouter", "a router with a gateway"},
		"PodCIDR": {func(w *world) { pods("10.244.0.0/22")(w); w.pool.Spec.Replicas = new(int32(4)) }, "PodCIDRTooSmall", "the podCIDR 10.244.0.0/22 of the cluster has room for 4 nodes, and its pools ask for 5"},
		"NodeCIDR": {func(w *world) {
			w.pool.Spec.Replicas = new(int32(10))
			w.network.Status.CIDR = "192.168.0.0/28"
			w.writeStatus(w.network)
		}, "NodeCIDRTooSmall", "the subnet 192.168.0.0/28 of the nodes has room for 10 nodes, and the pools of the cluster ask for 11"},
		"ReleaseNotOffered": {func(w *world) {
			w.cluster.Status.Version = "1.40.0-1"
			w.writeStatus(w.cluster)
		}, "ReleaseNotOffered", "does not offer version 1.40.0-1, which the cluster runs"},
		"ImageNotThere": {func(w *world) {
			w.cluster.Status.Version = "1.39.0-1"
			w.writeStatus(w.cluster)
		}, "ImageNotFound", "does not have the image of version 1.39.0-1"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			tc.prepare(w)
			w.makesNothing(v1alpha1.PoolError, "False", tc.reason, tc.words)
			w.mustPass() // in which the creation fails
			w.history("Create Failed 0/4")
			before := w.Writes.Load()
			w.mustPass()
			if w.Writes.Load() != before {
				t.Error("a pass that refuses once more writes")
			}
		})
	}
}

// makesNothing creates the pool, and checks that it is held up, and why.
func (w *world) makesNothing(phase v1alpha1.PoolPhase, status, reason, words string) {
	w.Helper()
	w.create(w.pool)
	w.mustPass()
	w.is(phase, words)
	w.says("SpecAccepted", status, reason, words)
	w.says("Ready", status, reason, words)
	w.has()
}

// What just fits is accepted.
func TestAccepted(t *testing.T) {
	cases := map[string]func(*world){
		"DiskOfAVolume":     func(w *world) { w.pool.Spec.Flavor, w.pool.Spec.DiskGiB = "diskless", new(int64(20)) },
		"DiskBesidesASmall": func(w *world) { w.pool.Spec.Flavor, w.pool.Spec.DiskGiB = "small-disk", new(int64(20)) },
		"LabelOfNodes":      func(w *world) { w.pool.Spec.Labels = map[string]string{"node.kubernetes.io/tier": "web"} },
		"AllOfAPodCIDR":     func(w *world) { w.network.Spec.PodCIDR = "10.244.0.0/22" },
		"AllOfASmallSubnet": func(w *world) { w.network.Status.CIDR, w.pool.Spec.Replicas = "192.168.0.0/28", new(int32(9)) },
	}
	for name, prepare := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			prepare(w)
			status := w.network.Status
			w.must(management.Client.Update(t.Context(), w.network))
			w.network.Status = status
			w.writeStatus(w.network)
			w.active()
		})
	}
}

// Where something is missing that others see to, the pool waits and says for what.
func TestPending(t *testing.T) {
	cases := map[string]struct {
		prepare       func(*world)
		reason, words string
	}{
		"NoCluster":       {func(w *world) { w.pool.Spec.ClusterRef.Name = "other" }, "ClusterNotFound", "there is no Cluster other in this namespace: create it"},
		"NoControlPlane":  {func(w *world) { w.cluster.Status.Version = ""; w.writeStatus(w.cluster) }, "WaitingForControlPlane", "the control plane of cluster shop is not ready yet"},
		"NoNetwork":       {func(w *world) { w.must(management.Client.Delete(w.Context(), w.network)) }, "WaitingForNetwork", "the network of the nodes is being created"},
		"NetworkNotReady": {func(w *world) { w.setNetwork("False", "QuotaExceeded", "0 of 0 routers are used") }, "QuotaExceeded", "0 of 0 routers are used"},
		"NetworkWithoutRouter": {func(w *world) {
			w.pool.Spec.FloatingIPs = true
			w.network.Status.RouterID, w.network.Status.ExternalNetworkID = "", ""
			w.setNetwork("Unknown", "CloudUnreachable", "making the router: it does not answer")
		}, "CloudUnreachable", "making the router"},
		"NoInfrastructure": {func(w *world) { w.must(management.Client.Delete(w.Context(), w.infra)) },
			"InfrastructureNotFound", "does not exist any more"},
		"InfrastructureNotLookedAt": {func(w *world) {
			w.infra.Status = v1alpha1.InfrastructureStatus{}
			w.writeStatus(w.infra)
		}, "InfrastructureNotReady", "it is not known yet whether the cloud of Infrastructure"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			tc.prepare(w)
			w.makesNothing(v1alpha1.PoolPending, "Unknown", tc.reason, tc.words)
		})
	}
	t.Run("ClusterOfOwnNodes", func(t *testing.T) {
		w := newWorld(t)
		own := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: w.cluster.Namespace, Name: "own"}}
		own.Spec.Version = version
		w.create(own)
		w.pool.Spec.ClusterRef.Name = "own"
		w.create(w.pool)
		w.mustPass()
		w.is(v1alpha1.PoolError, "the cluster own has no infrastructureRef")
	})
}

// A pool that has nodes keeps them when its spec is refused, and can have fewer.
func TestRefusedLater(t *testing.T) {
	w := newWorld(t).active()
	w.change(func(s *v1alpha1.NodePoolSpec) { s.Flavor, s.Labels = "m1.huge", map[string]string{"a": "b"} })
	w.mustPass()
	w.is(v1alpha1.PoolDegraded, "does not offer the flavor m1.huge")
	w.has("00001", "00002", "00003")
	if l := w.machines()[0].Spec.Labels["a"]; l != "" {
		t.Error("a spec that is refused has changed a Machine")
	}
	w.change(func(s *v1alpha1.NodePoolSpec) { s.Replicas = new(int32(2)) })
	w.settle()
	w.is(v1alpha1.PoolDegraded, "m1.huge")
	if n := len(w.names()); n != 2 {
		t.Errorf("%d Machines, want 2", n)
	}
	w.change(func(s *v1alpha1.NodePoolSpec) { s.Flavor = "b3-8" })
	w.settle()
	w.is(v1alpha1.PoolActive, "2 of 2")
	w.history("Create Succeeded 4/4", "Scale Succeeded 3/3", "Update Failed 0/4", "Update Succeeded 4/4")
}

// What is offered no longer stays, until another one is needed.
func TestOfferedNoLonger(t *testing.T) {
	w := newWorld(t).active()
	w.infra.Spec.Flavors = []string{"b3-16"}
	w.must(management.Client.Update(t.Context(), w.infra))
	w.mustPass()
	w.is(v1alpha1.PoolActive, "3 of 3")
	w.change(func(s *v1alpha1.NodePoolSpec) { s.Replicas = new(int32(4)) })
	w.mustPass()
	w.is(v1alpha1.PoolDegraded, "does not offer the flavor b3-8: choose one of b3-16")
	w.has("00001", "00002", "00003")
}

// While the network has a problem a pool keeps its nodes, and can have fewer.
func TestNetworkLost(t *testing.T) {
	w := newWorld(t).active()
	w.setNetwork("False", "Unauthorized", "replace the credentials")
	w.mustPass()
	w.is(v1alpha1.PoolActive, "3 of 3")
	w.change(func(s *v1alpha1.NodePoolSpec) { s.Replicas = new(int32(2)) })
	w.settle()
	w.is(v1alpha1.PoolActive, "2 of 2")
	w.change(func(s *v1alpha1.NodePoolSpec) { s.Replicas = new(int32(4)) })
	w.mustPass()
	w.is(v1alpha1.PoolDegraded, "2 of 4 nodes are ready; replace the credentials")
}

// Pools share the ranges of their Cluster: the older one has the last room, and nobody loses
// what it has.
func TestSharedRanges(t *testing.T) {
	w := newWorld(t)
	w.network.Spec.PodCIDR = "10.244.0.0/21" // 8 nodes
	w.must(management.Client.Update(t.Context(), w.network))
	w.active() // 3 and one more
	other := &v1alpha1.NodePool{ObjectMeta: metav1.ObjectMeta{Namespace: w.pool.Namespace, Name: "zzz"}}
	other.Spec = v1alpha1.NodePoolSpec{ClusterRef: w.pool.Spec.ClusterRef, Flavor: "b3-8", Replicas: new(int32(4))}
	web := w.pool
	w.pool = other
	w.create(other)
	w.mustPass()
	w.is(v1alpha1.PoolError, "has room for 8 nodes, and its pools ask for 9")
	w.change(func(s *v1alpha1.NodePoolSpec) {
		s.Upgrade.MaxSurge, s.Upgrade.MaxUnavailable = new(int32(0)), new(int32(1))
	})
	w.settle()
	w.is(v1alpha1.PoolActive, "4 of 4")
	w.pool = web
	w.change(func(s *v1alpha1.NodePoolSpec) { s.Replicas = new(int32(4)) })
	w.mustPass()
	w.is(v1alpha1.PoolDegraded, "has room for 8 nodes, and its pools ask for 9")
	w.pool = other
	w.mustPass()
	w.is(v1alpha1.PoolActive, "4 of 4")
}

// An older pool that takes the last room for what may be there while its nodes are replaced
// takes nothing from a younger one that has all its nodes.
func TestLastRoomTaken(t *testing.T) {
	w := newWorld(t)
	w.network.Spec.PodCIDR = "10.244.0.0/21" // 8 nodes
	w.must(management.Client.Update(t.Context(), w.network))
	w.active() // 3 and one more
	web := w.pool
	w.pool = &v1alpha1.NodePool{ObjectMeta: metav1.ObjectMeta{Namespace: web.Namespace, Name: "zzz"}}
	w.pool.Spec = v1alpha1.NodePoolSpec{ClusterRef: web.Spec.ClusterRef, Flavor: "b3-8", Replicas: new(int32(3))}
	w.active() // as many
	younger := w.pool
	w.pool = web
	w.change(func(s *v1alpha1.NodePoolSpec) { s.Replicas = new(int32(4)) })
	w.settle()
	w.is(v1alpha1.PoolActive, "4 of 4")
	w.pool = younger
	w.mustPass()
	w.is(v1alpha1.PoolActive, "3 of 3")
	w.says("SpecAccepted", "True", "AsExpected", "")
	w.change(func(s *v1alpha1.NodePoolSpec) { s.Flavor = "b3-16" })
	w.mustPass()
	w.is(v1alpha1.PoolDegraded, "has room for 8 nodes, and its pools ask for 9")
	w.change(func(s *v1alpha1.NodePoolSpec) { s.Flavor, s.Replicas = "b3-8", new(int32(4)) })
	w.mustPass()
	w.is(v1alpha1.PoolDegraded, "has room for 8 nodes, and its pools ask for 10")
}

func TestRooms(t *testing.T) {
	for cidr, want := range map[string]int{"10.244.0.0/16": 256, "10.0.0.0/8": 65536, "10.244.0.0/24": 1, "10.244.0.0/25": 0, "": 0} {
		if got := podRoom(cidr); got != want {
			t.Errorf("%q has room for the pods of %d nodes, want %d", cidr, got, want)
		}
	}
	for cidr, want := range map[string]int{"10.250.0.0/22": 1018, "192.168.0.0/28": 10, "192.168.0.0/32": 0, "fd00::/64": 0, "": 0} {
		if got := nodeRoom(cidr); got != want {
			t.Errorf("%q has room for %d nodes, want %d", cidr, got, want)
		}
	}
}

// A phase follows from facts, and no combination of them is without one that fits.
func TestPhase(t *testing.T) {
	yes := []bool{false, true}
	for _, deleting := range yes {
		for _, refused := range yes {
			for _, blocked := range yes {
				for _, been := range yes {
					for wanted := range 3 {
						for live := range 3 {
							for ready := range live + 1 {
								for failing := range live - ready + 1 {
									for stuck := range failing + 1 {
										f := facts{Deleting: deleting, Refused: refused, Blocked: blocked, BeenReady: been, Wanted: wanted, Live: live, Ready: ready, Failing: failing, Stuck: stuck}
										if problem := judgePhase(f, phase(f)); problem != "" {
											t.Errorf("phase(%+v) = %s: %s", f, phase(f), problem)
										}
									}
								}
							}
						}
					}
				}
			}
		}
	}
}

func judgePhase(f facts, got v1alpha1.PoolPhase) string {
	switch {
	case f.Deleting != (got == v1alpha1.PoolDeleting):
		return "Deleting exactly when deleted"
	case got == v1alpha1.PoolActive && (f.Refused || f.Ready != f.Wanted || f.Live != f.Wanted):
		return "it is not as asked"
	case got == v1alpha1.PoolError && f.Ready > 0:
		return "it has nodes"
	case got == v1alpha1.PoolError && !f.Refused && f.Stuck < f.Live:
		return "it may pass by itself"
	case got == v1alpha1.PoolPending && f.Live > 0:
		return "it has begun"
	case f.BeenReady && (got == v1alpha1.PoolPending || got == v1alpha1.PoolCreating):
		return "it has had all its nodes"
	case !f.BeenReady && (got == v1alpha1.PoolScaling || got == v1alpha1.PoolUpdating || got == v1alpha1.PoolUpgrading):
		return fmt.Sprintf("it never had all its nodes (%d of %d)", f.Ready, f.Wanted)
	}
	return ""
}

// What may pass by itself is no refusal of a spec that was accepted.
func TestAcceptedStays(t *testing.T) {
	w := newWorld(t).active()
	w.says("SpecAccepted", "True", "AsExpected", "")
	w.setNetwork("False", "CloudUnreachable", "it does not answer")
	w.mustPass()
	w.says("SpecAccepted", "Unknown", "CloudUnreachable", "it does not answer")
	w.is(v1alpha1.PoolActive, "3 of 3")
	w.change(func(s *v1alpha1.NodePoolSpec) { s.Flavor = "none" })
	w.mustPass()
	w.says("SpecAccepted", "False", "FlavorNotOffered", "")
	w.change(func(s *v1alpha1.NodePoolSpec) { s.Flavor = "b3-8" })
	w.mustPass()
	w.says("SpecAccepted", "Unknown", "CloudUnreachable", "")
}
