package kubernetes

import (
	"context"
	"fmt"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// versions are the resource versions of all objects of a Component, but for pods; of
// those in whose status somebody counts pods, the generation.
func (r *running) versions(c component.Component) map[string]string {
	r.Helper()
	all := map[string]string{}
	if err := r.each(r.Context(), r.api, c.Namespace, c.Name, func(o client.Object) {
		name := fmt.Sprintf("%T %s", o, o.GetName())
		switch o.(type) {
		case *corev1.Pod:
		case *appsv1.Deployment, *appsv1.StatefulSet:
			all[name] = fmt.Sprint(o.GetGeneration())
		default:
			all[name] = o.GetResourceVersion()
		}
	}); err != nil {
		r.Fatal(err)
	}
	return all
}

func TestASecondApplyWritesNothing(t *testing.T) {
	w := newWorld(t)
	in := hostedInputs()
	in.Namespace, in.Hosting.NodeAccess = w.namespace, v1alpha1.NodeAccessKonnectivity
	in.Hosting.Exposure = v1alpha1.ExposureSpec{
		Type: v1alpha1.ExposureLoadBalancer, SourceRanges: []string{"192.0.2.0/24"}, Annotations: map[string]string{"a": "b"},
	}
	through := component.APIServer(in)
	through.Name = "through"
	other := w.stateless(v1alpha1.ExposureSpec{Type: v1alpha1.ExposureNodePort, Address: "nodes.example.com"})
	other.Name, other.Restart, other.Resync = "other", "1", "2"
	other.Hosting.NodeSelector = map[string]string{"pool": "control"}
	other.Hosting.Tolerations = []corev1.Toleration{{Key: "control", Operator: corev1.TolerationOpExists}}
	for name, c := range map[string]component.Component{
		"Deployment": w.stateless(clusterIP), "LoadBalancer": through, "NodePort": other, "StatefulSet": w.stateful(),
	} {
		t.Run(name, func(t *testing.T) {
			r := w.run()
			r.settle(c)
			r.want(nil)
			before := r.versions(c)
			// Another Host finds everything in place as well.
			r.end()
			again := w.run()
			for range 3 {
				if err := again.applyOnce(c); err != nil {
					t.Fatal(err)
				}
				if _, err := again.reserve(c); err != nil && c.Hosting.Exposure.Type != v1alpha1.ExposureLoadBalancer {
					t.Fatal(err)
				}
			}
			if n := again.counter.writes.Load(); n > 0 {
				t.Errorf("%d writes, want none", n)
			}
			if diff := cmp.Diff(before, again.versions(c)); diff != "" || len(before) < 4 {
				t.Errorf("%d objects; resource versions (-before +after):\n%s", len(before), diff)
			}
		})
	}
}

func TestStatusRightAfterApplyIsNotThatOfBefore(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]component.Component{"Deployment": w.stateless(clusterIP), "StatefulSet": w.stateful()} {
		t.Run(name, func(t *testing.T) {
			r := w.run()
			if s, err := r.Status(t.Context(), c.Namespace, c.Name); err != nil || !s.Gone {
				t.Fatalf("status %+v, %v: want Gone before anything is applied", s, err)
			}
			r.settle(c)
			r.want(nil)
			c.Main.Args = append(c.Main.Args, "--v=2")
			signal := func(s syscall.Signal) {
				if err := controllers.Process.Signal(s); err != nil {
					t.Fatal(err)
				}
			}
			signal(syscall.SIGSTOP) // none of them replaces a pod before it is looked
			defer signal(syscall.SIGCONT)
			if err := r.applyOnce(c); err != nil {
				t.Fatal(err)
			}
			s, err := r.Status(t.Context(), c.Namespace, c.Name)
			signal(syscall.SIGCONT)
			if err != nil || s.Done() || s.Updated != 0 || s.Ready != 3 || s.Gone {
				t.Errorf("status %+v, %v: want 3 ready and none updated", s, err)
			}
			r.settle(c)
		})
	}
}

func TestAServiceThatIsNotWantedAnyMoreGoes(t *testing.T) {
	w := newWorld(t)
	r := w.run()
	in := hostedInputs()
	in.Namespace, in.Hosting.Exposure, in.Hosting.NodeAccess = w.namespace, clusterIP, v1alpha1.NodeAccessKonnectivity
	r.settle(component.APIServer(in))
	services := func() (names []string) {
		list := &corev1.ServiceList{}
		if err := w.api.List(context.Background(), list, client.InNamespace(w.namespace)); err != nil {
			t.Fatal(err)
		}
		for _, s := range list.Items {
			names = append(names, s.Name)
		}
		return names
	}
	if diff := cmp.Diff([]string{"konnectivity", "kube-apiserver", component.AddressAnyAPIServer}, services()); diff != "" {
		t.Fatalf("services (-want +got):\n%s", diff)
	}
	in.Hosting.NodeAccess = v1alpha1.NodeAccessDirect
	r.settle(component.APIServer(in))
	if diff := cmp.Diff([]string{"kube-apiserver"}, services()); diff != "" {
		t.Errorf("services (-want +got):\n%s", diff)
	}
}
