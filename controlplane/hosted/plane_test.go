package hosted

import (
	"context"
	"crypto/x509"
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/controlplane/host"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// idleHost is a host on which nothing ever becomes ready.
type idleHost struct{}

func (idleHost) Reserve(context.Context, host.Reservation) (component.Addresses, error) {
	return testScope().addresses[component.NameAPIServer], nil
}

func (idleHost) Apply(context.Context, component.Component) error { return nil }

func (idleHost) Status(context.Context, string, string) (component.Status, error) {
	return component.Status{Replicas: 3}, nil
}

func (idleHost) Delete(context.Context, string, string) (bool, error) { return true, nil }
func (idleHost) Subscribe(func(namespace, name string))               {}

// plane is a control plane on an idleHost, whose place in etcd is never ready: a pass
// over it gets as far as its credentials.
type plane struct {
	testing.TB
	api    client.WithWatch
	events *events.FakeRecorder
	now    time.Time
	// again is when the last pass wanted to look again.
	again time.Duration
}

func newPlane(t testing.TB) *plane {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	hcp := testScope().hcp
	hcp.UID, hcp.Generation = "0d8ec3f1-hcp", 1
	hcp.Finalizers = []string{v1alpha1.HostedControlPlaneFinalizer}
	return &plane{
		TB: t, now: noon, events: events.NewFakeRecorder(100),
		api: fake.NewClientBuilder().WithScheme(scheme).WithObjects(hcp).
			WithStatusSubresource(&v1alpha1.HostedControlPlane{}, &v1alpha1.EtcdTenant{}).Build(),
	}
}

// pass reconciles once, with whatever client.
func (p *plane) pass(api client.Client) error {
	p.Helper()
	r := &Reconciler{Client: api, Live: api, Host: idleHost{}, Now: func() time.Time { return p.now }, tenants: newTenants(logr.Discard()), events: p.events}
	result, err := r.Reconcile(context.Background(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(testScope().hcp)})
	p.again = result.RequeueAfter
	return err
}

func (p *plane) mustPass() {
	p.Helper()
	if err := p.pass(p.api); err != nil {
		p.Fatal(err)
	}
}

// get reads an object of the management namespace.
func (p *plane) get(name string, into client.Object) {
	p.Helper()
	if err := p.api.Get(context.Background(), client.ObjectKey{Namespace: testScope().hcp.Namespace, Name: name}, into); err != nil {
		p.Fatal(err)
	}
}

func (p *plane) hcp() *v1alpha1.HostedControlPlane {
	p.Helper()
	hcp := &v1alpha1.HostedControlPlane{}
	p.get(v1alpha1.NameHostedControlPlane, hcp)
	return hcp
}

func (p *plane) condition() metav1.Condition {
	p.Helper()
	if c := meta.FindStatusCondition(p.hcp().Status.Conditions, v1alpha1.ConditionCertificatesValid); c != nil {
		return *c
	}
	return metav1.Condition{}
}

// ask asks for certificates that are issued from a time on.
func (p *plane) ask(since time.Time) {
	p.Helper()
	hcp := p.hcp()
	hcp.Spec.CertificatesNotBefore = &metav1.Time{Time: since}
	p.update(hcp)
}

func (p *plane) update(object client.Object) {
	p.Helper()
	if err := p.api.Update(context.Background(), object); err != nil {
		p.Fatal(err)
	}
}

func (p *plane) secrets() map[string]*corev1.Secret {
	p.Helper()
	list := &corev1.SecretList{}
	if err := p.api.List(context.Background(), list, client.InNamespace(testScope().hcp.Namespace)); err != nil {
		p.Fatal(err)
	}
	found := map[string]*corev1.Secret{}
	for i := range list.Items {
		found[list.Items[i].Name] = &list.Items[i]
	}
	return found
}

// certificates are those that a CA of the control plane has signed, by Secret.
func (p *plane) certificates() map[string]*x509.Certificate {
	p.Helper()
	found := map[string]*x509.Certificate{}
	for _, name := range leafNames {
		cert := certificateIn(p.secrets()[name].Data)
		if cert == nil {
			p.Fatalf("Secret %s holds no certificate", name)
		}
		found[name] = cert
	}
	return found
}

// leafNames in alphabetical order.
var leafNames = []string{
	"front-proxy-client", "kube-apiserver-kubelet-client", "kube-apiserver-serving",
	"kube-controller-manager-client", "kube-scheduler-client",
}

// replaced are the names of the certificates that are others now.
func (p *plane) replaced(before map[string]*x509.Certificate) (names []string) {
	p.Helper()
	for name, cert := range p.certificates() {
		if !cert.Equal(before[name]) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// told are the Events since it was asked last.
func (p *plane) told() (all []string) {
	for {
		select {
		case event := <-p.events.Events:
			all = append(all, event)
		default:
			slices.Sort(all)
			return all
		}
	}
}
