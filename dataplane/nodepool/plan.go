package nodepool

import (
	"cmp"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// What the condition ServerReady of a Machine says when somebody else has deleted its server,
// when that is in ERROR, stopped, or in a state of which nobody knows what it is for, when the
// cloud has no room, and when the quota has none.
const (
	reasonServerGone      = "ServerGone"
	reasonServerError     = "ServerError"
	reasonServerStopped   = "ServerStopped"
	reasonServerNotActive = "ServerNotActive"
	reasonNoCapacity      = "NoCapacity"
	reasonQuota           = "QuotaExceeded"
)

// wish is what a pool is to become.
type wish struct {
	spec     v1alpha1.NodePoolSpec
	template v1alpha1.MachineTemplate
	// held is whether no node can be made now, so that none is given up that is not too many.
	held bool
	// melted is whether no node of the Cluster is Ready any more, so that none that has been goes
	// for another, but those in outdated.
	melted bool
	// leave are the UIDs of Machines that are given up: they go at once.
	leave []types.UID
	// renew is the one whose server is made anew as it is; nothing for none.
	renew renewal
	// outdated are the names of nodes that are replaced as if they were of another kind.
	outdated []string
	// retry is the Resync that runs, which has a rebuild that failed tried again; empty for none.
	retry string
	// now is when the pass began.
	now time.Time
}

// steps are what one pass does to a pool.
type steps struct {
	// create is how many Machines are missing; former is what they are made by, nil for what is
	// asked for.
	create int
	former *v1alpha1.MachineTemplate
	// delete are those that go.
	delete []v1alpha1.Machine
	// rebuild is the one whose server is made anew in place, nil for none.
	rebuild *v1alpha1.Machine
}

func (s steps) none() bool { return s.create == 0 && len(s.delete) == 0 && s.rebuild == nil }

// plan compares the Machines that there are with what is asked for:
//
//  1. those go whose server is gone, and those that are given up
//  2. of the right kind, so many are made as are missing, or those go that are too many
//  3. of another kind, never ready ones go at once, and the others when the pool has enough
//     without them; or their servers are made anew, one at a time, when nothing else is to be done
//
// Machines that are going away count for nothing, except that their servers take up room:
// those of another kind in what maxSurge allows, and all of them on the hosts of a pool with
// hard anti-affinity. When too many new ones do not come, it stops; and when that is for good,
// nodes that are missing besides are made of the former kind.
func plan(w wish, machines []v1alpha1.Machine) steps {
	next := w.next(machines)
	var result steps
	if !w.held {
		result.former = w.former(machines)
	}
	w.held = w.held || w.isStopped(machines)
	var current, old []v1alpha1.Machine
	wanted, occupied, hosts := replicas(w.spec), 0, 0
	for _, m := range machines {
		switch going := m.DeletionTimestamp != nil; {
		case going && !controllerutil.ContainsFinalizer(&m, v1alpha1.MachineFinalizer):
			continue // nothing of it is in the cloud any more
		case serverGone(m):
			if !going {
				result.delete = append(result.delete, m)
			}
			continue
		case slices.Contains(w.leave, m.UID):
			if !going {
				result.delete = append(result.delete, m)
			}
		case !w.isCurrent(m) && !w.rebuilds(m):
			occupied++
			if !going {
				old = append(old, m)
			}
		case !going:
			occupied++
			current = append(current, m)
			if w.renews(m) {
				next = &m
			}
		}
		hosts++
	}

	inOrder(current, w.spec.NodesToRemove)
	if over := len(current) - wanted; over > 0 {
		result.delete = append(result.delete, current[:over]...)
		current = current[over:]
	}
	surge, unavailable := rolling(w.spec)
	missing := wanted - len(current)
	if result.former != nil {
		bad := len(w.bad(current))
		missing += bad - len(old)
		surge = max(surge, bad-unavailable) // as many as may have been tried for another number of nodes
	}
	if w.held {
		unavailable = 0
	}
	if !w.held || result.former != nil {
		result.create = min(missing, wanted+surge-occupied)
		if w.spec.AntiAffinity == v1alpha1.AntiAffinityHard {
			result.create = min(result.create, v1alpha1.MaxHardAntiAffinity-hosts)
		}
		result.create = max(result.create, 0)
	}
	if len(old) > 0 {
		result.delete = append(result.delete, replaced(w, current, old, max(wanted-unavailable, 0))...)
	}
	if result.create == 0 && len(result.delete) == 0 && len(old) == 0 && !w.melted || w.renew.uid != "" {
		result.rebuild = next
	}
	return result
}

// spares reports whether a node of another kind stays, as all seem to be dead.
func (w wish) spares(m v1alpha1.Machine) bool {
	return w.melted && m.Status.ReadySince != nil && !slices.Contains(w.outdated, m.Name)
}

// replaced are those that go of another kind, so that at least least nodes are ready. One
// that is not ready frees room for one that may become so, unless that is on its way.
func replaced(w wish, current, old []v1alpha1.Machine, least int) (leave []v1alpha1.Machine) {
	var there []v1alpha1.Machine
	for _, m := range old {
		if m.Status.ReadySince == nil && !w.held {
			leave = append(leave, m)
		} else {
			there = append(there, m)
		}
	}
	ready := 0
	for _, m := range slices.Concat(current, there) {
		if isReady(m) {
			ready++
		}
	}
	spare, spareReady := len(current)+len(there)-least, ready-least
	for _, m := range current {
		if !isReady(m) {
			spare--
		}
		// One that is to be removed need not be replaced first.
		if slices.Contains(w.spec.NodesToRemove, m.Name) {
			there = append(there, m)
		}
	}
	inOrder(there, w.spec.NodesToRemove)
	for _, m := range there {
		if spare <= 0 {
			break
		}
		if w.spares(m) {
			continue
		}
		if isReady(m) {
			if spareReady <= 0 {
				continue
			}
			spareReady--
		}
		spare--
		leave = append(leave, m)
	}
	return leave
}

// inOrder sorts by who goes first: those that are to be removed by name, then those that have
// never been ready, then those that are not ready, then the last created.
func inOrder(machines []v1alpha1.Machine, first []string) {
	rank := func(m v1alpha1.Machine) int {
		switch {
		case slices.Contains(first, m.Name):
			return 0
		case m.Status.ReadySince == nil:
			return 1
		case !isReady(m):
			return 2
		default:
			return 3
		}
	}
	slices.SortFunc(machines, func(a, b v1alpha1.Machine) int {
		return cmp.Or(
			cmp.Compare(rank(a), rank(b)),
			b.CreationTimestamp.Compare(a.CreationTimestamp.Time),
			cmp.Compare(a.Name, b.Name))
	})
}

// rolling is how many nodes there may be more, and fewer, than asked for, while they are
// replaced. Where each needs a host of its own, one more may not fit.
func rolling(spec v1alpha1.NodePoolSpec) (surge, unavailable int) {
	surge, unavailable = 1, 0
	if spec.Upgrade.MaxSurge != nil {
		surge = int(*spec.Upgrade.MaxSurge)
	}
	if spec.Upgrade.MaxUnavailable != nil {
		unavailable = int(*spec.Upgrade.MaxUnavailable)
	}
	wanted := replicas(spec)
	surge = min(surge, wanted)
	if spec.AntiAffinity == v1alpha1.AntiAffinityHard {
		surge = max(min(surge, v1alpha1.MaxHardAntiAffinity-wanted), 0)
		if surge == 0 {
			unavailable = max(unavailable, 1)
		}
	}
	return surge, unavailable
}

// replicas is how many nodes a pool is to have. Only one that is deleted may not say so.
func replicas(spec v1alpha1.NodePoolSpec) int {
	if spec.Replicas == nil {
		return 1
	}
	return int(*spec.Replicas)
}

// isCurrent reports whether a Machine is of the kind that is asked for.
func (w wish) isCurrent(m v1alpha1.Machine) bool {
	if r := m.Spec.Rebuild; m.Rebuilding() && (r.Release != m.Spec.Template.Release || r.Image != m.Spec.Template.Image) {
		return false // not yet
	}
	return equal(m.Spec.Template, w.template) && !slices.Contains(w.outdated, m.Name)
}

func equal(a, b v1alpha1.MachineTemplate) bool { return equality.Semantic.DeepEqual(a, b) }

// isReady reports whether a Machine is a node that takes pods. One whose server is made anew
// is none, though its node is Ready still.
func isReady(m v1alpha1.Machine) bool {
	return m.Status.Node != nil && m.Status.Node.Ready && !m.Rebuilding()
}

// serverGone reports whether somebody else has deleted the server of a Machine.
func serverGone(m v1alpha1.Machine) bool {
	c := serverReady(m)
	return c != nil && c.Status == metav1.ConditionFalse && c.Reason == reasonServerGone
}

func serverReady(m v1alpha1.Machine) *metav1.Condition {
	return meta.FindStatusCondition(m.Status.Conditions, v1alpha1.ConditionServerReady)
}
