package nodepool

import (
	"context"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/apitest"
	"github.com/marina-dev/marina/pkg/operation"
)

// TestManager runs the controller as the product does, woken by nothing but events.
func TestManager(t *testing.T) {
	mgr := apitest.NewManager(t, management, cache.Options{}, 0)
	if err := operation.AddIndexes(t.Context(), mgr); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	r := &Reconciler{Client: mgr.GetClient(), Live: mgr.GetAPIReader(), Projects: w.reconciler.Projects, Now: time.Now, Suffix: func() string { return rand.String(5) }}
	if err := r.SetupWithManager(mgr); err != nil {
		t.Fatal(err)
	}
	mgr.Run(t)
	await := func(what string, phase v1alpha1.PoolPhase, machines int) {
		t.Helper()
		err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
			w.read()
			return w.pool.Status.Phase == phase && w.pool.Status.ObservedGeneration == w.pool.Generation && len(w.machines()) == machines, nil
		})
		if err != nil {
			t.Fatalf("%s: %d Machines, %+v", what, len(w.machines()), w.pool.Status)
		}
	}
	// heard waits until the manager has an object as it was last written. What it is told of
	// one kind says nothing of another.
	heard := func(object client.Object) {
		t.Helper()
		now := object.DeepCopyObject().(client.Object)
		if err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
			err := mgr.GetClient().Get(ctx, client.ObjectKeyFromObject(object), now)
			return err == nil && now.GetResourceVersion() == object.GetResourceVersion(), client.IgnoreNotFound(err)
		}); err != nil {
			t.Fatalf("the manager has not heard of %T %s: %v", object, object.GetName(), err)
		}
	}
	w.setNetwork("Unknown", "Creating", "it is being made")
	heard(w.network)
	w.infra.Spec.Flavors = []string{"b3-16"}
	w.must(management.Client.Update(t.Context(), w.infra))
	heard(w.infra)
	w.create(w.pool)
	await("the Infrastructure does not offer the flavor", v1alpha1.PoolError, 0)
	w.infra.Spec.Flavors = []string{"b3-8"}
	w.must(management.Client.Update(t.Context(), w.infra))
	await("it does", v1alpha1.PoolPending, 0)
	w.setNetwork("True", "AsExpected", "")
	await("the network is ready", v1alpha1.PoolCreating, 3)
	w.join()
	await("the nodes are", v1alpha1.PoolActive, 3)
	w.cluster.Status.Version = next
	w.writeStatus(w.cluster)
	await("the Cluster has another version", v1alpha1.PoolUpgrading, 4)

	// Another pool has no room until this one has none.
	w.network.Spec.PodCIDR = "10.244.0.0/22"
	w.must(management.Client.Update(t.Context(), w.network))
	heard(w.network)
	other := &v1alpha1.NodePool{ObjectMeta: metav1.ObjectMeta{Namespace: w.pool.Namespace, Name: "zzz"}}
	other.Spec = v1alpha1.NodePoolSpec{ClusterRef: w.pool.Spec.ClusterRef, Flavor: "b3-8", Replicas: new(int32(2))}
	this := w.pool
	w.pool = other
	w.create(other)
	await("it has no room", v1alpha1.PoolError, 4)
	w.pool = this
	w.must(management.Client.Delete(t.Context(), w.pool))
	err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
		w.vanish()
		return w.gone(), nil
	})
	if err != nil {
		t.Fatalf("%+v", w.pool)
	}
	w.pool = other
	await("it has room", v1alpha1.PoolCreating, 2)
	if c := meta.FindStatusCondition(other.Status.Conditions, "SpecAccepted"); c == nil || c.Status != "True" {
		t.Errorf("%+v", other.Status.Conditions)
	}
}
