package etcd

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// passTimeout is for all requests to etcd of one pass: a tenant whose etcd does not
// answer must not hold up those of other EtcdClusters.
const passTimeout = 5 * time.Second

// TenantReconciler reconciles EtcdTenants.
type TenantReconciler struct {
	Client client.Client
	// Pool is shared with the ClusterReconciler.
	Pool *Pool
	// Now is the clock; nil means time.Now.
	Now func() time.Time

	placements placements
	events     events.EventRecorder
}

func (r *TenantReconciler) now() time.Time {
	if r.Now == nil {
		return time.Now()
	}
	return r.Now()
}

// tenantScope is one pass over one EtcdTenant. Each field is set by the step that
// its comment names; later steps may rely on it.
type tenantScope struct {
	tenant *v1alpha1.EtcdTenant
	before *v1alpha1.EtcdTenant // as it was read, or last written

	cluster *v1alpha1.EtcdCluster // connect
	admin   *Admin                // connect
	ca      *corev1.Secret        // connect: the CA that signs clients
	root    *corev1.Secret        // connect: what the administrator presents, and whom it trusts
	renewAt time.Time             // certificate: when it falls due
}

// Reconcile gives one EtcdTenant its place:
//
//  1. finalizer
//  2. place: choose an EtcdCluster, and write down which before anything is made
//     there
//  3. connect: the administrator's client of that EtcdCluster
//  4. access: user, role and permission
//  5. certificate: into the Secret beside the object
//
// A deleted one goes the other way, see delete.
func (r *TenantReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	tenant := &v1alpha1.EtcdTenant{}
	if err := r.Client.Get(ctx, req.NamespacedName, tenant); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	s := &tenantScope{tenant: tenant, before: tenant.DeepCopy()}
	if tenant.DeletionTimestamp != nil {
		return r.delete(ctx, s)
	}

	err := reconcile.Run(ctx, s, []reconcile.Step[*tenantScope]{
		{Name: "finalizer", Run: r.ensureFinalizer},
		{Name: "place", Run: r.place},
		{Name: "connect", Run: r.connect},
		{Name: "access", Run: r.ensureAccess},
		{Name: "certificate", Run: r.ensureCertificate},
	})
	if reconcile.Overtaken(err) {
		return reconcile.Again(), nil
	}
	if err == nil {
		tenant.Status.Endpoints = s.cluster.Status.Endpoints
		tenant.Status.ObservedGeneration = tenant.Generation
	}
	reconcile.SetCondition(&tenant.Status.Conditions, v1alpha1.ConditionReady, tenant.Generation, err,
		"placed on EtcdCluster "+tenant.Status.EtcdCluster)
	if err := reconcile.PatchStatus(ctx, r.Client, s.before, tenant); err != nil {
		return ctrl.Result{}, err
	}
	result, err := reconcile.Result(err)
	return renewing(result, s.renewAt, r.now()), err
}
