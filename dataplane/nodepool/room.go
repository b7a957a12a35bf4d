package nodepool

import (
	"fmt"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// isRoomless reports whether a server waits for room: on a host, or in a quota.
func isRoomless(m v1alpha1.Machine) bool {
	if !failing(m) || m.Status.ReadySince != nil {
		return false
	}
	reason := serverReady(m).Reason
	return reason == reasonNoCapacity || reason == reasonQuota
}

// roomless is the first new node that waits for room while others are replaced; nil if none does.
func (w wish) roomless(machines []v1alpha1.Machine) *v1alpha1.Machine {
	var first *v1alpha1.Machine
	replacing := false
	for i, m := range machines {
		if !w.isCurrent(m) {
			replacing = true
		} else if m.DeletionTimestamp == nil && isRoomless(m) && (first == nil || m.Name < first.Name) {
			first = &machines[i]
		}
	}
	if !replacing {
		return nil
	}
	return first
}

// makesRoom reports whether nodes are given up before there are others for them, so that new
// ones that wait for room come one after the other.
func (w wish) makesRoom() bool {
	_, unavailable := rolling(w.spec)
	return unavailable > 0 && !w.held
}

// room is the sentence that tells that there is no room for more nodes at a time, and what
// becomes of it; empty while there is.
func (s *scope) room() string {
	w := s.wish()
	m := w.roomless(s.machines)
	if m == nil {
		return ""
	}
	if w.makesRoom() {
		return fmt.Sprintf("nodes are replaced fewer at a time, as there is no room for more: node %s: %s", m.Name, said(m))
	}
	return fmt.Sprintf("nodes cannot be replaced, as there is no room for one more: node %s: %s; "+
		"give it room, or set upgrade.maxUnavailable to 1, so that an old node goes before the new one comes", m.Name, said(m))
}
