package nodepool

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// runsServer has the server of a Machine run, whose node is not there yet.
func (w *world) runsServer(m v1alpha1.Machine) {
	w.Helper()
	w.report(m, func(s *v1alpha1.MachineStatus) {
		s.ServerID, s.RetryAt, s.Message = m.Name, nil, ""
		meta.SetStatusCondition(&s.Conditions, metav1.Condition{Type: "ServerReady", Status: "True", Reason: "AsExpected"})
	})
}

// comes has the node of a Machine be Ready.
func (w *world) comes(m v1alpha1.Machine) {
	w.Helper()
	w.report(m, func(s *v1alpha1.MachineStatus) {
		s.ReadySince, s.Node = &metav1.Time{Time: w.now}, &v1alpha1.MachineNode{UID: "1", Ready: true, ChangedAt: &metav1.Time{Time: w.now.Add(-time.Hour)}}
	})
}

// newNarrow is a pool of three nodes that may have three more while it is upgraded, in a cloud that
// has room for one more. What is given is the state when the first new server runs.
func newNarrow(t *testing.T) (w *world, old []string) {
	t.Helper()
	w = newVersionWorld(t)
	w.now = time.Now() // as Machines are made by the clock of the API server
	w.pool.Spec.Version, w.pool.Spec.Upgrade = earlier, v1alpha1.PoolUpgrade{MaxSurge: new(int32(3)), MaxUnavailable: new(int32(0))}
	w.active()
	old = w.names()
	w.change(func(s *v1alpha1.NodePoolSpec) { s.Version = patched })
	w.mustPass()
	added := w.added(old)
	if len(added) != 3 {
		t.Fatalf("%d new nodes are made, want 3", len(added))
	}
	w.runsServer(added[0])
	for _, m := range added[1:] {
		w.fails(m, 0, "NoCapacity", "there is none")
	}
	return w, old
}

const fewerAtATime = "nodes are replaced fewer at a time, as there is no room for more"

// Where there is room for some of the nodes that maxSurge asks for, they are replaced as many at a
// time, which is told, and is no failure: not while a new one boots, not while an old one goes, and
// not while the next one has not been asked for again.
func TestSurgeWithRoomForFewer(t *testing.T) {
	w, old := newNarrow(t)
	look := func(when string) {
		t.Helper()
		w.now = w.now.Add(time.Minute)
		w.mustPass()
		if phase := w.pool.Status.Phase; phase != v1alpha1.PoolUpgrading {
			t.Errorf("%s: it is %s: %s", when, phase, w.pool.Status.Message)
		}
	}
	for n := range 3 {
		look("while it boots")
		if n < 2 {
			w.is(v1alpha1.PoolUpgrading, fewerAtATime)
		}
		for _, m := range w.added(old) {
			if c := serverReady(m); c != nil && c.Status == metav1.ConditionTrue && !isReady(m) {
				w.comes(m)
			}
		}
		look("while an old one goes")
		if going := len(w.machines()) - len(w.names()); going != 1 {
			t.Fatalf("%d old nodes go for the new one, want one", going)
		}
		if w.vanish(); n == 2 {
			break
		}
		look("before the next one is asked for again")
		w.is(v1alpha1.PoolUpgrading, fewerAtATime)
		for _, m := range w.added(old) {
			if isRoomless(m) {
				w.runsServer(m)
				break
			}
		}
	}
	w.settle()
	w.is(v1alpha1.PoolActive, "3 of 3")
	w.releases(patched)
	w.history("Create Succeeded 4/4", "Update Succeeded 4/4")
}

