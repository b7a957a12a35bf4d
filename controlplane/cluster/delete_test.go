package cluster

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/operation"
)

// A Cluster that is deleted right after it was created: the cache has seen the
// deletion, but neither the namespace nor the control plane that an earlier pass
// has made. Taking them for gone would leave them for ever.
func TestDeletionLooksPastTheCache(t *testing.T) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1alpha1.AddToScheme, corev1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	now := metav1.Now()
	cluster := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{
		Namespace: "default", Name: "brief", UID: "0d8ec3f1-7a52-4d9b-9f0c-3b8f2f9a0001",
		Finalizers: []string{v1alpha1.ClusterFinalizer}, DeletionTimestamp: &now,
	}}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: NamespaceName(cluster), UID: "n", Labels: labelsOf(cluster)}}
	hcp := &v1alpha1.HostedControlPlane{ObjectMeta: metav1.ObjectMeta{
		Namespace: namespace.Name, Name: v1alpha1.NameHostedControlPlane, Finalizers: []string{v1alpha1.HostedControlPlaneFinalizer},
	}}
	build := func(objects ...client.Object) client.Client {
		return fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(&v1alpha1.Cluster{}, &v1alpha1.Operation{}).WithIndex(operation.Index()).WithObjects(objects...).Build()
	}
	cached := build(cluster.DeepCopy())
	live := build(namespace, hcp)
	r := &Reconciler{Client: cached, Live: live, Now: time.Now, events: events.NewFakeRecorder(10)}
	request := ctrl.Request{NamespacedName: client.ObjectKeyFromObject(cluster)}

	if _, err := r.Reconcile(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	got := &v1alpha1.Cluster{}
	if err := cached.Get(t.Context(), request.NamespacedName, got); err != nil {
		t.Fatalf("the Cluster is gone while its control plane is there: %v", err)
	}
	if got.Status.Phase != v1alpha1.ClusterDeleting {
		t.Errorf("phase %q, want Deleting", got.Status.Phase)
	}

	// Without its Cluster, whose finalizer was passed over, it is collected as well.
	without := build(namespace.DeepCopy(), hcp.DeepCopy())
	orphaned := &Reconciler{Client: without, Live: without, Now: time.Now, events: events.NewFakeRecorder(10)}
	if _, err := orphaned.Reconcile(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	left := &v1alpha1.HostedControlPlane{}
	if err := without.Get(t.Context(), client.ObjectKeyFromObject(hcp), left); err != nil || left.DeletionTimestamp == nil {
		t.Errorf("the control plane of a Cluster that is no more was not deleted: %v, %v", left.DeletionTimestamp, err)
	}

	// Once they really are gone, so is the Cluster.
	r.Live = build()
	if _, err := r.Reconcile(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	if err := cached.Get(t.Context(), request.NamespacedName, got); !apierrors.IsNotFound(err) {
		t.Errorf("the Cluster is still there: %v", err)
	}
}
