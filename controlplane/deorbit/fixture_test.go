package deorbit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/apitest"
)

// server is the tenant of all tests. No controllers run in it.
var server *apitest.Server

func TestMain(m *testing.M) {
	apitest.Main(m, &server, nil, clientgoscheme.AddToScheme)
}

// world is a namespace of a tenant, in which a test plays the part of all controllers.
type world struct {
	testing.TB
	namespace string
	// cut has the requests of the last pass.
	cut apitest.Cut
	// refuse is the end of a path that the tenant lets nobody delete.
	refuse string
}

var worlds int

func newWorld(t testing.TB) *world {
	t.Helper()
	worlds++
	w := &world{TB: t, namespace: fmt.Sprintf("shop-%d", worlds)}
	w.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}})
	t.Cleanup(w.clear)
	return w
}

// clear leaves nothing for the next test, and awaits that things can be made again.
func (w *world) clear() {
	ctx := context.Background()
	tenant, err := kubernetes.NewForConfig(server.Config)
	w.check(err)
	now := metav1.DeleteOptions{GracePeriodSeconds: new(int64)}
	w.check(tenant.CoreV1().Pods(w.namespace).DeleteCollection(ctx, now, metav1.ListOptions{}))
	for _, list := range []client.ObjectList{&corev1.ServiceList{}, &corev1.PersistentVolumeClaimList{}, &corev1.PersistentVolumeList{}} {
		w.check(server.Client.List(ctx, list))
		w.check(eachOf(list, func(obj client.Object) error {
			if obj.GetNamespace() == "default" {
				return nil // the API server's own
			}
			return w.remove(obj)
		}))
	}
	w.check(client.IgnoreNotFound(tenant.AdmissionregistrationV1().ValidatingAdmissionPolicyBindings().Delete(ctx, "cluster-deletion.marina.dev", now)))
	w.check(client.IgnoreNotFound(tenant.AdmissionregistrationV1().ValidatingAdmissionPolicies().Delete(ctx, "cluster-deletion.marina.dev", now)))
	w.await("the end of the policy", func() bool { return w.mayMake() == nil })
}

func eachOf(list client.ObjectList, do func(client.Object) error) error {
	var errs []error
	switch l := list.(type) {
	case *corev1.ServiceList:
		each(l.Items, func(o *corev1.Service) { errs = append(errs, do(o)) })
	case *corev1.PersistentVolumeClaimList:
		each(l.Items, func(o *corev1.PersistentVolumeClaim) { errs = append(errs, do(o)) })
	case *corev1.PersistentVolumeList:
		each(l.Items, func(o *corev1.PersistentVolume) { errs = append(errs, do(o)) })
	}
	return errors.Join(errs...)
}

// remove deletes an object, and does what its controllers do to let it go.
func (w *world) remove(obj client.Object) error {
	ctx := context.Background()
	if err := server.Client.Delete(ctx, obj); err != nil {
		return client.IgnoreNotFound(err)
	}
	return w.release(obj)
}

// release lets go what has been told to go.
func (w *world) release(obj client.Object) error {
	patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`))
	return client.IgnoreNotFound(server.Client.Patch(context.Background(), obj, patch))
}

// mayMake is why a claim cannot be made.
func (w *world) mayMake() error {
	return server.Client.Create(context.Background(), w.claim("probe", ""), client.DryRunAll)
}

func (w *world) await(what string, is func() bool) {
	w.Helper()
	err := wait.PollUntilContextTimeout(context.Background(), 50*time.Millisecond, 30*time.Second, true, func(context.Context) (bool, error) { return is(), nil })
	if err != nil {
		w.Fatalf("%s: %v", what, err)
	}
}

func (w *world) check(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) create(obj client.Object) {
	w.Helper()
	w.await("the end of another test's policy, which may have come into force late", func() bool {
		err := server.Client.Create(w.Context(), obj)
		if forbidden(err) {
			return false
		}
		w.check(err)
		return true
	})
}

// forbidden reports whether something cannot be made as the cluster is being deleted.
func forbidden(err error) bool {
	return err != nil && strings.Contains(err.Error(), "the cluster is being deleted")
}

// is reports whether an object is there, and whether it has been told to go.
func (w *world) is(obj client.Object) (there, going bool) {
	w.Helper()
	err := server.Client.Get(w.Context(), client.ObjectKeyFromObject(obj), obj)
	w.check(client.IgnoreNotFound(err))
	return !apierrors.IsNotFound(err), err == nil && obj.GetDeletionTimestamp() != nil
}

// service makes one, which its controller has seen if it is a load balancer.
func (w *world) service(name string, kind corev1.ServiceType) *corev1.Service {
	w.Helper()
	s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}}
	s.Spec = corev1.ServiceSpec{Type: kind, Ports: []corev1.ServicePort{{Port: 80}}}
	if kind == corev1.ServiceTypeLoadBalancer {
		s.Finalizers = []string{"service.kubernetes.io/load-balancer-cleanup"}
	}
	w.create(s)
	return s
}

func (w *world) claim(name, volume string) *corev1.PersistentVolumeClaim {
	c := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}}
	c.Spec.AccessModes, c.Spec.VolumeName = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, volume
	c.Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}
	return c
}

// disk makes a claim with a volume that a driver has made for it.
func (w *world) disk(name string, change ...func(*corev1.PersistentVolume)) (*corev1.PersistentVolumeClaim, *corev1.PersistentVolume) {
	w.Helper()
	c := w.claim(name, "pvc-"+name+"-"+w.namespace)
	w.create(c)
	v := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{
		Name: c.Spec.VolumeName, Annotations: map[string]string{"pv.kubernetes.io/provisioned-by": "cinder.csi.openstack.org"},
	}}
	v.Spec = corev1.PersistentVolumeSpec{
		AccessModes: c.Spec.AccessModes, Capacity: c.Spec.Resources.Requests, PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimDelete,
		ClaimRef:               &corev1.ObjectReference{Kind: "PersistentVolumeClaim", Namespace: c.Namespace, Name: c.Name, UID: c.UID},
		PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{Driver: "cinder.csi.openstack.org", VolumeHandle: "id-" + name}},
	}
	for _, f := range change {
		f(v)
	}
	w.create(v)
	return c, v
}

// pod makes one that runs on a node with a claim.
func (w *world) pod(name, claim string, change ...func(*corev1.Pod)) *corev1.Pod {
	w.Helper()
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}}
	p.Spec = corev1.PodSpec{NodeName: "node", Containers: []corev1.Container{{Name: "main", Image: "main"}}}
	p.Spec.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim}}}}
	for _, f := range change {
		f(p)
	}
	w.create(p)
	return p
}

// refusing is a tenant that lets nobody delete what refuse names.
func (w *world) refusing(next http.RoundTripper) http.RoundTripper {
	return apitest.RoundTripper(func(r *http.Request) (*http.Response, error) {
		if r.Method != http.MethodDelete || w.refuse == "" || !strings.HasSuffix(r.URL.Path, w.refuse) {
			return next.RoundTrip(r)
		}
		return &http.Response{
			StatusCode: http.StatusForbidden, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
			Body: io.NopCloser(strings.NewReader(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403,"message":"mine is mine"}`)),
		}, nil
	})
}

// pass is one of a manager that has just started.
func (w *world) pass() (waiting, kept []string, err error) {
	w.Helper()
	w.cut.Asked = nil
	_, tenant := server.Clients(w, &w.cut, w.refusing)
	return In(func(string) (kubernetes.Interface, bool) { return tenant, true })(w.Context(), w.namespace)
}