// When somebody else has taken the room of the old node meanwhile, the pool needs somebody, and
// says so by itself when the next one should have come.
func TestSurgeWhoseRoomIsGone(t *testing.T) {
	w, old := newNarrow(t)
	w.mustPass()
	w.comes(w.added(old)[0])
	w.mustPass()
	w.vanish()
	w.now = w.now.Add(roomBack - time.Second)
	result, err := w.pass()
	w.must(err)
	w.is(v1alpha1.PoolUpgrading, fewerAtATime)
	if after := result.RequeueAfter; after == 0 || after > time.Minute {
		t.Errorf("it looks again after %s, want within a minute", after)
	}
	w.now = w.now.Add(time.Second)
	w.mustPass()
	w.is(v1alpha1.PoolDegraded, "nodes cannot be replaced, as there is no room for one more")
	w.settle() // there is room
	w.is(v1alpha1.PoolActive, "3 of 3")
}

// What tells that there is room for fewer, of a pool in which nodes wait for it.
func TestMakesRoom(t *testing.T) {
	made := noon.Add(-time.Hour)
	for name, tc := range map[string]struct {
		unavailable int32
		change      func(w *wish, other *v1alpha1.Machine)
		want        bool
	}{
		"OthersWaitAsWell":      {0, func(_ *wish, m *v1alpha1.Machine) { waitsForRoom(m, reasonQuota) }, false},
		"OneMayBeMissing":       {1, func(_ *wish, m *v1alpha1.Machine) { waitsForRoom(m, reasonQuota) }, true},
		"NothingIsMadeNow":      {1, func(w *wish, _ *v1alpha1.Machine) { w.held = true }, false},
		"AnotherOneRuns":        {0, func(_ *wish, m *v1alpha1.Machine) { serverIs(m, "True", "AsExpected") }, true},
		"AnotherOneIsAskedFor":  {0, func(_ *wish, m *v1alpha1.Machine) { serverIs(m, "Unknown", "Building") }, false},
		"AnotherOneFails":       {0, func(_ *wish, m *v1alpha1.Machine) { serverIs(m, "False", reasonServerError) }, false},
		"AnotherOneHasCome":     {0, func(_ *wish, m *v1alpha1.Machine) { m.Status.ReadySince = &metav1.Time{Time: noon.Add(-time.Minute)} }, true},
		"AnotherOneCameLongAgo": {0, func(_ *wish, m *v1alpha1.Machine) { m.Status.ReadySince = &metav1.Time{Time: noon.Add(-roomBack)} }, false},
		"AnotherOneCameBefore": {0, func(_ *wish, m *v1alpha1.Machine) {
			m.Status.ReadySince = &metav1.Time{Time: made.Add(-time.Second)}
		}, false},
		"AnOldOneGoes": {0, func(_ *wish, m *v1alpha1.Machine) {
			m.Spec.Template.Flavor, m.DeletionTimestamp = "old", &metav1.Time{Time: noon}
		}, true},
		"ANewOneGoes": {0, func(_ *wish, m *v1alpha1.Machine) { m.DeletionTimestamp = &metav1.Time{Time: noon} }, false},
	} {
		t.Run(name, func(t *testing.T) {
			all := machines(t, "a ready old", "b new", "c new")
			for i := range all {
				all[i].CreationTimestamp = metav1.Time{Time: made}
			}
			waitsForRoom(&all[1], reasonNoCapacity)
			w := wish{template: v1alpha1.MachineTemplate{Flavor: "b3-8"}, now: noon}
			w.spec.Replicas, w.spec.Upgrade = new(int32(1)), v1alpha1.PoolUpgrade{MaxSurge: new(int32(2)), MaxUnavailable: &tc.unavailable}
			tc.change(&w, &all[2])
			if got := w.makesRoom(all); got != tc.want {
				t.Errorf("there is room for fewer: %t, want %t", got, tc.want)
			}
			if !tc.want {
				return
			}
			if all[1].Status.Conditions = nil; w.makesRoom(all) && !isRoomless(all[2]) {
				t.Error("so it is said to be where none waits for room")
			}
		})
	}
}

func serverIs(m *v1alpha1.Machine, status metav1.ConditionStatus, reason string) {
	meta.SetStatusCondition(&m.Status.Conditions, metav1.Condition{Type: "ServerReady", Status: status, Reason: reason})
}

func waitsForRoom(m *v1alpha1.Machine, reason string) { serverIs(m, "False", reason) }
