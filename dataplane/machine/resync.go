package machine

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// resyncOf tells for which Resyncs a server is to have been looked at: that of its pool, and
// that of its Cluster; empty if there has never been one.
func resyncOf(m *v1alpha1.Machine, network *v1alpha1.ClusterNetwork) string {
	if m.Spec.Resync == "" && network.Spec.Resync == "" {
		return ""
	}
	return m.Spec.Resync + "/" + network.Spec.Resync
}

// resync reports whether somebody has asked to look at the server now. Then lists that began
// before do not count, nor does what has been seen of the floating IP.
func (r *Reconciler) resync(s *scope) bool {
	asked, check := resyncOf(s.machine, s.network), unchecked(s.machine)
	if !check && (asked == s.machine.Status.Resynced || asked == "") {
		return false
	}
	if check {
		asked += " " + s.machine.Spec.CheckAfter.UTC().Format(time.RFC3339)
	}
	mark := s.feed.markOf(asked)
	r.memory.set(s.machine, func(l *look) { l.mark, l.floating, l.address = max(l.mark, mark), "", "" })
	return true
}

// markOf is what the number of a list has to be above that began after the first Machine has
// heard of a Resync: one list does for all of them.
func (f *feed) markOf(resync string) int {
	const most = 100
	f.mu.Lock()
	defer f.mu.Unlock()
	if mark, known := f.resyncs[resync]; known {
		return mark
	}
	if f.resyncs == nil || len(f.resyncs) >= most {
		f.resyncs = map[string]int{}
	}
	f.numbers = nil // of quotas, which may be raised
	f.resyncs[resync] = f.begun
	return f.begun
}

// resynced takes note of a look, unless the cloud could not be asked.
func (s *scope) resynced(e *reconcile.Error, now time.Time) {
	if s.early || s.unasked || s.network == nil || s.machine.DeletionTimestamp != nil || e != nil && e.Kind == reconcile.KindRetry {
		return
	}
	s.machine.Status.Resynced = resyncOf(s.machine, s.network)
	if unchecked(s.machine) {
		s.machine.Status.Checked = &v1alpha1.MachineCheck{After: *s.machine.Spec.CheckAfter, At: metav1.NewTime(now.Truncate(time.Second))}
	}
}

// unchecked reports whether somebody waits for a look at the server.
func unchecked(m *v1alpha1.Machine) bool {
	return m.Spec.CheckAfter != nil && !m.Status.Checked.Answers(m.Spec.CheckAfter)
}
