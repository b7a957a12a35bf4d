package nodepool

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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

// roomBack is how long after a new node is Ready others may still wait for the room of the old one
// that goes for it: that is emptied within ten minutes and a half, and a quota that was exhausted is
// asked again within five.
const roomBack = 16 * time.Minute

// makesRoom reports whether there is room for new nodes one after the other, while one waits for
// it: nodes are given up before there are others for them, or another new one has found room for
// its server, or an old one goes, or has gone lately for one that came while that one waited.
func (w wish) makesRoom(machines []v1alpha1.Machine) bool {
	waiting := w.roomless(machines)
	if w.held || waiting == nil {
		return false
	}
	if _, unavailable := rolling(w.spec); unavailable > 0 {
		return true
	}
	return slices.ContainsFunc(machines, func(m v1alpha1.Machine) bool {
		c, since := serverReady(m), m.Status.ReadySince
		switch going := m.DeletionTimestamp != nil; {
		case going || !w.isCurrent(m):
			return going && !w.isCurrent(m)
		case since == nil:
			return c != nil && c.Status == metav1.ConditionTrue
		default:
			return since.After(waiting.CreationTimestamp.Time) && w.now.Before(since.Add(roomBack))
		}
	})
}

// room is the sentence that tells that there is no room for more nodes at a time, and what
// becomes of it; empty while there is.
func (s *scope) room() string {
	w := s.wish()
	m := w.roomless(s.machines)
	if m == nil {
		return ""
	}
	if w.makesRoom(s.machines) {
		return fmt.Sprintf("nodes are replaced fewer at a time, as there is no room for more: node %s: %s", m.Name, said(m))
	}
	return fmt.Sprintf("nodes cannot be replaced, as there is no room for one more: node %s: %s; "+
		"give it room, or set upgrade.maxUnavailable to 1, so that an old node goes before the new one comes", m.Name, said(m))
}
