package nodepool

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// rebuilds reports whether the server of a Machine is made anew in place, in place of another
// one: only its version or its image differs, and it boots from no volume. One that has never
// been a node has nothing to keep, and one that somebody wants replaced is.
func (w wish) rebuilds(m v1alpha1.Machine) bool {
	if w.spec.Upgrade.Strategy != v1alpha1.UpgradeInPlace || m.Status.ReadySince == nil || serverGone(m) || slices.Contains(w.outdated, m.Name) {
		return false
	}
	like := m.Spec.Template
	like.Release, like.Image = w.template.Release, w.template.Image
	m.Spec.Template = like
	return like.DiskGiB == 0 && equal(like, w.template)
}

// next is the Machine whose server is made anew next: strictly one at a time, and only while
// all others are ready nodes. One that is not ready itself goes first, also one for which that
// has failed: it is tried again for another spec, or when somebody asks for a Resync.
func (w wish) next(machines []v1alpha1.Machine) *v1alpha1.Machine {
	if w.held || w.template.Release == "" {
		return nil
	}
	var due, unready []v1alpha1.Machine
	for _, m := range machines {
		switch {
		case m.DeletionTimestamp != nil, serverGone(m):
			return nil
		case !isReady(m):
			unready = append(unready, m)
		}
		if w.rebuilds(m) && !w.isCurrent(m) && (!m.Rebuilding() || failing(m) && m.Spec.Rebuild.ID != w.rebuildID(m)) {
			due = append(due, m)
		}
	}
	if len(due) == 0 || len(unready) > 1 {
		return nil
	}
	inOrder(due, w.spec.NodesToRemove)
	if len(unready) == 1 && due[0].Name != unready[0].Name {
		return nil
	}
	return &due[0]
}

// rebuildID tells one rebuild of a Machine from the others, also from an earlier one to the same
// version. Who is restarted finds the same.
func (w wish) rebuildID(m v1alpha1.Machine) string {
	if w.renews(m) {
		return w.renew.id
	}
	h := fnv.New64a()
	fmt.Fprint(h, w.template.Release, " ", w.template.Image)
	if m.Rebuilding() && equal(m.Spec.Template, w.template) {
		if w.retry == "" {
			return m.Spec.Rebuild.ID
		}
		fmt.Fprint(h, " ", w.retry)
	} else if m.Spec.Rebuild != nil {
		fmt.Fprint(h, " ", m.Spec.Rebuild.ID)
	}
	return fmt.Sprintf("%016x", h.Sum64())
}

// rebuild has the server of a Machine made anew.
func (r *Reconciler) rebuild(ctx context.Context, s *scope, m *v1alpha1.Machine) error {
	w := s.wish()
	before := m.DeepCopy()
	wanted := &v1alpha1.Rebuild{ID: w.rebuildID(*m), Release: m.Spec.Template.Release, Image: m.Spec.Template.Image}
	if m.Rebuilding() && !w.renews(*m) { // what it ran before one that has failed
		wanted.Release, wanted.Image = m.Spec.Rebuild.Release, m.Spec.Rebuild.Image
	}
	m.Spec.Rebuild = wanted
	if !w.renews(*m) {
		m.Spec.Template.Release, m.Spec.Template.Image = w.template.Release, w.template.Image
	}
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Patch(ctx, m, patch, client.FieldOwner(v1alpha1.FieldOwner)); err != nil {
		return fmt.Errorf("having Machine %s made anew: %w", m.Name, err)
	}
	if i := slices.IndexFunc(s.machines, func(other v1alpha1.Machine) bool { return other.UID == m.UID }); i >= 0 {
		s.machines[i] = *m
	}
	return nil
}

// failedRebuild is a Machine whose server could not be made anew as it is asked for, nil if
// there is none.
func (w wish) failedRebuild(machines []v1alpha1.Machine) *v1alpha1.Machine {
	for i, m := range machines {
		if m.DeletionTimestamp == nil && m.Rebuilding() && !m.Renewing() && failing(m) && equal(m.Spec.Template, w.template) && w.spec.Upgrade.Strategy == v1alpha1.UpgradeInPlace {
			return &machines[i]
		}
	}
	return nil
}

// replacesInPlace reports whether the pool is to change its nodes in place, and some cannot be.
func (w wish) replacesInPlace(machines []v1alpha1.Machine) bool {
	return w.spec.Upgrade.Strategy == v1alpha1.UpgradeInPlace && slices.ContainsFunc(machines, func(m v1alpha1.Machine) bool {
		return m.DeletionTimestamp == nil && m.Status.ReadySince != nil && !w.isCurrent(m) && !w.rebuilds(m) && !serverGone(m)
	})
}
