package nodepool

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// One pass makes all Machines, as the pool asks, and a further one writes nothing.
func TestCreate(t *testing.T) {
	w := newWorld(t)
	w.pool.Spec = v1alpha1.NodePoolSpec{
		ClusterRef: v1alpha1.LocalReference{Name: "shop"}, Replicas: new(int32(3)), Flavor: "b3-8", DiskGiB: new(int64(40)), AvailabilityZone: "z",
		SecurityGroups: []string{"00000000-0000-0000-0000-00000000000b", "00000000-0000-0000-0000-00000000000a"},
		Networks:       []string{"00000000-0000-0000-0000-000000000002", "00000000-0000-0000-0000-000000000001"},
		FloatingIPs:    true, Labels: map[string]string{"tier": "web"},
		Taints:        []v1alpha1.Taint{{Key: "env", Value: "demo", Effect: corev1.TaintEffectNoSchedule}},
		StartupTaints: []v1alpha1.Taint{{Key: "drivers", Effect: corev1.TaintEffectNoExecute}},
		Upgrade:       v1alpha1.PoolUpgrade{DrainTimeoutSeconds: new(int32(60))},
	}
	w.create(w.pool)
	w.mustPass()
	w.is(v1alpha1.PoolCreating, "0 of 3 nodes are ready")
	w.has("00001", "00002", "00003")
	m := w.machines()[0]
	want := v1alpha1.MachineSpec{
		ClusterRef: v1alpha1.ClusterReference{Namespace: w.cluster.Namespace, Name: "shop", UID: w.cluster.UID},
		PoolRef:    v1alpha1.PoolReference{Name: "web", UID: w.pool.UID},
		Template: v1alpha1.MachineTemplate{
			Release: "1.37.1-1", Flavor: "b3-8", DiskGiB: 40, AvailabilityZone: "z", FloatingIP: true,
			SecurityGroups: []string{"00000000-0000-0000-0000-00000000000a", "00000000-0000-0000-0000-00000000000b"},
			Networks:       []string{"00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"},
		},
		Labels: map[string]string{"tier": "web", "marina.dev/pool": "web"},
		Taints: []v1alpha1.Taint{{Key: "env", Value: "demo", Effect: "NoSchedule"}}, StartupTaints: []v1alpha1.Taint{{Key: "drivers", Effect: "NoExecute"}},
		CreationTimeoutSeconds: 1800, DrainTimeoutSeconds: new(int32(60)),
	}
	if diff := cmp.Diff(want, m.Spec); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}
	labels := map[string]string{
		"marina.dev/shard": "default", "marina.dev/cluster-uid": string(w.cluster.UID), "marina.dev/cluster-name": "shop", "marina.dev/cluster-namespace": w.cluster.Namespace,
		"marina.dev/pool-uid": string(w.pool.UID), "marina.dev/pool": "web",
	}
	if diff := cmp.Diff(labels, m.Labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"marina.dev/machine", "marina.dev/node"}, m.Finalizers); diff != "" {
		t.Errorf("finalizers (-want +got):\n%s", diff)
	}
	if w.Writes.Load() != 7 {
		t.Errorf("%d writes, want 7: the finalizer, the Operation and that it runs, three Machines, the status", w.Writes.Load())
	}
	w.mustPass()
	if w.Writes.Load() != 7 {
		t.Errorf("%d writes of a second pass, want none", w.Writes.Load()-7)
	}

	w.join()
	w.mustPass()
	w.is(v1alpha1.PoolActive, "3 of 3 nodes are ready")
	w.says("Ready", "True", "AsExpected", "3 of 3 nodes are ready")
	w.says("SpecAccepted", "True", "AsExpected", "")
	s := w.pool.Status
	s.Conditions, s.Message, s.Accepted = nil, "", nil
	if diff := cmp.Diff(v1alpha1.NodePoolStatus{
		Phase: "Active", Replicas: 3, ReadyReplicas: 3, UpdatedReplicas: 3, Selector: "marina.dev/pool=web", Version: "1.37.1-1",
		Nodes:      []string{"shop-web-00001", "shop-web-00002", "shop-web-00003"},
		ReadySince: s.ReadySince, ObservedGeneration: 1,
	}, s); diff != "" || s.ReadySince == nil {
		t.Errorf("status, ready since %v (-want +got):\n%s", s.ReadySince, diff)
	}
	before := w.Writes.Load()
	w.mustPass()
	if w.Writes.Load() != before {
		t.Error("a pass over a pool that is as it is to be writes")
	}
	created := "Normal CreateSucceeded operation " + w.operations()[0].Name + ": the pool has its 3 nodes"
	if diff := cmp.Diff([]string{"Normal Creating 0 of 3 nodes are ready", created, "Normal Active 3 of 3 nodes are ready"}, w.told()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// told are the events of the controller.
func (w *world) told() (all []string) {
	for {
		select {
		case e := <-w.recorder.Events:
			all = append(all, e)
		default:
			return all
		}
	}
}

// A name that is taken is not used.
func TestNameTaken(t *testing.T) {
	w := newWorld(t)
	other := &v1alpha1.Machine{ObjectMeta: metav1.ObjectMeta{Namespace: w.network.Namespace, Name: "shop-web-00002"}}
	other.Spec.ClusterRef = v1alpha1.ClusterReference{Namespace: "a", Name: "b", UID: "c"}
	w.create(other)
	w.create(w.pool)
	w.mustPass()
	w.has("00001", "00002", "00003", "00004")
}

func TestScale(t *testing.T) {
	scale := func(n int32) func(*v1alpha1.NodePoolSpec) {
		return func(s *v1alpha1.NodePoolSpec) { s.Replicas = &n }
	}
	t.Run("Up", func(t *testing.T) {
		w := newWorld(t).active()
		w.change(scale(5))
		w.mustPass()
		w.is(v1alpha1.PoolScaling, "3 of 5 nodes are ready")
		w.has("00001", "00002", "00003", "00004", "00005")
		w.says("Ready", "False", "NodesNotReady", "3 of 5")
		// Another number supersedes that one at once.
		w.change(scale(4))
		w.mustPass()
		w.is(v1alpha1.PoolScaling, "3 of 4 nodes are ready")
		w.settle()
		w.is(v1alpha1.PoolActive, "4 of 4")
	})
	t.Run("Down", func(t *testing.T) {
		w := newWorld(t).active()
		w.change(func(s *v1alpha1.NodePoolSpec) {
			s.Replicas, s.NodesToRemove = new(int32(1)), []string{"shop-web-00002", "nobody"}
		})
		w.mustPass()
		w.is(v1alpha1.PoolScaling, "1 of 1 node is ready; node shop-web-")
		if names := w.names(); len(names) != 1 || names[0] == "shop-web-00002" {
			t.Errorf("%v are left, want one that was not to be removed", names)
		}
		if n := w.pool.Status.Replicas; n != 3 {
			t.Errorf("%d replicas, want 3 until they are gone", n)
		}
		w.settle()
		w.is(v1alpha1.PoolActive, "1 of 1")
	})
	t.Run("ToNone", func(t *testing.T) {
		w := newWorld(t).active()
		w.change(scale(0))
		w.settle()
		w.is(v1alpha1.PoolActive, "0 of 0 nodes are ready")
		if all := w.machines(); len(all) > 0 {
			t.Errorf("%d Machines are left", len(all))
		}
	})
}

// What is said of nodes changes in them as they are, and nothing is replaced. Startup taints
// are those of the next node.
func TestRule29NodesAreAdjusted(t *testing.T) {
	w := newWorld(t)
	w.pool.Spec.Labels = map[string]string{"a": "1", "b": "2"}
	w.pool.Spec.Taints = []v1alpha1.Taint{{Key: "x", Effect: "NoSchedule"}}
	w.active()
	w.change(func(s *v1alpha1.NodePoolSpec) {
		s.Labels, s.Taints, s.Upgrade.DrainTimeoutSeconds = map[string]string{"b": "3"}, nil, new(int32(0))
		s.StartupTaints = []v1alpha1.Taint{{Key: "drivers", Effect: "NoSchedule"}}
	})
	w.mustPass()
	w.is(v1alpha1.PoolActive, "")
	w.has("00001", "00002", "00003")
	for _, m := range w.machines() {
		if diff := cmp.Diff(map[string]string{"b": "3", "marina.dev/pool": "web"}, m.Spec.Labels); diff != "" || len(m.Spec.Taints) > 0 || len(m.Spec.StartupTaints) > 0 || *m.Spec.DrainTimeoutSeconds != 0 {
			t.Errorf("%s has %+v, %+v and %d s (-want +got):\n%s", m.Name, m.Spec.Taints, m.Spec.StartupTaints, *m.Spec.DrainTimeoutSeconds, diff)
		}
	}
	w.change(func(s *v1alpha1.NodePoolSpec) { s.Replicas = new(int32(4)) })
	w.mustPass()
	w.has("00001", "00002", "00003", "00004")
	if made := w.machines()[3]; len(made.Spec.StartupTaints) != 1 {
		t.Errorf("the next node has the startup taints %+v", made.Spec.StartupTaints)
	}
}

// What servers are made by makes others, one after the other.
func TestReplace(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*world)
		phase  v1alpha1.PoolPhase
	}{
		"Flavor": {func(w *world) { w.change(func(s *v1alpha1.NodePoolSpec) { s.Flavor = "b3-16" }) }, v1alpha1.PoolUpdating},
		"Disk":   {func(w *world) { w.change(func(s *v1alpha1.NodePoolSpec) { s.DiskGiB = new(int64(20)) }) }, v1alpha1.PoolUpdating},
		"Version": {func(w *world) {
			w.cluster.Status.Version = next
			w.writeStatus(w.cluster)
		}, v1alpha1.PoolUpgrading},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t).active()
			tc.change(w)
			w.mustPass()
			w.is(tc.phase, "3 of 3 nodes are ready")
			w.has("00001", "00002", "00003", "00004")
			if u := w.pool.Status.UpdatedReplicas; u != 1 {
				t.Errorf("%d are as the spec asks, want 1", u)
			}
			w.join()
			w.mustPass()
			w.is(tc.phase, "3 of 3 nodes are ready; node shop-web-")
			if n := len(w.names()); n != 3 {
				t.Errorf("%d are left, want 3", n)
			}
			w.settle()
			w.is(v1alpha1.PoolActive, "3 of 3")
			w.has("00004", "00005", "00006")
			if v := w.pool.Status.Version; v != w.cluster.Status.Version {
				t.Errorf("new nodes get %s, want %s", v, w.cluster.Status.Version)
			}
		})
	}
}

