package kubernetes

import (
	"context"
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// edited is an edit of an object, as a person does it.
func edited[T client.Object](name string, o T, edit func(T)) func(*world) client.Object {
	return func(w *world) client.Object {
		w.get(o, name)
		before := o.DeepCopyObject().(client.Object)
		edit(o)
		if err := w.api.Patch(w.Context(), o, client.MergeFrom(before), client.FieldOwner("kubectl-edit")); err != nil {
			w.Fatal(err)
		}
		return o
	}
}

func deleted(name string, o client.Object) func(*world) client.Object {
	return func(w *world) client.Object {
		w.get(o, name)
		if err := w.api.Delete(w.Context(), o); err != nil {
			w.Fatal(err)
		}
		return o
	}
}

func TestWhatSomebodyDoesToAnObjectIsPutBack(t *testing.T) {
	const name = "kube-apiserver"
	pod := func(d *appsv1.Deployment) *corev1.PodSpec { return &d.Spec.Template.Spec }
	cases := map[string]func(*world) client.Object{
		"Replicas":       edited(name, &appsv1.Deployment{}, func(d *appsv1.Deployment) { d.Spec.Replicas = ptr.To[int32](1) }),
		"Strategy":       edited(name, &appsv1.Deployment{}, func(d *appsv1.Deployment) { d.Spec.Strategy = appsv1.DeploymentStrategy{Type: "Recreate"} }),
		"Image":          edited(name, &appsv1.Deployment{}, func(d *appsv1.Deployment) { pod(d).Containers[0].Image = "other" }),
		"AnArgumentLess": edited(name, &appsv1.Deployment{}, func(d *appsv1.Deployment) { pod(d).Containers[0].Args = pod(d).Containers[0].Args[1:] }),
		"NoProbe":        edited(name, &appsv1.Deployment{}, func(d *appsv1.Deployment) { pod(d).Containers[0].ReadinessProbe = nil }),
		"MoreMemory":     edited(name, &appsv1.Deployment{}, func(d *appsv1.Deployment) { pod(d).Containers[0].Resources.Limits = nil }),
		"NodeSelector":   edited(name, &appsv1.Deployment{}, func(d *appsv1.Deployment) { pod(d).NodeSelector = map[string]string{"pool": "b", "more": "c"} }),
		"Privileges":     edited(name, &appsv1.Deployment{}, func(d *appsv1.Deployment) { pod(d).SecurityContext = nil }),
		"Grace":          edited(name, &appsv1.Deployment{}, func(d *appsv1.Deployment) { pod(d).TerminationGracePeriodSeconds = ptr.To[int64](1) }),
		"ATemplatesHash": edited(name, &appsv1.Deployment{}, func(d *appsv1.Deployment) { d.Spec.Template.Annotations[AnnotationTemplate] = "x" }),
		"AVolumesSource": edited(name, &appsv1.Deployment{}, func(d *appsv1.Deployment) { pod(d).Volumes[0].Projected.Sources[0].Secret.Name = "other" }),
		"TheHash":        edited(name, &appsv1.Deployment{}, func(d *appsv1.Deployment) { delete(d.Annotations, AnnotationRendered) }),
		"AnAddedContainer": edited(name, &appsv1.Deployment{}, func(d *appsv1.Deployment) {
			pod(d).Containers = append(pod(d).Containers, corev1.Container{Name: "spy", Image: "spy"})
		}),
		"AnAddedVariable": edited(name, &appsv1.Deployment{}, func(d *appsv1.Deployment) {
			pod(d).Containers[0].Env = append([]corev1.EnvVar{{Name: "SSLKEYLOGFILE", Value: "/tmp/x"}}, pod(d).Containers[0].Env...)
		}),
		"AnAddedMount": edited(name, &appsv1.Deployment{}, func(d *appsv1.Deployment) {
			pod(d).Volumes = append(pod(d).Volumes, corev1.Volume{Name: "host", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}})
			pod(d).Containers[0].VolumeMounts = append(pod(d).Containers[0].VolumeMounts,
				corev1.VolumeMount{Name: "host", MountPath: "/host"}, corev1.VolumeMount{Name: pod(d).Volumes[0].Name, MountPath: "/again"})
		}),
		"ServicePort":       edited(name, &corev1.Service{}, func(s *corev1.Service) { s.Spec.Ports[0].Port = 443 }),
		"ServiceTarget":     edited(name, &corev1.Service{}, func(s *corev1.Service) { s.Spec.Ports[0].TargetPort = intstr.FromInt32(1) }),
		"ServiceType":       edited(name, &corev1.Service{}, func(s *corev1.Service) { s.Spec.Type = corev1.ServiceTypeNodePort }),
		"ServiceSelector":   edited(name, &corev1.Service{}, func(s *corev1.Service) { s.Spec.Selector["more"] = "x" }),
		"ServiceNoSelector": edited(name, &corev1.Service{}, func(s *corev1.Service) { s.Spec.Selector = nil }),
		"ServiceMorePorts": edited(name, &corev1.Service{}, func(s *corev1.Service) {
			s.Spec.Ports = append(s.Spec.Ports, corev1.ServicePort{Name: "more", Port: 1})
		}),
		"ServiceAnnotation": edited(name, &corev1.Service{}, func(s *corev1.Service) { s.Annotations["example.com/a"] = "other" }),
		"Disruptions":       edited(name, &policyv1.PodDisruptionBudget{}, func(b *policyv1.PodDisruptionBudget) { b.Spec.MaxUnavailable = ptr.To(intstr.FromString("100%")) }),
		"NetworkForAll": edited(name, &networkingv1.NetworkPolicy{}, func(p *networkingv1.NetworkPolicy) {
			p.Spec.Ingress = append(p.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{})
		}),
		"NetworkOfNobody": edited(name, &networkingv1.NetworkPolicy{}, func(p *networkingv1.NetworkPolicy) { p.Spec.PodSelector.MatchLabels["no"] = "such" }),
		"NetworkPort":     edited(name, &networkingv1.NetworkPolicy{}, func(p *networkingv1.NetworkPolicy) { p.Spec.Ingress[0].Ports[0].Port = nil }),
		"ALabel":          edited(name, &networkingv1.NetworkPolicy{}, func(p *networkingv1.NetworkPolicy) { p.Labels[v1alpha1.LabelShard] = "x" }),
		"PullSecret":      edited(name+"-image-pull", &corev1.Secret{}, func(s *corev1.Secret) { s.Data[corev1.DockerConfigJsonKey] = []byte(`{"auths":{}}`) }),
	}
	deletions := map[string]func(*world) client.Object{
		"NoDeployment":    deleted(name, &appsv1.Deployment{}),
		"NoService":       deleted(name, &corev1.Service{}),
		"NoNetworkPolicy": deleted(name, &networkingv1.NetworkPolicy{}),
		"NoBudget":        deleted(name, &policyv1.PodDisruptionBudget{}),
		"NoPullSecret":    deleted(name+"-image-pull", &corev1.Secret{}),
	}
	w := newWorld(t)
	w.systemSecret("images")
	c := w.stateless(v1alpha1.ExposureSpec{Type: v1alpha1.ExposureClusterIP, Annotations: map[string]string{"example.com/a": "b"}})
	c.Hosting.NodeSelector, c.Hosting.ImagePullSecret = map[string]string{"pool": "a"}, "images"
	r := w.run()
	r.settle(c)
	for what, do := range cases {
		t.Run(what, func(t *testing.T) {
			o := do(w)
			if same, surplus, err := difference(r.wantedOf(c, o), o); err != nil || same && len(surplus) == 0 && o.GetAnnotations()[AnnotationRendered] != "" {
				t.Fatalf("the test's edit is none: %v", err)
			}
			r.awaitPutBack(c, o)
		})
	}
	for what, do := range deletions {
		t.Run(what, func(*testing.T) { r.awaitPutBack(c, do(w)) })
	}
	r.settle(c)
}

