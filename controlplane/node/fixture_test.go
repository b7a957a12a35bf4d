package node

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/apitest"
)

// server is the management API server of all tests, and their tenants' as well.
var server *apitest.Server

func TestMain(m *testing.M) {
	apitest.Main(m, &server, nil, clientgoscheme.AddToScheme, v1alpha1.AddToScheme)
}

// transition is when all nodes became what they are.
var transition = metav1.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// world is a Cluster with a management namespace, in which are Machines. The pods of its
// tenant are in a namespace of that name as well.
type world struct {
	testing.TB
	namespace string
	cluster   *v1alpha1.Cluster
	// now begins as what the API server has, which says when something was deleted.
	now time.Time
	// cut, when set, cuts the reconciler's requests.
	cut *apitest.Cut
	// unconnected: the manager has no connection to the tenant. silent: it does not answer.
	unconnected, silent bool
	// ofPool is the pool of Machines; unless a test makes one, it is not there.
	ofPool v1alpha1.PoolReference
}

var worlds int

func newWorld(t *testing.T) *world {
	t.Helper()
	worlds++
	w := &world{TB: t, namespace: fmt.Sprintf("marina-shop-%d", worlds), now: time.Now().UTC().Truncate(time.Second), ofPool: v1alpha1.PoolReference{Name: "pool", UID: "1"}}
	w.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}})
	w.cluster = &v1alpha1.Cluster{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprintf("shop-%d", worlds), Finalizers: []string{v1alpha1.ClusterFinalizer}},
		Spec:       v1alpha1.ClusterSpec{Version: "1.37.1-1"},
	}
	w.create(w.cluster)
	w.create(&v1alpha1.HostedControlPlane{
		ObjectMeta: w.meta(v1alpha1.NameHostedControlPlane),
		Spec: v1alpha1.HostedControlPlaneSpec{
			ClusterRef: w.clusterRef(), Version: "1.37.1-1", EtcdClusters: []string{"default"},
			Network: v1alpha1.NetworkSpec{PodCIDR: "10.244.0.0/16", ServiceCIDR: "10.96.0.0/16", DNSDomain: "cluster.local"},
		},
	})
	// All tenants have the same nodes.
	t.Cleanup(func() {
		w.check(server.Client.DeleteAllOf(context.Background(), &corev1.Node{}))
		w.check(server.Client.DeleteAllOf(context.Background(), &corev1.Pod{}, client.InNamespace(w.namespace), client.GracePeriodSeconds(0)))
	})
	return w
}

func (w *world) clusterRef() v1alpha1.ClusterReference {
	return v1alpha1.ClusterReference{Namespace: w.cluster.Namespace, Name: w.cluster.Name, UID: w.cluster.UID}
}

func (w *world) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: w.namespace, Name: name, Labels: map[string]string{v1alpha1.LabelShard: v1alpha1.DefaultShard}}
}

func (w *world) check(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) create(obj client.Object) {
	w.Helper()
	w.check(server.Client.Create(w.Context(), obj))
}

func (w *world) delete(obj client.Object, opts ...client.DeleteOption) {
	w.Helper()
	w.check(server.Client.Delete(w.Context(), obj, opts...))
}

// get reads an object anew, and reports whether it is there.
func (w *world) get(obj client.Object) bool {
	w.Helper()
	err := server.Client.Get(w.Context(), client.ObjectKeyFromObject(obj), obj)
	w.check(client.IgnoreNotFound(err))
	return err == nil
}

// newMachine makes a Machine that has a server.
func (w *world) newMachine(name string, change ...func(*v1alpha1.Machine)) {
	w.Helper()
	m := &v1alpha1.Machine{ObjectMeta: w.meta(name)}
	m.Finalizers = []string{v1alpha1.MachineFinalizer, v1alpha1.NodeFinalizer}
	m.Spec = v1alpha1.MachineSpec{
		ClusterRef: w.clusterRef(), PoolRef: w.ofPool,
		Template: v1alpha1.MachineTemplate{Release: "1.37.1-1", Flavor: "b3-8"},
	}
	for _, f := range change {
		f(m)
	}
	w.create(m)
	m.Status.ProjectID, m.Status.ServerID = "project", "server"
	w.check(server.Client.Status().Update(w.Context(), m))
}

