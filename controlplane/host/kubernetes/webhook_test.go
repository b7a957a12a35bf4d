package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/controlplane/component"
)

// mirror is where the test's admission takes all images from, as a platform does that
// lets nothing in from outside.
const mirror = "mirror.example.com/etcd:pinned"

// rewrite makes admission change every StatefulSet of the world whenever it is written,
// and returns once that is in force.
func (w *world) rewrite() {
	w.Helper()
	name := w.namespace + "-mirror"
	policy := &admissionv1.MutatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionv1.MutatingAdmissionPolicySpec{
			MatchConstraints: &admissionv1.MatchResources{
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: w.namespace}},
				ResourceRules: []admissionv1.NamedRuleWithOperations{{RuleWithOperations: admissionv1.RuleWithOperations{
					Operations: []admissionv1.OperationType{admissionv1.Create, admissionv1.Update},
					Rule:       admissionv1.Rule{APIGroups: []string{"apps"}, APIVersions: []string{"v1"}, Resources: []string{"statefulsets"}},
				}}},
			},
			ReinvocationPolicy: admissionv1.IfNeededReinvocationPolicy,
			Mutations: []admissionv1.Mutation{{
				PatchType: admissionv1.PatchTypeJSONPatch,
				JSONPatch: &admissionv1.JSONPatch{Expression: fmt.Sprintf(`[
					JSONPatch{op: "replace", path: "/spec/template/spec/containers/0/image", value: %q},
					JSONPatch{op: "add", path: "/spec/template/spec/containers/0/env", value: [Object.spec.template.spec.containers.env{name: "ADDED", value: "x"}]}
				]`, mirror)},
			}},
		},
	}
	w.create(policy)
	binding := &admissionv1.MutatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       admissionv1.MutatingAdmissionPolicyBindingSpec{PolicyName: name},
	}
	w.create(binding)
	w.Cleanup(func() {
		for _, o := range []client.Object{binding, policy} {
			if err := w.api.Delete(context.Background(), o); err != nil {
				w.Error(err)
			}
		}
	})
	c := w.stateful()
	set, err := statefulSet(c, storageOf(c))
	if err != nil {
		w.Fatal(err)
	}
	w.await("admission rewrites", func() error {
		tried := set.DeepCopy()
		err := w.api.Create(w.Context(), tried, client.DryRunAll)
		if err == nil && tried.Spec.Template.Spec.Containers[0].Image != mirror {
			err = errors.New(tried.Spec.Template.Spec.Containers[0].Image)
		}
		return err
	})
}

// What an admission webhook makes of a StatefulSet is never what was applied; its pods
// have to follow a change all the same.
func TestAStatefulSetIsReplacedThoughAdmissionRewritesIt(t *testing.T) {
	w := newWorld(t)
	w.rewrite()
	c := w.stateful()
	r := w.run()
	done := func(what string) {
		t.Helper()
		w.await(what, func() error {
			r.want(&c)
			s, err := r.Status(t.Context(), c.Namespace, c.Name)
			if err == nil && !s.Done() {
				err = fmt.Errorf("status %+v", s)
			}
			return err
		})
	}
	done("it runs")
	set := &appsv1.StatefulSet{}
	w.get(set, c.Name)
	if got := set.Spec.Template.Spec.Containers[0].Image; got != mirror {
		t.Fatalf("image %q: admission has changed nothing, so the test shows nothing", got)
	}
	record := w.record()
	c.Main.Args = append(c.Main.Args, "--more")
	done("all run with the change")
	w.awaitReplaced(record, 2, 1, 0)
	w.get(set, c.Name)
	before := set.Generation
	for range 3 {
		// A pass that finds the object changed since it looked, by who counts its pods,
		// leaves it to the next one.
		w.await("a pass", func() error { return r.applyOnce(c) })
	}
	if w.get(set, c.Name); set.Generation != before {
		t.Errorf("generation %d, was %d: the two change it back and forth", set.Generation, before)
	}
}

// Pods that were made before all members had joined would begin anew if they lost their
// data; they are replaced once, and then no more.
func TestPodsOfTheBeginningAreReplacedOnce(t *testing.T) {
	w := newWorld(t)
	c := w.stateful()
	r := w.run()
	r.settle(c)
	record := w.record()
	c.Begun, c.Main.BeginArgs = true, []string{"--state=existing"}
	r.settle(c)
	w.awaitReplaced(record, 2, 1, 0)
	for i := range component.EtcdReplicas {
		w.awaitArg(replicaOf(c.Name, i), "--state=existing")
	}
	c.Main.BeginArgs = []string{"--state=existing", "--without=0"}
	r.settle(c)
	if gone, _ := record.seen(); len(gone) != component.EtcdReplicas {
		t.Errorf("%q are gone: what a pod that has data is told of the beginning replaces none", gone)
	}
}