// A server that somebody else has deleted is replaced.
func TestServerGone(t *testing.T) {
	w := newWorld(t).active()
	w.report(w.machines()[1], func(s *v1alpha1.MachineStatus) {
		s.Node = &v1alpha1.MachineNode{}
		s.Conditions = []metav1.Condition{{Type: "ServerReady", Status: "False", Reason: "ServerGone", LastTransitionTime: metav1.Now()}}
	})
	w.mustPass()
	w.has("00001", "00003", "00004")
	w.settle()
	w.is(v1alpha1.PoolActive, "3 of 3")
}

// The phase tells what is wrong with nodes, and the message which one it is.
func TestTrouble(t *testing.T) {
	quota := func(s *v1alpha1.MachineStatus) {
		s.Message = "quota exceeded for cores: 8 of 8 are used"
		s.Conditions = []metav1.Condition{{Type: "ServerReady", Status: "False", Reason: "QuotaExceeded", LastTransitionTime: metav1.Now()}}
	}
	t.Run("AtFirst", func(t *testing.T) {
		w := newWorld(t)
		w.create(w.pool)
		w.mustPass()
		all := w.machines()
		w.report(all[2], quota)
		w.mustPass()
		w.is(v1alpha1.PoolDegraded, "0 of 3 nodes are ready; node shop-web-00003: quota exceeded for cores: 8 of 8 are used")
		w.report(all[0], quota)
		w.report(all[1], quota)
		w.mustPass()
		w.is(v1alpha1.PoolError, "node shop-web-00001: quota exceeded")
		w.says("Ready", "False", "NodesNotReady", "quota exceeded")
		w.join()
		w.mustPass()
		w.is(v1alpha1.PoolActive, "3 of 3")
	})
	t.Run("ByItself", func(t *testing.T) {
		w := newWorld(t)
		w.pool.Spec.Replicas = new(int32(1))
		w.create(w.pool)
		w.mustPass()
		fails := func(reason string, failures int32, again bool) {
			w.report(w.machines()[0], func(s *v1alpha1.MachineStatus) {
				if s.Failures, s.RetryAt = failures, nil; again {
					s.RetryAt = &metav1.Time{Time: w.now.Add(time.Minute)}
				}
				meta.SetStatusCondition(&s.Conditions, metav1.Condition{Type: "ServerReady", Status: "False", Reason: reason})
			})
			w.mustPass()
		}
		for _, tc := range []struct {
			reason   string
			failures int32
			again    bool
			want     v1alpha1.PoolPhase
		}{
			{"ServerError", 1, true, v1alpha1.PoolDegraded},
			{"CreationTimeout", 2, true, v1alpha1.PoolDegraded},
			{"ServerError", 3, true, v1alpha1.PoolError},
			{"NoCapacity", 0, true, v1alpha1.PoolDegraded},
			{"NoCapacity", 0, false, v1alpha1.PoolDegraded},
			{"QuotaExceeded", 0, true, v1alpha1.PoolError},
			{"BadRequest", 0, false, v1alpha1.PoolError},
		} {
			if fails(tc.reason, tc.failures, tc.again); w.pool.Status.Phase != tc.want {
				t.Errorf("%+v: %s", tc, w.pool.Status.Phase)
			}
		}
	})
	t.Run("InTheMiddle", func(t *testing.T) {
		w := newWorld(t).active()
		w.change(func(s *v1alpha1.NodePoolSpec) { s.Replicas = new(int32(4)) })
		w.mustPass()
		w.report(w.machines()[3], quota)
		w.mustPass()
		w.is(v1alpha1.PoolDegraded, "3 of 4 nodes are ready; node shop-web-00004: quota exceeded")
		w.change(func(s *v1alpha1.NodePoolSpec) { s.Replicas = new(int32(3)) })
		w.settle()
		w.is(v1alpha1.PoolActive, "3 of 3")
		w.has("00001", "00002", "00003")
	})
	t.Run("NodeLost", func(t *testing.T) {
		w := newWorld(t).active()
		w.report(w.machines()[1], func(s *v1alpha1.MachineStatus) {
			s.Node, s.Message = &v1alpha1.MachineNode{}, "kubelet stopped posting node status"
		})
		w.mustPass()
		w.is(v1alpha1.PoolDegraded, "2 of 3 nodes are ready; node shop-web-00002: kubelet stopped posting node status")
		w.has("00001", "00002", "00003")
	})
}
