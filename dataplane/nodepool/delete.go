package nodepool

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/operation"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// delete takes a pool down, from whatever phase it is in:
//
//  1. operate: that it is deleted is recorded
//  2. awaitDeorbit: while its Cluster goes as well and needs the nodes for that
//  3. deleteMachines: all at once, and wait until they are gone. Each empties its node
//  4. deleteGroup: the server group that they were in
//  5. the finalizer
//
// All is read past the cache: a Machine that is taken for gone would stay for ever.
func (r *Reconciler) delete(ctx context.Context, s *scope) (ctrl.Result, error) {
	if err := r.Live.Get(ctx, client.ObjectKeyFromObject(s.pool), s.pool); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	s.before = s.pool.DeepCopy()
	if !controllerutil.ContainsFinalizer(s.pool, v1alpha1.NodePoolFinalizer) {
		return ctrl.Result{}, nil
	}
	err := reconcile.Run(ctx, s, []reconcile.Step[*scope]{
		{Name: "find cluster", Run: r.findCluster},
		{Name: "find machines", Run: r.findMachines},
	})
	var recordErr error
	if err == nil {
		if recordErr = operation.Forgivable(r.operate(ctx, s)); errors.Is(recordErr, operation.ErrBehind) {
			return reconcile.Result(recordErr) // in a moment
		}
		// What cannot be recorded must not keep anybody from deleting.
		err = reconcile.Run(ctx, s, []reconcile.Step[*scope]{
			{Name: "await deorbit", Run: r.awaitDeorbit},
			{Name: "delete machines", Run: r.deleteMachines},
			{Name: "delete server group", Run: r.deleteGroup},
		})
	}
	if reconcile.Overtaken(err) {
		return reconcile.Again(), nil
	}
	if err != nil {
		result, err := r.finish(ctx, s, err)
		return result, cmp.Or(err, recordErr)
	}
	err = reconcile.SetFinalizer(ctx, r.Client, s.pool, s.before, controllerutil.RemoveFinalizer, v1alpha1.NodePoolFinalizer)
	if reconcile.Overtaken(err) {
		return reconcile.Again(), nil
	}
	return ctrl.Result{}, client.IgnoreNotFound(err)
}

// findCluster finds the Cluster, which may be gone.
func (r *Reconciler) findCluster(ctx context.Context, s *scope) error {
	cluster := &v1alpha1.Cluster{}
	key := types.NamespacedName{Namespace: s.pool.Namespace, Name: s.pool.Spec.ClusterRef.Name}
	if err := r.Live.Get(ctx, key, cluster); apierrors.IsNotFound(err) {
		return nil
	} else if err != nil {
		return err
	}
	s.cluster = cluster
	return nil
}

// awaitDeorbit keeps the nodes while they are needed to delete load balancers and volumes: a
// Cluster and its pools may be deleted at the same time.
func (r *Reconciler) awaitDeorbit(_ context.Context, s *scope) error {
	if s.cluster != nil && s.cluster.Deorbits() {
		return reconcile.Wait("ClusterDeorbits", "the nodes stay until the cluster, which is deleted as well, has deleted its load balancers and volumes")
	}
	return nil
}

// findMachines finds all Machines of the pool. Without a Cluster, or with a new one of its
// name, nobody knows where they are, and they are looked for everywhere.
func (r *Reconciler) findMachines(ctx context.Context, s *scope) (err error) {
	if s.machines, err = s.list(ctx, r.Live); err == nil && len(s.machines) == 0 {
		s.machines, err = machinesOf(ctx, r.Live, s.pool)
	}
	return err
}

// deleteMachines deletes all of them, and waits until they are gone.
func (r *Reconciler) deleteMachines(ctx context.Context, s *scope) error {
	if len(s.machines) == 0 {
		return nil
	}
	for i := range s.machines {
		if m := &s.machines[i]; m.DeletionTimestamp == nil {
			if err := r.deleteMachine(ctx, s, m); err != nil {
				return err
			}
		}
	}
	words := fmt.Sprintf("waiting for %d nodes to be emptied and deleted", len(s.machines))
	if len(s.machines) == 1 {
		words = "waiting for 1 node to be emptied and deleted"
	}
	if m := s.first(); said(m) != "" {
		words += "; node " + m.Name + ": " + said(m)
	}
	return reconcile.Wait("DeletingMachines", "%s", words)
}
