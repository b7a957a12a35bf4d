package etcd

import (
	"context"

	certmanager "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

const (
	// IndexPlacement finds EtcdTenants by the EtcdCluster that they are placed on,
	// and under notPlaced those that wait for one.
	IndexPlacement = "status.etcdCluster"
	// IndexTenantUID finds EtcdTenants by their tenant.
	IndexTenantUID = "spec.tenantUID"

	// notPlaced cannot be the name of an EtcdCluster.
	notPlaced = "-"
)

// Indexes are the field indexes of EtcdTenant that the reconcilers need, by name.
func Indexes() map[string]client.IndexerFunc {
	return map[string]client.IndexerFunc{
		IndexPlacement: func(obj client.Object) []string {
			if cluster := obj.(*v1alpha1.EtcdTenant).Status.EtcdCluster; cluster != "" {
				return []string{cluster}
			}
			return []string{notPlaced}
		},
		IndexTenantUID: func(obj client.Object) []string {
			return []string{obj.(*v1alpha1.EtcdTenant).Spec.TenantUID}
		},
	}
}

// AddIndexes makes the indexes known to a manager. It is called once, before the
// reconcilers' SetupWithManager.
func AddIndexes(ctx context.Context, mgr ctrl.Manager) error {
	for name, index := range Indexes() {
		if err := mgr.GetFieldIndexer().IndexField(ctx, &v1alpha1.EtcdTenant{}, name, index); err != nil {
			return err
		}
	}
	return nil
}

// SetupWithManager starts the controller. It is woken by specs, by tenants that
// come and go, by Secrets that somebody changed or cert-manager has issued, and by the
// host.
//
// Its own writes of status wake it too. A pass that comes right after another may
// still find the older status in the cache, take it for what is, and leave the newer
// one although it is wrong by then: nothing else would come back to it.
func (r *ClusterReconciler) SetupWithManager(mgr ctrl.Manager) error {
	r.events = mgr.GetEventRecorder("marina")
	return ctrl.NewControllerManagedBy(mgr).
		Named("etcdcluster").
		For(&v1alpha1.EtcdCluster{}).
		Watches(&v1alpha1.EtcdTenant{}, handler.EnqueueRequestsFromMapFunc(clusterOfTenant), builder.WithPredicates(placementChanged())).
		Watches(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(clusterOfSecret), builder.WithPredicates(predicate.Or(notCreated(), issuedByCertManager()))).
		WatchesRawSource(r.hostEvents()).
		WithOptions(controller.Options{MaxConcurrentReconciles: 2}).
		Complete(r)
}

// SetupWithManager starts the controller. It is woken by specs, by its Secrets, and
// by EtcdClusters that become ready, cease to be, or get room. Its own writes wake it
// too, as above.
func (r *TenantReconciler) SetupWithManager(mgr ctrl.Manager) error {
	r.events = mgr.GetEventRecorder("marina")
	return ctrl.NewControllerManagedBy(mgr).
		Named("etcdtenant").
		For(&v1alpha1.EtcdTenant{}).
		Owns(&corev1.Secret{}, builder.WithPredicates(notCreated())).
		Watches(&v1alpha1.EtcdCluster{}, handler.EnqueueRequestsFromMapFunc(r.waitingTenants), builder.WithPredicates(concernsTenants())).
		WithOptions(controller.Options{MaxConcurrentReconciles: 8}).
		Complete(r)
}

// hostEvents wakes an EtcdCluster when the host says that its members changed.
func (r *ClusterReconciler) hostEvents() source.Source {
	return source.Func(func(_ context.Context, queue workqueue.TypedRateLimitingInterface[ctrl.Request]) error {
		r.Host.Subscribe(func(namespace, name string) {
			if cluster, ok := clusterOf(namespace, name); ok {
				queue.Add(ctrl.Request{NamespacedName: types.NamespacedName{Name: cluster}})
			}
		})
		return nil
	})
}

func clusterOfTenant(_ context.Context, obj client.Object) []ctrl.Request {
	return clusterRequest(obj.(*v1alpha1.EtcdTenant).Status.EtcdCluster)
}

func clusterOfSecret(_ context.Context, obj client.Object) []ctrl.Request {
	return clusterRequest(obj.GetLabels()[LabelEtcdCluster])
}

func clusterRequest(name string) []ctrl.Request {
	if name == "" {
		return nil
	}
	return []ctrl.Request{{NamespacedName: types.NamespacedName{Name: name}}}
}

// waitingTenants are the tenants that a change of an EtcdCluster concerns: those
// placed there that are not what they should be, and those without a place.
func (r *TenantReconciler) waitingTenants(ctx context.Context, obj client.Object) []ctrl.Request {
	cluster := obj.(*v1alpha1.EtcdCluster)
	var requests []ctrl.Request
	for _, placed := range []string{cluster.Name, notPlaced} {
		tenants, err := placedOn(ctx, r.Client, placed)
		if err != nil {
			// Reading the cache fails only when it stops.
			ctrl.LoggerFrom(ctx).Error(err, "listing EtcdTenants")
			continue
		}
		for i := range tenants {
			if waitsFor(&tenants[i], cluster) {
				requests = append(requests, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(&tenants[i])})
			}
		}
	}
	return requests
}

// waitsFor reports whether a pass over the tenant would do something now.
func waitsFor(tenant *v1alpha1.EtcdTenant, cluster *v1alpha1.EtcdCluster) bool {
	if tenant.Status.EtcdCluster == "" {
		for _, name := range tenant.Spec.EtcdClusters {
			if name == cluster.Name {
				return true
			}
		}
		return false
	}
	return tenant.DeletionTimestamp != nil ||
		!reconcile.IsTrue(tenant.Status.Conditions, v1alpha1.ConditionReady) ||
		!reconcile.IsTrue(cluster.Status.Conditions, v1alpha1.ConditionReady) ||
		!equality.Semantic.DeepEqual(tenant.Status.Endpoints, cluster.Status.Endpoints)
}

// concernsTenants passes on the changes of an EtcdCluster that a tenant may wait
// for, and not each change of its counters.
func concernsTenants() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		was, is := e.ObjectOld.(*v1alpha1.EtcdCluster), e.ObjectNew.(*v1alpha1.EtcdCluster)
		return reconcile.IsTrue(was.Status.Conditions, v1alpha1.ConditionReady) != reconcile.IsTrue(is.Status.Conditions, v1alpha1.ConditionReady) ||
			takesTenants(was) != takesTenants(is) ||
			was.Generation != is.Generation ||
			is.Status.Tenants < was.Status.Tenants ||
			!equality.Semantic.DeepEqual(was.Status.Endpoints, is.Status.Endpoints)
	}}
}

// placementChanged passes on tenants that come, go, or are placed.
func placementChanged() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return e.ObjectOld.(*v1alpha1.EtcdTenant).Status.EtcdCluster != e.ObjectNew.(*v1alpha1.EtcdTenant).Status.EtcdCluster
	}}
}

// notCreated passes on changes and deletions: what was created, a reconciler has
// just created itself.
func notCreated() predicate.Predicate {
	return predicate.Funcs{CreateFunc: func(event.CreateEvent) bool { return false }}
}

// issuedByCertManager passes on what cert-manager writes, also when it is new.
func issuedByCertManager() predicate.Predicate {
	return predicate.NewPredicateFuncs(func(obj client.Object) bool {
		return obj.GetAnnotations()[certmanager.CertificateNameKey] != ""
	})
}
