package etcd

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// namedTenants is how many tenants a message names; the others are counted.
const namedTenants = 5

// delete takes an EtcdCluster without tenants down:
//
//  1. members: stop them and remove their data
//  2. certificates: those of cert-manager, which would issue deleted Secrets again
//  3. secrets: first what the CAs signed, then the CAs
//  4. the finalizer
func (r *ClusterReconciler) delete(ctx context.Context, s *clusterScope) (ctrl.Result, error) {
	if !controllerutil.ContainsFinalizer(s.cluster, v1alpha1.EtcdClusterFinalizer) {
		return ctrl.Result{}, nil
	}
	err := reconcile.Run(ctx, s, []reconcile.Step[*clusterScope]{
		{Name: "members", Run: r.stopMembers},
		{Name: "certificates", Run: r.deleteIssuance},
		{Name: "secrets", Run: r.deleteSecrets},
	})
	if err == nil {
		err := reconcile.SetFinalizer(ctx, r.Client, s.cluster, s.before, controllerutil.RemoveFinalizer, v1alpha1.EtcdClusterFinalizer)
		if reconcile.Overtaken(err) {
			return reconcile.Again(), nil
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	reconcile.SetCondition(&s.cluster.Status.Conditions, v1alpha1.ConditionDeleting, s.cluster.Generation, err, "")
	reconcile.SetCondition(&s.cluster.Status.Conditions, v1alpha1.ConditionReady, s.cluster.Generation,
		reconcile.UserError("Deleting", "%s", reconcile.As(err).Message), "")
	if err := reconcile.PatchStatus(ctx, r.Client, s.before, s.cluster); err != nil {
		return ctrl.Result{}, err
	}
	return reconcile.Result(err)
}

// tenantsPlaced tells what a deletion waits for, nil for nothing. Nobody moves
// tenants: they go with their clusters, and each that does wakes the deletion.
func tenantsPlaced(placed []v1alpha1.EtcdTenant) error {
	if len(placed) == 0 {
		return nil
	}
	var names []string
	for _, tenant := range placed {
		names = append(names, tenant.Namespace+"/"+tenant.Name)
	}
	slices.Sort(names)
	more := ""
	if len(names) > namedTenants {
		more = fmt.Sprintf(" and %d more", len(names)-namedTenants)
		names = names[:namedTenants]
	}
	return reconcile.Wait("TenantsPlaced", "tenants are still placed here (%d): %s%s: the deletion goes on when their clusters are deleted",
		len(placed), strings.Join(names, ", "), more)
}

// stopMembers stops the members; the host tells when they are gone.
func (r *ClusterReconciler) stopMembers(ctx context.Context, s *clusterScope) error {
	r.Pool.Remove(s.cluster.Name)
	r.surveyed.Delete(s.cluster.UID)
	if s.cluster.Spec.External != nil {
		return nil
	}
	// With the tenants gone nobody needs the snapshots any more.
	for _, name := range []string{component.EtcdSnapshotName(s.cluster.Name), component.EtcdName(s.cluster.Name)} {
		gone, err := r.Host.Delete(ctx, v1alpha1.SystemNamespace, name)
		if err != nil {
			return err
		}
		if !gone {
			return reconcile.Wait("StoppingMembers", "waiting for the members to stop")
		}
	}
	return nil
}

// deleteIssuance deletes what Marina has made at cert-manager.
func (r *ClusterReconciler) deleteIssuance(ctx context.Context, s *clusterScope) error {
	if s.cluster.Spec.Certificates == nil {
		return nil
	}
	have, err := r.readIssuance(ctx, s.cluster.Name)
	if e := reconcile.As(err); e != nil && e.Reason == reasonCertManagerMissing {
		return nil
	}
	if err != nil {
		return err
	}
	for _, c := range have.certificates {
		if err := r.Client.Delete(ctx, c); client.IgnoreNotFound(err) != nil {
			return err
		}
	}
	for _, i := range have.issuers {
		if err := r.Client.Delete(ctx, i); client.IgnoreNotFound(err) != nil {
			return err
		}
	}
	if have, err = r.readIssuance(ctx, s.cluster.Name); err == nil && len(have.certificates) > 0 {
		err = reconcile.WaitFor(lookAgain, "DeletingCertificates", "waiting for the Certificates of cert-manager to be gone: %s",
			strings.Join(slices.Sorted(maps.Keys(have.certificates)), ", "))
	}
	return err
}

// deleteSecrets deletes the CAs last: without them the others look like those of a
// cluster that has lost its CA.
func (r *ClusterReconciler) deleteSecrets(ctx context.Context, s *clusterScope) error {
	if s.cluster.Spec.External != nil {
		// Those that it names are somebody else's.
		return nil
	}
	var leaves, cas []string
	for _, a := range authorities(s.cluster.Name, component.Addresses{}) {
		cas = append(cas, a.what)
		for name := range a.leaves {
			leaves = append(leaves, name)
		}
	}
	all := append(leaves, cas...)
	if s.cluster.Spec.Certificates != nil {
		for _, what := range slices.Clone(all) {
			all = append(all, what+issuedSuffix)
		}
	}
	for _, what := range all {
		key := secretKey(s.cluster.Name, what)
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}
		if err := r.Client.Delete(ctx, secret); client.IgnoreNotFound(err) != nil {
			return err
		}
	}
	return nil
}
