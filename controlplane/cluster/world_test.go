package cluster

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/apitest"
	"github.com/marina-dev/marina/pkg/operation"
)

// errCrash is what a write comes to at which Marina is killed.
var errCrash = errors.New("killed")

// world is an API server with one project in it, in which writes can be made to fail.
type world struct {
	testing.TB
	api client.Client
	// writes counts those of the controller. The one numbered crashAt fails: before it
	// is done or, with lost, after it.
	writes, crashAt int
	lost            bool
	now             time.Time
	events          *events.FakeRecorder
	// due is when certificates fell due and were renewed.
	due *metav1.Time
	// cloud is what a cloud has to say to the network of a Cluster.
	cloud metav1.Condition
	// pool is what a NodePool has to say of itself; Active if it is empty.
	pool v1alpha1.NodePoolStatus
	// unready makes every component lack a replica that is ready.
	unready bool
	// found is what an upgrade finds in the tenant.
	found found
	// tenant is what a tenant answers that is asked for its load balancers and volumes.
	tenant tenant

	// behind makes reads as late as those of a cache: the first one after a write finds
	// what the one before it did.
	behind                 bool
	done                   int // writes that were done
	operations             *v1alpha1.OperationList
	cluster                *v1alpha1.Cluster
	listedAfter, readAfter int
}

// list lists Operations, late if the world is behind.
func (w *world) list(list *v1alpha1.OperationList, read func() error) error {
	before, late := w.operations, w.behind && w.listedAfter != w.done
	err := read()
	w.operations, w.listedAfter = list.DeepCopy(), w.done
	if late && before != nil {
		before.DeepCopyInto(list)
	}
	return err
}

// get reads the Cluster, late if the world is behind.
func (w *world) get(c *v1alpha1.Cluster, read func() error) error {
	before, late := w.cluster, w.behind && w.readAfter != w.done
	err := read()
	w.cluster, w.readAfter = nil, w.done
	if err == nil {
		w.cluster = c.DeepCopy()
	}
	if late && before != nil {
		before.DeepCopyInto(c)
		return nil
	}
	return err
}

func newWorld(t testing.TB) *world {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1alpha1.AddToScheme, corev1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	w := &world{TB: t, now: noon, events: events.NewFakeRecorder(1000)}
	w.api = fake.NewClientBuilder().WithScheme(scheme).
		WithStatusSubresource(&v1alpha1.Cluster{}, &v1alpha1.Operation{}, &v1alpha1.HostedControlPlane{}, &v1alpha1.ClusterNetwork{}, &v1alpha1.Infrastructure{}, &v1alpha1.NodePool{}).
		WithIndex(operation.Index()).
		WithObjects(
			&v1alpha1.KubernetesRelease{ObjectMeta: metav1.ObjectMeta{Name: oldVersion}},
			&v1alpha1.KubernetesRelease{ObjectMeta: metav1.ObjectMeta{Name: newVersion}},
			&v1alpha1.HostingClass{ObjectMeta: metav1.ObjectMeta{Name: "default"}},
			etcdOf(3, 3), placeInEtcd(),
		).Build()
	return w
}

// newCreated is a world with a Cluster that has been created.
func newCreated(t testing.TB) *world {
	t.Helper()
	w := newWorld(t)
	w.create()
	w.settle()
	return w
}

// write does one write of the controller, or fails at it.
func (w *world) write(_ string, do func() error) error {
	w.writes++
	killed := w.writes == w.crashAt
	if killed && !w.lost {
		return errCrash
	}
	if err := do(); err != nil {
		return err
	}
	w.done++
	if killed {
		return errCrash
	}
	return nil
}

// controller is a Marina that has just started.
func (w *world) controller() *Reconciler {
	api := apitest.AroundWrites(w.api.(client.WithWatch), w.write)
	live := api
	api = interceptor.NewClient(api, interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			read := func() error { return c.List(ctx, list, opts...) }
			if operations, ok := list.(*v1alpha1.OperationList); ok {
				return w.list(operations, read)
			}
			return read()
		},
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
			read := func() error { return c.Get(ctx, key, obj, opts...) }
			if cluster, ok := obj.(*v1alpha1.Cluster); ok {
				return w.get(cluster, read)
			}
			return read()
		},
	})
	return &Reconciler{Client: api, Live: live, Now: func() time.Time { return w.now }, Deorbit: w.tenant.ask, Inspect: w.found.look, events: w.events}
}

var shop = client.ObjectKey{Namespace: "project", Name: "shop"}

