package kubernetes

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// give plays the load balancer.
func (w *world) give(service string, ingress ...corev1.LoadBalancerIngress) {
	w.Helper()
	s := &corev1.Service{}
	w.get(s, service)
	before := s.DeepCopy()
	s.Status.LoadBalancer.Ingress = ingress
	if err := w.api.Status().Patch(w.Context(), s, client.MergeFrom(before)); err != nil {
		w.Fatal(err)
	}
}

// exposed waits until the API server is exposed as a condition says.
func (r *running) exposed(c component.Component, what string, is func(component.HostPort) bool) component.HostPort {
	r.Helper()
	var at component.HostPort
	r.await(what, func() error {
		a, err := r.reserve(c)
		if at = a.Exposed[component.PortHTTPS]; err == nil && !is(at) {
			err = fmt.Errorf("it is %s", at)
		}
		return err
	})
	return at
}

func TestExposureCanBeChanged(t *testing.T) {
	w := newWorld(t)
	r := w.run()
	c := w.stateless(v1alpha1.ExposureSpec{Type: v1alpha1.ExposureNodePort, Address: "nodes.example.com", Annotations: map[string]string{"example.com/a": "b"}})
	service := func() *corev1.Service {
		s := &corev1.Service{}
		w.get(s, component.NameAPIServer)
		return s
	}
	r.settle(c)
	at := r.exposed(c, "it has a port of the nodes", func(at component.HostPort) bool { return at.Port >= 30000 })
	if at.Host != "nodes.example.com" || service().Annotations["example.com/a"] != "b" {
		t.Errorf("exposed at %s, annotations %v: want the given name and annotation", at, service().Annotations)
	}
	a, err := r.reserve(c)
	if want := (component.HostPort{Host: "kube-apiserver." + w.namespace + ".svc", Port: 6443}); err != nil || a.Internal[component.PortHTTPS] != want {
		t.Errorf("internal address %s, %v: want %s", a.Internal[component.PortHTTPS], err, want)
	}

	c.Hosting.Exposure = v1alpha1.ExposureSpec{Type: v1alpha1.ExposureLoadBalancer, SourceRanges: []string{"192.0.2.0/24", "198.51.100.0/24"}}
	r.unwritten(c)
	if _, err := r.reserve(c); reconcile.As(err) == nil || reconcile.As(err).Reason != "WaitingForLoadBalancer" || reconcile.As(err).Kind != reconcile.KindWait {
		t.Errorf("Reserve: %v, want it to wait for the load balancer", err)
	}
	s := service()
	if diff := cmp.Diff([]string{"192.0.2.0/24", "198.51.100.0/24"}, s.Spec.LoadBalancerSourceRanges); diff != "" || s.Annotations["example.com/a"] != "" {
		t.Errorf("annotations %v, source ranges (-want +got):\n%s", s.Annotations, diff)
	}
	w.give(s.Name, corev1.LoadBalancerIngress{Hostname: "lb.example.com"})
	r.exposed(c, "it has the load balancer's name", func(at component.HostPort) bool {
		return at == component.HostPort{Host: "lb.example.com", Port: 6443}
	})
	w.give(s.Name, corev1.LoadBalancerIngress{IP: "203.0.113.7", Hostname: "lb.example.com"})
	r.exposed(c, "it has the load balancer's address", func(at component.HostPort) bool {
		return at == component.HostPort{Host: "203.0.113.7", Port: 6443}
	})

	c.Hosting.Exposure.SourceRanges = nil
	r.settle(c)
	if got := service().Spec.LoadBalancerSourceRanges; len(got) > 0 {
		t.Errorf("source ranges %q, want them cleared", got)
	}

	c.Hosting.Exposure = clusterIP
	r.settle(c)
	s = service()
	r.exposed(c, "it is exposed inside", func(at component.HostPort) bool {
		return at == component.HostPort{Host: s.Spec.ClusterIP, Port: 6443}
	})
	if s.Spec.Type != corev1.ServiceTypeClusterIP || s.Spec.Ports[0].NodePort != 0 {
		t.Errorf("service %+v: want nothing left of what it was", s.Spec)
	}

	c.Hosting.Exposure = v1alpha1.ExposureSpec{Type: v1alpha1.ExposureHost}
	if _, err := r.reserve(c); reconcile.As(err) == nil || reconcile.As(err).Reason != "NotHostable" {
		t.Errorf("Reserve: %v, want exposure by Host refused", err)
	}
}

