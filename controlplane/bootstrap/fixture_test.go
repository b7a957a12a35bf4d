package bootstrap

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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

const clusterInfo = `apiVersion: v1
kind: Config
clusters:
- name: ""
  cluster: {server: "https://203.0.113.7:6443", certificate-authority-data: Q0E=}
`

// world is a control plane in a namespace of its own, and a NodeBootstrap.
type world struct {
	testing.TB
	namespace string
	now       time.Time
	// cut, when set, cuts the reconciler's requests.
	cut *apitest.Cut
	// unconnected: the manager has no connection to the tenant yet.
	unconnected bool
}

var worlds int

func newWorld(t *testing.T) *world {
	t.Helper()
	worlds++
	w := &world{TB: t, namespace: fmt.Sprintf("marina-shop-%d", worlds), now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	w.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}})
	hcp := &v1alpha1.HostedControlPlane{
		ObjectMeta: w.meta(v1alpha1.NameHostedControlPlane),
		Spec: v1alpha1.HostedControlPlaneSpec{
			ClusterRef: v1alpha1.ClusterReference{Namespace: "default", Name: "shop", UID: "0d8ec3f1"}, Version: "1.37.1-1",
			Network:      v1alpha1.NetworkSpec{PodCIDR: "10.244.0.0/16", ServiceCIDR: "10.96.0.0/16", DNSDomain: "cluster.local"},
			EtcdClusters: []string{"default"},
		},
	}
	w.create(hcp)
	w.setReady(true)
	for _, c := range []struct{ namespace, name, key, text string }{
		{"kube-public", "cluster-info", "kubeconfig", clusterInfo},
		{"kube-system", "kubelet-config", "kubelet", "kind: KubeletConfiguration\n"},
	} {
		config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: c.namespace, Name: c.name}, Data: map[string]string{c.key: c.text}}
		w.create(config)
		t.Cleanup(func() { w.check(client.IgnoreNotFound(server.Client.Delete(context.Background(), config))) })
	}
	t.Cleanup(func() {
		w.check(server.Client.DeleteAllOf(context.Background(), &corev1.Secret{}, client.InNamespace("kube-system")))
	})
	w.create(&v1alpha1.NodeBootstrap{ObjectMeta: w.meta("shop-a1b2"), Spec: v1alpha1.NodeBootstrapSpec{NodeName: "shop-a1b2"}})
	return w
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

// setReady says whether a node could join now.
func (w *world) setReady(ready bool) {
	w.Helper()
	hcp := &v1alpha1.HostedControlPlane{}
	w.check(server.Client.Get(w.Context(), client.ObjectKey{Namespace: w.namespace, Name: v1alpha1.NameHostedControlPlane}, hcp))
	status := metav1.ConditionFalse
	if ready {
		status = metav1.ConditionTrue
	}
	meta.SetStatusCondition(&hcp.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionReady, Status: status, Reason: "Test"})
	w.check(server.Client.Status().Update(w.Context(), hcp))
}

// pass is one pass of a manager that has just started.
func (w *world) pass() (ctrl.Result, error) {
	w.Helper()
	management, tenant := server.Clients(w, w.cut)
	r := &Reconciler{
		Client: management, Live: management, Random: rand.NewChaCha8([32]byte{byte(worlds)}), Now: func() time.Time { return w.now },
		Tenant: func(namespace string) (kubernetes.Interface, bool) {
			return tenant, namespace == w.namespace && !w.unconnected
		},
	}
	return r.Reconcile(w.Context(), ctrl.Request{NamespacedName: client.ObjectKey{Namespace: w.namespace, Name: "shop-a1b2"}})
}

func (w *world) mustPass() ctrl.Result {
	w.Helper()
	result, err := w.pass()
	w.check(err)
	return result
}

// bootstrap is the NodeBootstrap, or nil when it is gone.
func (w *world) bootstrap() *v1alpha1.NodeBootstrap {
	w.Helper()
	b := &v1alpha1.NodeBootstrap{}
	err := server.Client.Get(w.Context(), client.ObjectKey{Namespace: w.namespace, Name: "shop-a1b2"}, b)
	if client.IgnoreNotFound(err) != nil {
		w.Fatal(err)
	}
	if err != nil {
		return nil
	}
	return b
}

// wantReady checks the condition, and returns its message.
func (w *world) wantReady(status metav1.ConditionStatus, reason string) string {
	w.Helper()
	c := meta.FindStatusCondition(w.bootstrap().Status.Conditions, v1alpha1.ConditionReady)
	if c == nil || c.Status != status || c.Reason != reason {
		w.Fatalf("Ready is %+v, want %s, %s", c, status, reason)
	}
	return c.Message
}

// secret is what the machine is given, or nil.
func (w *world) secret() *corev1.Secret {
	w.Helper()
	secret := &corev1.Secret{}
	err := server.Client.Get(w.Context(), client.ObjectKey{Namespace: w.namespace, Name: "bootstrap-shop-a1b2"}, secret)
	if client.IgnoreNotFound(err) != nil {
		w.Fatal(err)
	}
	if err != nil {
		return nil
	}
	return secret
}

// tokens are those that the tenant knows.
func (w *world) tokens() []corev1.Secret {
	w.Helper()
	all := &corev1.SecretList{}
	w.check(server.Client.List(w.Context(), all, client.InNamespace("kube-system")))
	var tokens []corev1.Secret
	for _, s := range all.Items {
		if strings.HasPrefix(s.Name, "bootstrap-token-") {
			tokens = append(tokens, s)
		}
	}
	return tokens
}