// settle lets controller and control plane work until nothing is written any more. A
// pass that is killed is followed by a new Marina.
func (w *world) settle() {
	w.Helper()
	r := w.controller()
	for quiet := 0; quiet < 3; {
		before := w.writes
		w.now = w.now.Add(time.Second)
		if _, err := r.Reconcile(context.Background(), ctrl.Request{NamespacedName: shop}); errors.Is(err, errCrash) {
			r = w.controller()
		} else if err != nil && (!w.behind || !apierrors.IsConflict(err)) {
			w.Fatal(err)
		}
		if quiet++; w.writes != before || w.controlPlane() || w.nodeNetwork() || w.nodePools() {
			quiet = 0
		}
		if w.writes > 500 {
			w.Fatal("it never comes to rest")
		}
	}
}

// controlPlane plays the part of the controller of HostedControlPlanes, which does at
// once what it is asked; it reports whether there was anything to do.
func (w *world) controlPlane() (busy bool) {
	w.Helper()
	list := &v1alpha1.HostedControlPlaneList{}
	if err := w.api.List(context.Background(), list); err != nil {
		w.Fatal(err)
	}
	for i := range list.Items {
		hcp := &list.Items[i]
		if hcp.DeletionTimestamp != nil {
			hcp.Finalizers = nil
			w.must(w.api.Update(context.Background(), hcp))
			busy = true
			continue
		}
		before := hcp.DeepCopy()
		if paused := hcp.Spec.Paused && hcp.Status.Version != ""; !paused {
			hcp.Status.Version = hcp.Spec.Version
		}
		hcp.Status.ObservedGeneration = hcp.Generation
		hcp.Status.Resynced = hcp.Spec.Resync
		hcp.Status.Certificates = &v1alpha1.CertificatesStatus{NotBefore: hcp.Spec.CertificatesNotBefore, RenewedAt: hcp.Spec.CertificatesNotBefore}
		if w.due != nil {
			hcp.Status.Certificates.RenewedAt, hcp.Status.Certificates.Renewed = w.due, "serving: ExpiresSoon"
		}
		hcp.Status.Components = threeTimes(hcp.Status.Version, "", 3)
		for i := range hcp.Status.Components {
			if w.unready {
				hcp.Status.Components[i].Ready = 2
			}
			hcp.Status.Components[i].Restart = hcp.Spec.Restarts[hcp.Status.Components[i].Name]
		}
		hcp.Status.Conditions = nil
		for _, t := range append([]string{v1alpha1.ConditionReady, v1alpha1.ConditionSpecAccepted}, mirrored...) {
			hcp.Status.Conditions = append(hcp.Status.Conditions, metav1.Condition{
				Type: t, Status: metav1.ConditionTrue, Reason: "AsExpected", ObservedGeneration: hcp.Generation, LastTransitionTime: metav1.NewTime(noon)})
		}
		if !cmp.Equal(before.Status, hcp.Status) {
			w.must(w.api.Status().Update(context.Background(), hcp))
			busy = true
		}
	}
	return busy
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// change changes the Cluster as a user does; its generation grows, as an API server
// sees to.
func (w *world) change(f func(*v1alpha1.Cluster)) {
	w.Helper()
	c := &v1alpha1.Cluster{}
	w.must(w.api.Get(context.Background(), shop, c))
	f(c)
	c.Generation++
	w.must(w.api.Update(context.Background(), c))
}

func (w *world) create() {
	w.Helper()
	c := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: shop.Name, UID: "0d8ec3f1-7a52", Generation: 1}}
	c.Spec.Version, c.Spec.HostingClassRef.Name = oldVersion, "default"
	w.must(w.api.Create(context.Background(), c))
}

func (w *world) ask(kind v1alpha1.OperationType) {
	w.Helper()
	o := op(kind, "asked")
	o.Generation = 1
	w.must(w.api.Create(context.Background(), o))
}

// history is what there is of Operations: "Create Succeeded".
func (w *world) history() (found []string) {
	w.Helper()
	list := &v1alpha1.OperationList{}
	w.must(w.api.List(context.Background(), list))
	all := map[string]int{}
	for i := range list.Items {
		o := &list.Items[i]
		all[fmt.Sprintf("%s %s %s", o.Spec.Type, o.Status.Phase, o.Status.Progress)]++
		if o.Status.FinishedAt == nil || o.Status.StartedAt == nil || o.Status.FinishedAt.Before(o.Status.StartedAt) {
			w.Errorf("operation %s has the times %v and %v", o.Name, o.Status.StartedAt, o.Status.FinishedAt)
		}
	}
	for _, what := range []string{"Create Succeeded 4/4", "Create Succeeded 5/5", "Update Succeeded 2/2", "Upgrade Succeeded 7/7", "Restart Succeeded 3/3", "Resync Succeeded 1/1", "RotateCertificates Succeeded 2/2", "RenewCertificates Succeeded ", "Delete Succeeded 2/2", "Delete Succeeded 5/5"} {
		if all[what] > 0 {
			found = append(found, fmt.Sprintf("%d %s", all[what], what))
			delete(all, what)
		}
	}
	for what, n := range all {
		found = append(found, fmt.Sprintf("%d %s", n, what))
	}
	return found
}