// exposedWorld is one with an API server that is exposed, and where.
func exposedWorld(t *testing.T, e v1alpha1.ExposureSpec) (*world, *running, component.Component, component.HostPort) {
	t.Helper()
	w := newWorld(t)
	r := w.run()
	c := w.stateless(e)
	r.settle(c)
	return w, r, c, r.exposed(c, "it is exposed", func(at component.HostPort) bool { return at.Port != 0 })
}

func TestAServiceThatIsLostComesBackAtItsAddress(t *testing.T) {
	for name, e := range map[string]v1alpha1.ExposureSpec{
		"ClusterIP": clusterIP,
		"NodePort":  {Type: v1alpha1.ExposureNodePort, Address: "nodes.example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			w, r, c, before := exposedWorld(t, e)
			for range 2 {
				s := &corev1.Service{}
				w.get(s, component.NameAPIServer)
				if err := w.api.Delete(t.Context(), s); err != nil {
					t.Fatal(err)
				}
				w.await("it is there again", func() error {
					again := &corev1.Service{}
					err := w.api.Get(t.Context(), client.ObjectKeyFromObject(s), again)
					if err == nil && again.UID == s.UID {
						err = fmt.Errorf("it is the old one")
					}
					return err
				})
				r.settle(c)
				if after := r.exposed(c, "it is exposed", func(component.HostPort) bool { return true }); after != before {
					t.Errorf("exposed at %s, before at %s: want the same", after, before)
				}
			}
		})
	}
}

// An API server frees the address of a Service a moment after the Service is gone.
func TestAnAddressThatIsNotFreeYetIsWaitedFor(t *testing.T) {
	unowned := func(address string) client.Object {
		return &networkingv1.IPAddress{ObjectMeta: metav1.ObjectMeta{Name: address}, Spec: networkingv1.IPAddressSpec{
			ParentRef: &networkingv1.ParentReference{Resource: "services", Namespace: "default", Name: "gone"},
		}}
	}
	for name, tc := range map[string]struct {
		// has makes what has the address.
		has func(address string) client.Object
		// never is an address that is not free after fifteen minutes either.
		waits, never bool
	}{
		"Nobody":              {has: unowned, waits: true},
		"NobodyForALongWhile": {has: unowned, waits: true, never: true},
		"AnotherService": {has: func(address string) client.Object {
			return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", GenerateName: "other-"}, Spec: corev1.ServiceSpec{
				ClusterIP: address, Ports: []corev1.ServicePort{{Port: 443}},
			}}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w, r, c, before := exposedWorld(t, clusterIP)
			r.want(nil)
			s := &corev1.Service{}
			w.get(s, component.NameAPIServer)
			if err := w.api.Delete(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			other := tc.has(s.Spec.ClusterIP)
			w.await("the address is somebody else's", func() error { return w.api.Create(t.Context(), other) })
			w.await("the Host has heard of the deletion", func() error {
				if err := r.counter.Get(t.Context(), client.ObjectKeyFromObject(s), &corev1.Service{}); !apierrors.IsNotFound(err) {
					return fmt.Errorf("it is there, or %w", err)
				}
				return nil
			})
			_, err := r.reserve(c)
			if e := reconcile.As(err); tc.waits && (e == nil || e.Reason != "WaitingForAddress" || e.Kind != reconcile.KindWait || e.After == 0) {
				t.Errorf("Reserve: %v, want it to wait for the address and to look again", err)
			}
			if !tc.waits && err != nil {
				t.Errorf("Reserve: %v, want it to take another address", err)
			}
			if tc.never {
				r.now = func() time.Time { return time.Now().Add(15 * time.Minute) }
				if _, err := r.reserve(c); err != nil {
					t.Errorf("Reserve after 15 minutes: %v, want it to take another address", err)
				}
			}
			if err := w.api.Delete(t.Context(), other); err != nil {
				t.Fatal(err)
			}
			after := r.exposed(c, "it is exposed again", func(at component.HostPort) bool { return at.Port != 0 })
			if same := tc.waits && !tc.never; (after == before) != same {
				t.Errorf("exposed at %s, before at %s; want the same: %t", after, before, same)
			}
		})
	}
}

