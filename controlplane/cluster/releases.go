package cluster

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	ctrlreconcile "sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
	"github.com/marina-dev/marina/pkg/release"
)

// OfferedReleases is the ConfigMap in v1alpha1.SystemNamespace that the admission
// policy of the same name reads: its keys are the releases that exist.
const OfferedReleases = "offered-releases"

// ReleaseReconciler publishes the names of all KubernetesReleases, since an
// admission policy cannot list objects.
type ReleaseReconciler struct {
	Client client.Client
}

// Reconcile writes the ConfigMap if it differs from the releases that exist.
func (r *ReleaseReconciler) Reconcile(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
	list := &v1alpha1.KubernetesReleaseList{}
	if err := r.Client.List(ctx, list); err != nil {
		return ctrl.Result{}, err
	}
	want := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: v1alpha1.SystemNamespace, Name: OfferedReleases,
			Labels: map[string]string{v1alpha1.LabelShard: v1alpha1.DefaultShard},
		},
		Data: offered(list.Items),
	}
	live := &corev1.ConfigMap{}
	err := r.Client.Get(ctx, client.ObjectKeyFromObject(want), live)
	switch {
	case err != nil && !apierrors.IsNotFound(err):
		return ctrl.Result{}, err
	case err != nil:
		return ctrl.Result{}, reconcile.Apply(ctx, r.Client, want)
	case reconcile.Same(want, live, want.Data, live.Data):
		return ctrl.Result{}, nil
	}
	// Not by server-side apply, which leaves keys alone that somebody else has added:
	// a version would be offered that does not exist.
	update := live.DeepCopy()
	update.Data = want.Data
	metav1.SetMetaDataLabel(&update.ObjectMeta, v1alpha1.LabelShard, v1alpha1.DefaultShard)
	return ctrl.Result{}, r.Client.Update(ctx, update, client.FieldOwner(v1alpha1.FieldOwner))
}

// offered are the releases by name, each with the Kubernetes version that it is of.
func offered(releases []v1alpha1.KubernetesRelease) map[string]string {
	data := map[string]string{}
	for _, r := range releases {
		if v, err := release.Parse(r.Name); err == nil && r.DeletionTimestamp == nil {
			data[r.Name] = v.Kubernetes()
		}
	}
	return data
}

// SetupWithManager starts the controller. Whatever changes, there is one thing to
// reconcile.
func (r *ReleaseReconciler) SetupWithManager(mgr ctrl.Manager) error {
	one := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []ctrlreconcile.Request {
		return []ctrlreconcile.Request{{NamespacedName: types.NamespacedName{Namespace: v1alpha1.SystemNamespace, Name: OfferedReleases}}}
	})
	return ctrl.NewControllerManagedBy(mgr).
		Named("kubernetesrelease").
		Watches(&v1alpha1.KubernetesRelease{}, one).
		Watches(&corev1.ConfigMap{}, handler.EnqueueRequestsFromMapFunc(func(_ context.Context, o client.Object) []ctrlreconcile.Request {
			if o.GetNamespace() != v1alpha1.SystemNamespace || o.GetName() != OfferedReleases {
				return nil
			}
			return []ctrlreconcile.Request{{NamespacedName: client.ObjectKeyFromObject(o)}}
		})).
		Complete(r)
}
