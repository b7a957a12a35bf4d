package cluster

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// all are the Operations that there are.
func (w *world) all() []v1alpha1.Operation {
	w.Helper()
	list := &v1alpha1.OperationList{}
	w.must(w.api.List(context.Background(), list))
	return list.Items
}

func (w *world) operation(name string) *v1alpha1.Operation {
	w.Helper()
	op := &v1alpha1.Operation{}
	w.must(w.api.Get(context.Background(), client.ObjectKey{Namespace: shop.Namespace, Name: name}, op))
	return op
}

func TestRule09TheLastFiftyAreKept(t *testing.T) {
	w := newCreated(t)
	for i := range 70 {
		o := op(v1alpha1.OperationResync, fmt.Sprintf("resync-%02d", i))
		o.CreationTimestamp = metav1.NewTime(noon.Add(time.Duration(i) * time.Minute))
		w.must(w.api.Create(context.Background(), o))
		w.writes = 0
		w.settle()
	}
	if n := len(w.all()); n != 50 {
		t.Errorf("%d operations are kept, want 50", n)
	}
	if last := w.operation("resync-69"); last.Status.Phase != v1alpha1.OperationSucceeded {
		t.Errorf("the last one is %s: %s", last.Status.Phase, last.Status.Message)
	}

	// When the cluster is gone, its history stays, and is still limited.
	c := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: shop.Name}}
	w.must(w.api.Delete(context.Background(), c))
	for i := range 60 {
		o := op(v1alpha1.OperationResync, fmt.Sprintf("late-%02d", i))
		w.must(w.api.Create(context.Background(), o))
	}
	w.writes = 0
	w.settle()
	deleted := 0
	for _, o := range w.all() {
		if !o.Status.Phase.Finished() {
			t.Errorf("%s of a cluster that is gone is %q", o.Name, o.Status.Phase)
		}
		if o.Spec.Type == v1alpha1.OperationDelete && o.Status.Phase == v1alpha1.OperationSucceeded {
			deleted++
		}
	}
	if n := len(w.all()); n != 50 || deleted != 1 {
		t.Errorf("%d operations are kept and %d tell of the deletion, want 50 and 1", n, deleted)
	}
}

// Whoever asks in a loop for what is refused does not push out what has been done.
func TestRefusalsDoNotPushOutTheHistory(t *testing.T) {
	for name, running := range map[string]bool{"while one runs": true, "while none does": false} {
		t.Run(name, func(t *testing.T) {
			w := newCreated(t)
			if running {
				w.must(w.api.Create(context.Background(), op(v1alpha1.OperationRestart, "restart")))
				_, _ = w.controller().Reconcile(context.Background(), ctrl.Request{NamespacedName: shop})
			}
			for i := range 60 {
				o := op(v1alpha1.OperationResync, fmt.Sprintf("refused-%02d", i))
				o.Spec.RetryOf = "nothing"
				o.CreationTimestamp = metav1.NewTime(noon.Add(time.Duration(i) * time.Minute))
				w.must(w.api.Create(context.Background(), o))
				_, _ = w.controller().Reconcile(context.Background(), ctrl.Request{NamespacedName: shop})
			}
			w.settle()
			kept := map[v1alpha1.OperationType]int{}
			for _, o := range w.all() {
				kept[o.Spec.Type]++
			}
			want := map[v1alpha1.OperationType]int{v1alpha1.OperationCreate: 1, v1alpha1.OperationResync: 10}
			if running {
				want[v1alpha1.OperationRestart] = 1
			}
			if diff := cmp.Diff(want, kept); diff != "" {
				t.Errorf("kept (-want +got):\n%s", diff)
			}
			if last := w.operation("refused-59"); last.Status.Phase != v1alpha1.OperationFailed {
				t.Errorf("the last one is %q", last.Status.Phase)
			}
		})
	}
}

// What cannot be recorded must not keep anybody from deleting.
func TestDeletionDoesNotNeedARecord(t *testing.T) {
	w := newCreated(t)
	c := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: shop.Name}}
	w.must(w.api.Delete(context.Background(), c))
	quota := apierrors.NewForbidden(schema.GroupResource{Group: "marina.dev", Resource: "operations"}, "", fmt.Errorf("exceeded quota"))
	api := interceptor.NewClient(w.api.(client.WithWatch), interceptor.Funcs{
		Create: func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error { return quota },
	})
	r := &Reconciler{Client: api, Live: api, Now: func() time.Time { return noon }, events: events.NewFakeRecorder(100)}
	for range 10 {
		_, _ = r.Reconcile(context.Background(), ctrl.Request{NamespacedName: shop})
		w.controlPlane()
	}
	if err := w.api.Get(context.Background(), shop, &v1alpha1.Cluster{}); !apierrors.IsNotFound(err) {
		t.Errorf("the cluster is still there (%v)", err)
	}
	if err := w.api.Get(context.Background(), client.ObjectKey{Name: "marina-shop-0d8ec3f1"}, &corev1.Namespace{}); !apierrors.IsNotFound(err) {
		t.Errorf("its namespace is still there (%v)", err)
	}
}

// The name under which something will be recorded can be foreseen; whoever takes it
// holds nothing up.
func TestATakenNameHoldsNothingUp(t *testing.T) {
	w := newWorld(t)
	w.create()
	taken := op(v1alpha1.OperationResync, decide(situation{cluster: w.shop(), now: noon}).Running.Name)
	taken.Spec.TargetRef.Name = "another"
	w.must(w.api.Create(context.Background(), taken))
	w.settle()
	created := 0
	for _, o := range w.all() {
		if o.Spec.Type == v1alpha1.OperationCreate && o.Status.Phase == v1alpha1.OperationSucceeded {
			created++
		}
	}
	if phase := w.shop().Status.Phase; phase != v1alpha1.ClusterActive || created != 1 {
		t.Errorf("the cluster is %s, and %d creations are recorded", phase, created)
	}
}

func (w *world) shop() *v1alpha1.Cluster {
	w.Helper()
	c := &v1alpha1.Cluster{}
	w.must(w.api.Get(context.Background(), shop, c))
	return c
}

// Operations on an earlier cluster of the name, or on one that never was, come to an
// end and are not taken for ones on this cluster.
func TestOperationsOnAnotherClusterOfTheName(t *testing.T) {
	w := newCreated(t)
	earlier := running(op(v1alpha1.OperationDelete, "earlier"), 1)
	earlier.Spec.TargetRef.UID = "of-an-earlier-one"
	foreign := op(v1alpha1.OperationRestart, "foreign")
	foreign.Spec.TargetRef.UID = "of-nobody"
	for _, o := range []*v1alpha1.Operation{earlier, foreign} {
		status := o.Status
		w.must(w.api.Create(context.Background(), o))
		o.Status = status
		w.must(w.api.Status().Update(context.Background(), o))
	}
	w.settle()
	if o := w.operation("earlier"); o.Status.Phase != v1alpha1.OperationSucceeded {
		t.Errorf("the deletion of the earlier one is %s: %s", o.Status.Phase, o.Status.Message)
	}
	if o := w.operation("foreign"); o.Status.Phase != v1alpha1.OperationFailed {
		t.Errorf("the action on nobody is %q: %s", o.Status.Phase, o.Status.Message)
	}
	hcps := &v1alpha1.HostedControlPlaneList{}
	w.must(w.api.List(context.Background(), hcps))
	if len(hcps.Items) != 1 || hcps.Items[0].Spec.Restarts != nil {
		t.Errorf("something was restarted: %v", hcps.Items)
	}
}