func TestANodesAddressIsKept(t *testing.T) {
	w := newWorld(t)
	r := w.run()
	c := w.stateless(v1alpha1.ExposureSpec{Type: v1alpha1.ExposureNodePort})
	_, err := r.reserve(c)
	if e := reconcile.As(err); e == nil || e.Reason != "WaitingForNode" || e.Kind != reconcile.KindWait || e.After == 0 {
		t.Errorf("Reserve: %v, want it to wait for a node and to look again", err)
	}
	w.node("node-b", "192.0.2.2", false)
	w.node("node-c", "192.0.2.3", true)
	r.exposed(c, "the node that is ready is taken", func(at component.HostPort) bool { return at.Host == "192.0.2.3" })
	w.node("node-a", "192.0.2.1", true)
	if err := w.api.Delete(t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-c"}}); err != nil {
		t.Fatal(err)
	}
	r.settle(c)
	r.exposed(c, "it stays", func(at component.HostPort) bool { return at.Host == "192.0.2.3" })
}

func (w *world) node(name, address string, isReady bool) {
	w.Helper()
	n := node(name, address, isReady)
	w.create(n.DeepCopy())
	w.Cleanup(func() {
		if err := w.api.Delete(w.background(), &n); client.IgnoreNotFound(err) != nil {
			w.Error(err)
		}
	})
	live := &corev1.Node{}
	if err := w.api.Get(w.Context(), client.ObjectKeyFromObject(&n), live); err != nil {
		w.Fatal(err)
	}
	before := live.DeepCopy()
	live.Status = n.Status
	if err := w.api.Status().Patch(w.Context(), live, client.MergeFrom(before)); err != nil {
		w.Fatal(err)
	}
}

func node(name, address string, isReady bool) corev1.Node {
	status := corev1.ConditionFalse
	if isReady {
		status = corev1.ConditionTrue
	}
	return corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Status: corev1.NodeStatus{
			Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: status}},
			Addresses:  []corev1.NodeAddress{{Type: corev1.NodeHostName, Address: name}, {Type: corev1.NodeInternalIP, Address: address}},
		},
	}
}

func TestPickAddress(t *testing.T) {
	cordoned := node("a", "192.0.2.1", true)
	cordoned.Spec.Unschedulable = true
	cases := map[string]struct {
		nodes []corev1.Node
		want  string
	}{
		"None":         {nil, ""},
		"NoneReady":    {[]corev1.Node{node("a", "192.0.2.1", false)}, ""},
		"FirstByName":  {[]corev1.Node{node("c", "192.0.2.3", true), node("b", "192.0.2.2", true)}, "192.0.2.2"},
		"NotCordoned":  {[]corev1.Node{cordoned, node("b", "192.0.2.2", true)}, "192.0.2.2"},
		"OnlyCordoned": {[]corev1.Node{cordoned, node("b", "192.0.2.2", false)}, "192.0.2.1"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := pickAddress(tc.nodes); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

func TestASecretForImagesIsCopiedAndFollowed(t *testing.T) {
	w := newWorld(t)
	r := w.run()
	c := w.stateless(clusterIP)
	c.Hosting.ImagePullSecret = "registry-" + w.namespace
	if err := r.applyOnce(c); reconcile.As(err) == nil || reconcile.As(err).Reason != "ImagePullSecretMissing" || !strings.Contains(err.Error(), c.Hosting.ImagePullSecret) {
		t.Errorf("Apply: %v, want it to name the Secret that is missing", err)
	}
	original := w.systemSecret(c.Hosting.ImagePullSecret)
	r.settle(c)
	original.Data = map[string][]byte{corev1.DockerConfigJsonKey: []byte(`{"auths":{"example.com":{"auth":"other"}}}`)}
	if err := w.api.Update(t.Context(), original); err != nil {
		t.Fatal(err)
	}
	w.await("the copy follows", func() error {
		s := &corev1.Secret{}
		err := w.api.Get(t.Context(), client.ObjectKey{Namespace: w.namespace, Name: "kube-apiserver-image-pull"}, s)
		if err == nil && !cmp.Equal(s.Data, original.Data) {
			err = fmt.Errorf("it is %s", s.Data)
		}
		return err
	})
}
