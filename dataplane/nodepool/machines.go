package nodepool

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// adjust writes labels, taints and the times for a drain and a creation into the Machines that there are. A
// spec that is refused changes nothing.
func (r *Reconciler) adjust(ctx context.Context, s *scope) error {
	if s.isRefused() {
		return nil
	}
	for i := range s.machines {
		m := &s.machines[i]
		if m.DeletionTimestamp != nil || s.isShaped(m) {
			continue
		}
		before := m.DeepCopy()
		s.shape(&m.Spec)
		err := r.Client.Patch(ctx, m, client.MergeFrom(before), client.FieldOwner(v1alpha1.FieldOwner))
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("adjusting Machine %s: %w", m.Name, err)
		}
	}
	return nil
}

// scale makes and deletes Machines, all of one pass at once, or has one made anew. What the cache says is missing
// or too many is looked at once more past it: an earlier pass may have seen to it, whose
// writes are not in the cache yet.
func (r *Reconciler) scale(ctx context.Context, s *scope) error {
	if !s.changesNodes() {
		return nil
	}
	live, err := s.list(ctx, r.Live)
	if err != nil {
		return err
	}
	s.machines = live
	if err := r.confirm(ctx, s); err != nil {
		return err
	}
	todo := plan(s.wish(), live)
	// A node that turns out not to be given up after all needs no other one.
	for i := range todo.delete {
		if err := r.deleteMachine(ctx, s, &todo.delete[i]); err != nil {
			return err
		}
	}
	for range todo.create {
		if err := r.create(ctx, s, todo.former); err != nil {
			return err
		}
	}
	if todo.rebuild != nil {
		return r.rebuild(ctx, s, todo.rebuild)
	}
	return nil
}

// create makes one Machine, of a name that no other has, by a former template unless that is nil.
func (r *Reconciler) create(ctx context.Context, s *scope, former *v1alpha1.MachineTemplate) error {
	const attempts = 10
	for range attempts {
		m := s.machine(r.Suffix())
		if former != nil {
			m.Spec.Template = *former.DeepCopy()
		}
		created, err := reconcile.CreateIfAbsent(ctx, r.Client, m)
		if err != nil {
			return fmt.Errorf("creating Machine %s: %w", m.Name, err)
		}
		if created {
			s.machines = append(s.machines, *m)
			return nil
		}
	}
	return errors.New("no name is left for another Machine")
}

// deleteMachine deletes one. It empties its node and takes its server down by itself.
func (r *Reconciler) deleteMachine(ctx context.Context, s *scope, m *v1alpha1.Machine) error {
	remove := reconcile.Delete
	if s.healed != nil && s.healed.UID == m.UID {
		remove = reconcile.DeleteAsRead
	}
	if err := remove(ctx, r.Client, m); err != nil {
		return fmt.Errorf("deleting Machine %s: %w", m.Name, err)
	}
	now := metav1.NewTime(r.Now())
	for i := range s.machines {
		if s.machines[i].UID == m.UID && s.machines[i].DeletionTimestamp == nil {
			s.machines[i].DeletionTimestamp = &now
		}
	}
	return nil
}

// machine is a new one of the pool. It carries its finalizers from the start, so that nothing
// can be made for one that is already gone.
func (s *scope) machine(suffix string) *v1alpha1.Machine {
	pool, cluster := s.pool, s.cluster
	m := &v1alpha1.Machine{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: cluster.Status.Namespace,
			Name:      fmt.Sprintf("%s-%s-%s", cluster.Name, pool.Name, suffix),
			Labels: map[string]string{
				v1alpha1.LabelShard:            v1alpha1.DefaultShard,
				v1alpha1.LabelClusterUID:       string(cluster.UID),
				v1alpha1.LabelClusterName:      cluster.Name,
				v1alpha1.LabelClusterNamespace: cluster.Namespace,
				v1alpha1.LabelPoolUID:          string(pool.UID),
				v1alpha1.LabelPool:             pool.Name,
			},
			Finalizers: []string{v1alpha1.MachineFinalizer, v1alpha1.NodeFinalizer},
		},
		Spec: v1alpha1.MachineSpec{
			ClusterRef: v1alpha1.ClusterReference{Namespace: cluster.Namespace, Name: cluster.Name, UID: cluster.UID},
			PoolRef:    v1alpha1.PoolReference{Name: pool.Name, UID: pool.UID},
			Template:   s.template(),
			// As they are now, for good: see NodePoolSpec.
			StartupTaints: pool.Spec.StartupTaints,
		},
	}
	s.shape(&m.Spec)
	return m
}

// shape puts into a Machine what can be changed in it.
func (s *scope) shape(m *v1alpha1.MachineSpec) {
	spec := s.pool.Spec
	m.Labels = maps.Clone(spec.Labels)
	if m.Labels == nil {
		m.Labels = map[string]string{}
	}
	m.Labels[v1alpha1.LabelPool] = s.pool.Name
	m.Taints = spec.Taints
	// Like the API server does for who leaves it out.
	m.DrainTimeoutSeconds = new(int32(600))
	if spec.Upgrade.DrainTimeoutSeconds != nil {
		m.DrainTimeoutSeconds = spec.Upgrade.DrainTimeoutSeconds
	}
	m.CreationTimeoutSeconds = int32(creationTimeout(spec).Seconds())
}

// creationTimeout is how long a server may take to become a Ready node.
func creationTimeout(spec v1alpha1.NodePoolSpec) time.Duration {
	if spec.CreationTimeoutSeconds == nil {
		return 30 * time.Minute
	}
	return time.Duration(*spec.CreationTimeoutSeconds) * time.Second
}

// isShaped reports whether all of that is in a Machine.
func (s *scope) isShaped(m *v1alpha1.Machine) bool {
	want := m.Spec.DeepCopy()
	s.shape(want)
	return equality.Semantic.DeepEqual(*want, m.Spec)
}

// template is what servers of the pool are made by. Security groups and networks are sets:
// their order is of no matter, so that there is but one.
func (s *scope) template() v1alpha1.MachineTemplate {
	spec := s.pool.Spec
	t := v1alpha1.MachineTemplate{
		Release:          spec.Version,
		Flavor:           spec.Flavor,
		Image:            spec.Image,
		AvailabilityZone: spec.AvailabilityZone,
		ServerGroupID:    s.pool.Status.ServerGroupID,
		SecurityGroups:   slices.Sorted(slices.Values(spec.SecurityGroups)),
		Networks:         slices.Sorted(slices.Values(spec.Networks)),
		FloatingIP:       spec.FloatingIPs,
	}
	if spec.DiskGiB != nil {
		t.DiskGiB = *spec.DiskGiB
	}
	if s.cluster != nil && t.Release == "" {
		t.Release = s.cluster.Status.Version
	}
	return t
}
