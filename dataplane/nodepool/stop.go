package nodepool

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// bad are the new nodes that did not come while old ones are replaced: their servers failed, or
// have not become Ready nodes within their time. One that waits for room has not failed.
func (w wish) bad(machines []v1alpha1.Machine) (bad []v1alpha1.Machine) {
	for _, m := range machines {
		if m.DeletionTimestamp != nil || m.Status.ReadySince != nil || !w.isCurrent(m) {
			continue
		}
		if m.Status.Failures > 0 || failing(m) && !isRoomless(m) {
			bad = append(bad, m)
		}
	}
	return bad
}

// isStopped reports whether as many new nodes did not come as there may be more and fewer than
// asked for. Then no other node is made, and none is given up: what is wrong with them would
// be wrong with the others, and those that there are go on serving.
func (w wish) isStopped(machines []v1alpha1.Machine) bool {
	if w.failedRebuild(machines) != nil {
		return true
	}
	if !slices.ContainsFunc(machines, func(m v1alpha1.Machine) bool { return m.DeletionTimestamp == nil && !w.isCurrent(m) }) {
		return false
	}
	surge, unavailable := rolling(w.spec)
	return len(w.bad(machines)) >= max(1, surge+unavailable)
}

// isGivenUp reports whether that is so for good: the servers of none of them come by
// themselves, or have been made often enough to tell.
func (w wish) isGivenUp(machines []v1alpha1.Machine) bool {
	return w.failedRebuild(machines) != nil || w.isStopped(machines) && !slices.ContainsFunc(w.bad(machines), func(m v1alpha1.Machine) bool {
		return m.Status.Failures < tries && (!failing(m) || !stuck(m))
	})
}

// former is what the nodes were made by that serve on while their replacement has been given up; nil
// if it has not, or there are none. Of several kinds it is the newest of which a node is Ready, or
// else there. A server that is made anew in place is of neither kind.
func (w wish) former(machines []v1alpha1.Machine) *v1alpha1.MachineTemplate {
	if !w.isGivenUp(machines) {
		return nil
	}
	served := slices.DeleteFunc(slices.Clone(machines), func(m v1alpha1.Machine) bool {
		return m.DeletionTimestamp != nil || m.Status.ReadySince == nil || m.Rebuilding() || slices.Contains(w.outdated, m.Name) || w.isCurrent(m)
	})
	if len(served) == 0 {
		return nil
	}
	rank := func(m v1alpha1.Machine) int {
		switch {
		case serverGone(m):
			return 0
		case !isReady(m):
			return 1
		}
		return 2
	}
	best := slices.MaxFunc(served, func(a, b v1alpha1.Machine) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	return &best.Spec.Template
}

// staying are the Machines of a pool but those that came to nothing in a replacement that has been
// given up, and whether there are such: they are none of the nodes that the pool is to have.
func (w wish) staying(machines []v1alpha1.Machine) ([]v1alpha1.Machine, bool) {
	if w.failedRebuild(machines) != nil || w.former(machines) == nil {
		return machines, false
	}
	bad := w.bad(machines)
	return slices.DeleteFunc(slices.Clone(machines), func(m v1alpha1.Machine) bool {
		return slices.ContainsFunc(bad, func(b v1alpha1.Machine) bool { return b.UID == m.UID })
	}), true
}

// stopped is the sentence that tells which new nodes did not come, and what can be done; empty
// while nodes are replaced as they should be.
func (s *scope) stopped() string {
	w := s.wish()
	if !w.isStopped(s.machines) {
		return ""
	}
	if m := w.failedRebuild(s.machines); m != nil {
		return fmt.Sprintf("no other node is made anew, as %s: %s; the others go on serving. Ask for a Resync ('marina nodepool resync %s') to have it tried again, "+
			"set upgrade.strategy to Rolling to have nodes replaced, or change the spec back while nodes of the former kind are there",
			m.Name, said(m), s.pool.Name)
	}
	var words []string
	bad := w.bad(s.machines)
	for _, m := range bad {
		if text := said(&m); text != "" {
			words = append(words, m.Name+" ("+strings.TrimSuffix(text, ".")+")")
		} else {
			words = append(words, m.Name)
		}
	}
	what := fmt.Sprintf("%d new nodes have not come", len(bad))
	if len(bad) == 1 {
		what = "1 new node has not come"
	}
	return fmt.Sprintf("the replacement of nodes has stopped, as %s: %s; the others go on serving. "+
		"Correct what is said, and ask for a Resync ('marina nodepool resync %s') to have it tried now, or change the spec back while nodes of the former kind are there",
		what, strings.Join(words, ", "), s.pool.Name)
}

// failing reports whether a server cannot be had, or does not run. Of one that is to be made anew
// it counts what was seen after that was asked for.
func failing(m v1alpha1.Machine) bool {
	c := serverReady(m)
	if m.Rebuilding() && c != nil && c.ObservedGeneration != m.Generation {
		return false
	}
	return c != nil && c.Status == metav1.ConditionFalse && c.Reason != reasonServerGone
}

// tries is how many servers in a row that do not become nodes are taken for bad luck.
const tries = 3

// stuck reports whether a Machine that fails gets no server by itself. One that failed is made
// again; that several did is what its flavor, image or network are the reason of.
func stuck(m v1alpha1.Machine) bool {
	c := serverReady(m)
	return c.Reason != reasonNoCapacity && (m.Status.RetryAt == nil || c.Reason == reasonQuota || m.Status.Failures >= tries)
}
