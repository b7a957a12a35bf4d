package nodepool

import (
	"slices"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// stalled reports whether nodes are being replaced, and nothing comes of it before one that is
// lost is Ready again, or is given up: all others are Ready, or fail, and there is no next step.
// Healing waits for changes to end, which would wait for it.
func stalled(w wish, machines []v1alpha1.Machine) bool {
	w.leave, w.renew = nil, renewal{}
	lost := unwell(machines)
	old := slices.ContainsFunc(machines, func(m v1alpha1.Machine) bool { return !w.isCurrent(m) })
	if len(lost) == 0 || !old || w.held || w.isStopped(machines) || !plan(w, machines).none() {
		return false
	}
	return !slices.ContainsFunc(machines, func(m v1alpha1.Machine) bool {
		moves := m.DeletionTimestamp != nil || m.Status.ReadySince == nil || m.Rebuilding()
		return moves && !failing(m)
	})
}
