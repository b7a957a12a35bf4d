package kubernetes

import (
	"context"
	"testing"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/marina-dev/marina/pkg/reconcile"
)

// TestOneWhoIsOvertakenComesBack: what is taken away of an object is what was looked at. If
// somebody writes in between, that is no failure and nobody's mistake.
func TestOneWhoIsOvertakenComesBack(t *testing.T) {
	w := newWorld(t)
	for name, edit := range map[string]func(*corev1.Service){
		"removal": func(s *corev1.Service) {
			s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{Name: "more", Port: 1})
		},
		"replacement": func(s *corev1.Service) { s.Spec.Ports[0].Port = 443 },
	} {
		t.Run(name, func(t *testing.T) {
			overtakes := true
			api := interceptor.NewClient(w.api, interceptor.Funcs{
				Patch: func(ctx context.Context, api client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
					if p.Type() == types.JSONPatchType && overtakes {
						edited(name, &corev1.Service{}, func(s *corev1.Service) { s.Annotations["example.com/by"] = "somebody" })(w)
					}
					return api.Patch(ctx, o, p, opts...)
				},
			})
			h := New(Options{Client: api, Live: api, Log: logr.Discard()})
			want := func() *corev1.Service {
				s := &corev1.Service{Spec: corev1.ServiceSpec{ClusterIP: corev1.ClusterIPNone, Ports: []corev1.ServicePort{{Name: "ours", Port: 6443}}}}
				s.Namespace, s.Name = w.namespace, name
				return s
			}
			if err := h.sync(t.Context(), want(), &corev1.Service{}); err != nil {
				t.Fatal(err)
			}
			edited(name, &corev1.Service{}, edit)(w)
			err := h.sync(t.Context(), want(), &corev1.Service{})
			if e := reconcile.As(err); e == nil || e.Kind != reconcile.KindWait || e.After == 0 {
				t.Errorf("%v: want it to look again in a moment, quietly", err)
			}
			overtakes = false
			if err := h.sync(t.Context(), want(), &corev1.Service{}); err != nil {
				t.Fatal(err)
			}
			live := &corev1.Service{}
			if w.get(live, name); len(live.Spec.Ports) != 1 || live.Spec.Ports[0].Port != 6443 || live.Annotations["example.com/by"] != "somebody" {
				t.Errorf("ports %v, annotations %v: want ours alone, and what the other has written", live.Spec.Ports, live.Annotations)
			}
		})
	}
}