// machine is the Machine of that name, or nil.
func (w *world) machine(name string) *v1alpha1.Machine {
	w.Helper()
	m := &v1alpha1.Machine{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}}
	if !w.get(m) {
		return nil
	}
	return m
}

func (w *world) change(name string, change func(*v1alpha1.Machine)) {
	w.Helper()
	m := w.machine(name)
	change(m)
	w.check(server.Client.Update(w.Context(), m))
}

// newNode makes a node that says of itself whether it is ready.
func (w *world) newNode(name string, ready corev1.ConditionStatus, message string) *corev1.Node {
	w.Helper()
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	w.create(node)
	w.setReady(node, ready, message)
	return node
}

func (w *world) setReady(node *corev1.Node, ready corev1.ConditionStatus, message string) {
	w.Helper()
	node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready, Message: message, LastTransitionTime: transition}}
	w.check(server.Client.Status().Update(w.Context(), node))
}

// node is the node of that name, or nil.
func (w *world) node(name string) *corev1.Node {
	w.Helper()
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if !w.get(node) {
		return nil
	}
	return node
}

// newPod makes a pod that runs on a node.
func (w *world) newPod(name, node string, change ...func(*corev1.Pod)) *corev1.Pod {
	w.Helper()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name, Labels: map[string]string{"app": name}}}
	pod.Spec = corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "main", Image: "main"}}}
	pod.Status.Phase = corev1.PodRunning
	for _, f := range change {
		f(pod)
	}
	phase := pod.Status.Phase
	w.create(pod)
	pod.Status.Phase = phase
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	w.check(server.Client.Status().Update(w.Context(), pod))
	return pod
}

// pods are those that are left on a node, with whether they have been told to end.
func (w *world) pods(node string) map[string]bool {
	w.Helper()
	all := &corev1.PodList{}
	w.check(server.Client.List(w.Context(), all, client.InNamespace(w.namespace)))
	ending := map[string]bool{}
	for _, pod := range all.Items {
		if pod.Spec.NodeName == node {
			ending[pod.Name] = pod.DeletionTimestamp != nil
		}
	}
	return ending
}

// endPods does what a kubelet does with pods that have been told to end.
func (w *world) endPods(node string) {
	w.Helper()
	for name, ending := range w.pods(node) {
		if ending {
			w.delete(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}}, client.GracePeriodSeconds(0))
		}
	}
}

// guardPod makes a PodDisruptionBudget that lets a pod not be evicted. The controller of such
// has seen it, or not yet.
func (w *world) guardPod(name string, seen bool) {
	w.Helper()
	pdb := &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}}
	pdb.Spec.MinAvailable = new(intstr.FromInt32(1))
	pdb.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}}
	w.create(pdb)
	if seen {
		pdb.Status = policyv1.PodDisruptionBudgetStatus{ObservedGeneration: pdb.Generation, DesiredHealthy: 1, CurrentHealthy: 1, ExpectedPods: 1}
		w.check(server.Client.Status().Update(w.Context(), pdb))
	}
}

// pass is one pass of a manager that has just started.
func (w *world) pass() (ctrl.Result, error) {
	w.Helper()
	management, tenant := server.Clients(w, w.cut, w.silence)
	r := &Reconciler{
		Client: management, Live: management, Now: func() time.Time { return w.now },
		Tenant: func(namespace string) (kubernetes.Interface, bool) {
			return tenant, namespace == w.namespace && !w.unconnected
		},
	}
	return r.Reconcile(w.Context(), ctrl.Request{NamespacedName: client.ObjectKey{Namespace: w.namespace, Name: v1alpha1.NameHostedControlPlane}})
}

// silence keeps a tenant that is silent from answering.
func (w *world) silence(next http.RoundTripper) http.RoundTripper {
	if w.silent {
		return mute{}
	}
	return next
}

type mute struct{}

func (mute) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("silent") }

// mustPass is a pass, after which it looks again at the time that is returned.
func (w *world) mustPass() time.Duration {
	w.Helper()
	result, err := w.pass()
	w.check(err)
	return result.RequeueAfter
}

// requests are those of a pass.
func (w *world) requests() []string {
	w.Helper()
	w.cut = &apitest.Cut{}
	w.mustPass()
	asked := w.cut.Asked
	w.cut = nil
	return asked
}
