package nodepool

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/apitest"
)

// machines are those that there are, by name.
func (w *world) machines() []v1alpha1.Machine {
	w.Helper()
	list := &v1alpha1.MachineList{}
	w.must(management.Client.List(w.Context(), list, client.InNamespace(w.network.Namespace)))
	slices.SortFunc(list.Items, func(a, b v1alpha1.Machine) int { return strings.Compare(a.Name, b.Name) })
	return list.Items
}

// names are those of the Machines that are not going away.
func (w *world) names() (names []string) {
	w.Helper()
	for _, m := range w.machines() {
		if m.DeletionTimestamp == nil {
			names = append(names, m.Name)
		}
	}
	return names
}

// lose has the node of a Machine be not Ready since some time ago, for good.
func (w *world) lose(name string, ago time.Duration) {
	w.Helper()
	for _, m := range w.machines() {
		if m.Name == name {
			w.lost[name] = true
			w.report(m, func(s *v1alpha1.MachineStatus) {
				s.Node = &v1alpha1.MachineNode{UID: "1", ChangedAt: &metav1.Time{Time: w.now.Add(-ago)}, Message: "Kubelet stopped posting node status.", Checked: s.Node.Checked}
			})
		}
	}
}

// answer tells how the node of a Machine is, if somebody wants to know.
func (w *world) answer(m v1alpha1.Machine) bool {
	w.Helper()
	after := m.Spec.CheckAfter
	if after == nil || m.DeletionTimestamp != nil || w.silent[m.Name] || m.Status.Checked.Answers(after) {
		return false
	}
	w.report(m, func(s *v1alpha1.MachineStatus) {
		s.Checked = &v1alpha1.MachineCheck{After: *after, At: metav1.NewTime(w.now)}
		s.Node.Checked = s.Checked
		for i := range s.Conditions {
			s.Conditions[i].ObservedGeneration = m.Generation // the server has been looked at
		}
	})
	return true
}

// join makes every Machine a node that is ready.
func (w *world) join() (busy bool) {
	w.Helper()
	for _, m := range w.machines() {
		if m.Spec.Resync != "" && m.DeletionTimestamp == nil && m.Status.Resynced != m.Spec.Resync+"/" {
			w.report(m, func(s *v1alpha1.MachineStatus) { s.Resynced = m.Spec.Resync + "/" })
			busy = true
			continue
		}
		if w.lost[m.Name] && m.Rebuilding() {
			delete(w.lost, m.Name)
			busy = true
			continue
		}
		answered := w.answer(m)
		if busy = busy || answered; answered || w.lost[m.Name] {
			continue
		}
		if request := m.Spec.Reboot; request != "" && (m.Status.Reboot == nil || m.Status.Reboot.Request != request) && m.DeletionTimestamp == nil {
			now := metav1.NewTime(w.now)
			w.report(m, func(s *v1alpha1.MachineStatus) {
				s.Reboot = &v1alpha1.MachineReboot{Request: request, RequestedAt: now, AskedAt: &now, DoneAt: &now}
			})
			busy = true
			continue
		}
		if m.DeletionTimestamp == nil && !isReady(m) {
			w.report(m, func(s *v1alpha1.MachineStatus) {
				since := &metav1.Time{Time: w.now.Add(-time.Hour)}
				if s.ReadySince != nil {
					since = &metav1.Time{Time: w.now} // it comes back
				}
				s.ServerID = "server-of-" + m.Name
				first := s.ReadySince
				if first == nil {
					first = &metav1.Time{Time: w.now}
				}
				if m.Rebuilding() {
					s.Rebuilt, s.RebuiltAt = m.Spec.Rebuild.ID, &metav1.Time{Time: w.now}
				}
				s.Node, s.ReadySince, s.State, s.Message = &v1alpha1.MachineNode{UID: "1", Ready: true, ChangedAt: since, Checked: s.Checked}, first, v1alpha1.MachineReady, ""
				meta.SetStatusCondition(&s.Conditions, metav1.Condition{Type: "ServerReady", Status: "True", Reason: "AsExpected"})
			})
			busy = true
		}
	}
	return busy
}

// report changes the status of a Machine as its controllers do.
func (w *world) report(m v1alpha1.Machine, f func(*v1alpha1.MachineStatus)) {
	w.Helper()
	f(&m.Status)
	w.writeStatus(&m)
}

// vanish lets the Machines go that are going away.
func (w *world) vanish() (busy bool) {
	w.Helper()
	for _, m := range w.machines() {
		if m.DeletionTimestamp != nil {
			m.Finalizers = nil
			w.must(management.Client.Update(w.Context(), &m))
			busy = true
		}
	}
	return busy
}

// settle makes passes, of a new controller where one has been killed, and plays the part of
// the controllers of Machines, until nothing happens any more.
func (w *world) settle() {
	w.Helper()
	w.settleBelow(1000)
}

// settleBelow is settle with no more Machines than most at any time.
func (w *world) settleBelow(most int) {
	w.Helper()
	for quiet := 0; quiet < 3; {
		before := w.Writes.Load()
		w.now = w.now.Add(w.step)
		if _, err := w.pass(); errors.Is(err, apitest.ErrKilled) {
			w.restart()
		} else if err != nil {
			w.Fatal(err)
		}
		if n := len(w.machines()); n > most {
			w.Fatalf("%d Machines are there, want at most %d", n, most)
		}
		joined, vanished := w.join(), w.vanish()
		if quiet++; w.Writes.Load() != before || joined || vanished {
			quiet = 0
		}
		if w.Writes.Load() > 500 {
			w.Fatal("it never comes to rest")
		}
	}
}

// active makes the pool, with all its nodes.
func (w *world) active() *world {
	w.Helper()
	w.create(w.pool)
	w.settle()
	w.is(v1alpha1.PoolActive, "")
	w.now = w.now.Add(time.Hour) // it is over for long
	return w
}

// is checks the phase and a part of the message.
func (w *world) is(phase v1alpha1.PoolPhase, words string) {
	w.Helper()
	if s := w.pool.Status; s.Phase != phase || !strings.Contains(s.Message, words) {
		w.Errorf("%s: %s; want %s: ...%s", s.Phase, s.Message, phase, words)
	}
}

// says checks a condition.
func (w *world) says(conditionType, status, reason, words string) {
	w.Helper()
	apitest.WantCondition(w, w.pool.Status.Conditions, conditionType, status, reason, words)
}

// has checks which Machines there are, by the ends of their names.
func (w *world) has(suffixes ...string) {
	w.Helper()
	var want []string
	for _, s := range suffixes {
		want = append(want, "shop-web-"+s)
	}
	if diff := cmp.Diff(want, w.names()); diff != "" {
		w.Errorf("Machines (-want +got):\n%s", diff)
	}
}

func (w *world) gone() bool {
	w.Helper()
	err := management.Client.Get(w.Context(), client.ObjectKeyFromObject(w.pool), &v1alpha1.NodePool{})
	w.must(client.IgnoreNotFound(err))
	return apierrors.IsNotFound(err)
}

// deleteServer has somebody else delete the server of a Machine.
func (w *world) deleteServer(name string) {
	w.Helper()
	for _, m := range w.machines() {
		if m.Name == name {
			w.lost[name] = true
			w.report(m, func(s *v1alpha1.MachineStatus) {
				s.Node = &v1alpha1.MachineNode{}
				s.Conditions = []metav1.Condition{{Type: "ServerReady", Status: "False", Reason: "ServerGone", LastTransitionTime: metav1.Now()}}
			})
		}
	}
}