// awaitPutBack waits until an object is what is wanted.
func (r *running) awaitPutBack(c component.Component, o client.Object) {
	r.Helper()
	want := r.wantedOf(c, o)
	r.await("it is put back", func() error {
		live := o.DeepCopyObject().(client.Object)
		if err := r.api.Get(r.Context(), client.ObjectKeyFromObject(o), live); err != nil {
			return err
		}
		same, surplus, err := difference(want, live)
		if err == nil && (!same || len(surplus) > 0) {
			err = fmt.Errorf("it differs, %v is surplus", surplus)
		}
		return err
	})
}

// wantedOf is what an object is to be.
func (r *running) wantedOf(c component.Component, o client.Object) client.Object {
	r.Helper()
	if s, ok := o.(*corev1.Secret); ok {
		return &corev1.Secret{ObjectMeta: metaOf(c, s.Name), Data: pullData}
	}
	for _, want := range rendered(r, c) {
		if fmt.Sprintf("%T", want) == fmt.Sprintf("%T", o) && want.GetName() == o.GetName() {
			return want
		}
	}
	r.Fatalf("nothing wanted is like %T %s", o, o.GetName())
	return nil
}

var pullData = map[string][]byte{corev1.DockerConfigJsonKey: []byte(`{"auths":{"example.com":{"auth":"eDp5"}}}`)}

// systemSecret makes a Secret for images in marina-system.
func (w *world) systemSecret(name string) *corev1.Secret {
	w.Helper()
	err := w.api.Create(w.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.SystemNamespace}})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		w.Fatal(err)
	}
	s := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: name},
		Type:       corev1.SecretTypeDockerConfigJson, Data: pullData,
	}
	w.create(s)
	w.Cleanup(func() {
		if err := w.api.Delete(context.Background(), s); client.IgnoreNotFound(err) != nil {
			w.Error(err)
		}
	})
	return s
}
