package kubernetes

import (
	"context"
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

func (w *world) background() context.Context { return context.Background() }

func TestDeleteLeavesNothing(t *testing.T) {
	cases := map[string]struct {
		component func(*world) component.Component
		// until is how far it is when it is deleted.
		until func(*running, component.Component)
	}{
		"Deployment":           {func(w *world) component.Component { return w.stateless(clusterIP) }, (*running).settle},
		"StatefulSet":          {(*world).stateful, (*running).settle},
		"JustReserved":         {func(w *world) component.Component { return w.stateless(clusterIP) }, func(r *running, c component.Component) { r.reserve(c) }},
		"JustApplied":          {(*world).stateful, func(r *running, c component.Component) { r.applyOnce(c) }},
		"ADeploymentJustBegun": {func(w *world) component.Component { return w.stateless(clusterIP) }, func(r *running, c component.Component) { r.applyOnce(c) }},
		"NeverThere":           {(*world).stateful, func(*running, component.Component) {}},
		// Its pods come again until it is gone itself.
		"AnOrphanedReplicaSet": {func(w *world) component.Component { return w.stateless(clusterIP) }, (*running).orphan},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.systemSecret("images-" + w.namespace)
			r := w.run()
			c := tc.component(w)
			c.Hosting.ImagePullSecret = "images-" + w.namespace
			neighbour := w.stateless(clusterIP)
			neighbour.Name = "neighbour"
			if err := r.applyOnce(neighbour); err != nil {
				t.Fatal(err)
			}
			tc.until(r, c)
			r.want(nil)
			w.await("it is gone", func() error {
				gone, err := r.Delete(t.Context(), c.Namespace, c.Name)
				if err == nil && !gone {
					err = fmt.Errorf("something is left")
				}
				return err
			})
			left := func(name string) (all []string) {
				if err := r.each(t.Context(), w.api, w.namespace, name, func(o client.Object) {
					all = append(all, fmt.Sprintf("%T %s", o, o.GetName()))
				}); err != nil {
					t.Fatal(err)
				}
				return all
			}
			if all := left(c.Name); len(all) > 0 {
				t.Errorf("left are %q", all)
			}
			if all := left("neighbour"); len(all) < 4 {
				t.Errorf("of the neighbour only %q are left", all)
			}
			w.await("the status says so", func() error {
				s, err := r.Status(t.Context(), c.Namespace, c.Name)
				if err == nil && !s.Gone {
					err = fmt.Errorf("%+v", s)
				}
				return err
			})
		})
	}
}

// orphan has somebody delete a Deployment and leave its pods.
func (r *running) orphan(c component.Component) {
	r.Helper()
	r.settle(c)
	r.want(nil)
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: c.Namespace, Name: c.Name}}
	if err := r.api.Delete(r.Context(), d, client.PropagationPolicy(metav1.DeletePropagationOrphan)); err != nil {
		r.Fatal(err)
	}
	r.await("the Deployment is gone", func() error {
		if err := r.api.Get(r.Context(), client.ObjectKeyFromObject(d), d); !apierrors.IsNotFound(err) {
			return fmt.Errorf("it is there: %w", err)
		}
		return nil
	})
}

// bind plays the provisioner of volumes.
func (w *world) bind(claim string) {
	w.Helper()
	w.await(claim+" is there", func() error {
		return w.api.Get(w.Context(), client.ObjectKey{Namespace: w.namespace, Name: claim}, &corev1.PersistentVolumeClaim{})
	})
	pvc := &corev1.PersistentVolumeClaim{}
	w.get(pvc, claim)
	before := pvc.DeepCopy()
	pvc.Status.Phase = corev1.ClaimBound
	pvc.Status.Capacity = pvc.Spec.Resources.Requests
	if err := w.api.Status().Patch(w.Context(), pvc, client.MergeFrom(before)); err != nil {
		w.Fatal(err)
	}
}

func TestAnotherVolumeIsOtherData(t *testing.T) {
	w := newWorld(t)
	r := w.run()
	c := w.stateful()
	r.settle(c)
	data := func(what string, is func([]string) bool) (ids []string) {
		t.Helper()
		w.await(what, func() error {
			s, err := r.Status(t.Context(), c.Namespace, c.Name)
			if ids = s.Data; err == nil && (len(ids) != 3 || !is(ids)) {
				err = fmt.Errorf("data %q", ids)
			}
			return err
		})
		return ids
	}
	data("nothing is known before there are volumes", func(ids []string) bool { return ids[0]+ids[1]+ids[2] == "" })
	for i := range 3 {
		w.bind(claimOf(c.Name, i))
	}
	before := data("all volumes are known", func(ids []string) bool { return ids[0] != "" && ids[1] != "" && ids[2] != "" })

	// The volume of one is lost.
	pvc := &corev1.PersistentVolumeClaim{}
	w.get(pvc, claimOf(c.Name, 1))
	pod := &corev1.Pod{}
	w.get(pod, replicaOf(c.Name, 1))
	for _, o := range []client.Object{pvc, pod} {
		if err := w.api.Delete(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	w.await("there is another claim", func() error {
		again := &corev1.PersistentVolumeClaim{}
		err := w.api.Get(t.Context(), client.ObjectKeyFromObject(pvc), again)
		if err == nil && again.UID == pvc.UID {
			err = fmt.Errorf("it is the same")
		}
		return err
	})
	w.bind(pvc.Name)
	after := data("another volume is seen", func(ids []string) bool { return ids[1] != "" && ids[1] != before[1] })
	if after[0] != before[0] || after[2] != before[2] {
		t.Errorf("data %q, before %q: want the others the same", after, before)
	}
}

func TestVolumesGrow(t *testing.T) {
	w := newWorld(t)
	class := &storagev1.StorageClass{
		ObjectMeta:  metav1.ObjectMeta{Name: w.namespace},
		Provisioner: "example.com/none", AllowVolumeExpansion: ptr.To(true),
	}
	w.create(class)
	w.Cleanup(func() { w.api.Delete(w.background(), class) })
	r := w.run()
	c := w.stateful()
	c.StorageClass = class.Name
	r.settle(c)
	for i := range 3 {
		w.bind(claimOf(c.Name, i))
	}
	c.DataSize = resource.MustParse("16Gi")
	c.Labels = map[string]string{v1alpha1.LabelShard: v1alpha1.DefaultShard, "example.com/more": "x"}
	r.settle(c)
	for i := range 3 {
		pvc := &corev1.PersistentVolumeClaim{}
		w.get(pvc, claimOf(c.Name, i))
		if got := pvc.Spec.Resources.Requests[corev1.ResourceStorage]; got.Cmp(c.DataSize) != 0 {
			t.Errorf("%s asks for %s, want 16Gi", pvc.Name, got.String())
		}
	}
}

// blind reads from a cache that has seen nothing yet.
type blind struct{ client.Client }

func (blind) List(context.Context, client.ObjectList, ...client.ListOption) error { return nil }

func TestDeleteIsNotDeceivedByACacheThatIsLate(t *testing.T) {
	w := newWorld(t)
	r := w.run()
	c := w.stateless(clusterIP)
	r.settle(c)
	r.want(nil)
	late := New(Options{Client: blind{w.api}, Live: w.api})
	if gone, err := late.Delete(t.Context(), c.Namespace, c.Name); gone || err != nil {
		t.Fatalf("gone %v, %v: want it not to be gone", gone, err)
	}
	w.await("it is gone", func() error {
		gone, err := late.Delete(t.Context(), c.Namespace, c.Name)
		if err == nil && !gone {
			err = fmt.Errorf("something is left")
		}
		return err
	})
}
