package openstack

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// await waits until something is so, while the controllers run and the control plane is played.
func (w *world) await(what string, is func() error) {
	w.Helper()
	err := harness.AwaitEvery(w.Context(), max(w.pace, 20*time.Millisecond), w.limit, func(context.Context) error {
		w.play()
		return is()
	})
	if err != nil {
		w.Fatalf("%s: %v%s", what, err, w.state())
	}
}

// state tells how all is that there is.
func (w *world) state() (text string) {
	if w.read(w.network) {
		text += fmt.Sprintf("\nnetwork: %+v", w.network.Status)
	}
	var pools v1alpha1.NodePoolList
	check(w, management.Client.List(w.Context(), &pools, client.InNamespace(w.cluster.Namespace)))
	for _, p := range pools.Items {
		text += fmt.Sprintf("\npool %s: %s, %d of %d, %s", p.Name, p.Status.Phase, p.Status.ReadyReplicas, p.Status.Replicas, p.Status.Message)
	}
	for _, m := range w.machines() {
		text += fmt.Sprintf("\nmachine %s: %s, server %s, %s", m.Name, m.Status.State, m.Status.ServerID, m.Status.Message)
	}
	return text
}

// settled is whether a pool has so many nodes that are Ready, and no others.
func (w *world) settled(p *v1alpha1.NodePool, replicas int32) func() error {
	return func() error {
		if !w.read(p) {
			return errors.New("there is no pool")
		}
		s := p.Status
		if s.ObservedGeneration != p.Generation || s.Phase != v1alpha1.PoolActive || s.ReadyReplicas != replicas || s.Replicas != replicas {
			return fmt.Errorf("pool %s is %s with %d of %d nodes Ready, want %d: %s", p.Name, s.Phase, s.ReadyReplicas, s.Replicas, replicas, s.Message)
		}
		return nil
	}
}

// gone is whether objects are.
func (w *world) gone(objects ...client.Object) func() error {
	return func() error {
		for _, o := range objects {
			if w.read(o) {
				return fmt.Errorf("%T %s is still there", o, o.GetName())
			}
		}
		return nil
	}
}

// says is whether a condition of the network has a reason.
func (w *world) says(condition, reason string) func() error {
	return func() error {
		w.read(w.network)
		if c := meta.FindStatusCondition(w.network.Status.Conditions, condition); c == nil || c.Reason != reason {
			return fmt.Errorf("%s of the network is %+v, want %s", condition, c, reason)
		}
		return nil
	}
}
