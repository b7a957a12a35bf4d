package kubernetes

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// record is what a watch of pods has seen.
type record struct {
	mu    sync.Mutex
	gone  []string
	ready map[string]bool
	// fewest is how few were ready at a time since three were.
	fewest int
}

// record watches the pods from when three are ready on.
func (w *world) record() *record {
	w.Helper()
	list := &corev1.PodList{}
	if err := w.api.List(w.Context(), list, client.InNamespace(w.namespace)); err != nil {
		w.Fatal(err)
	}
	r := &record{ready: map[string]bool{}, fewest: 3}
	for i := range list.Items {
		r.ready[list.Items[i].Name] = ready(&list.Items[i])
	}
	events, err := w.api.Watch(context.Background(), &corev1.PodList{}, client.InNamespace(w.namespace),
		&client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: list.ResourceVersion}})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(events.Stop)
	go func() {
		for e := range events.ResultChan() {
			p, ok := e.Object.(*corev1.Pod)
			if !ok {
				continue
			}
			r.mu.Lock()
			r.ready[p.Name] = e.Type != watch.Deleted && ready(p)
			if e.Type == watch.Deleted {
				r.gone = append(r.gone, p.Name)
			}
			n := 0
			for _, is := range r.ready {
				if is {
					n++
				}
			}
			r.fewest = min(r.fewest, n)
			r.mu.Unlock()
		}
	}()
	return r
}

func (r *record) seen() (gone []string, fewest int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.gone), r.fewest
}

// awaitReplaced waits until these members were replaced, in that order, and no others. All
// but one were ready all the time.
func (w *world) awaitReplaced(record *record, ordinals ...int) {
	w.Helper()
	var want []string
	for _, ordinal := range ordinals {
		want = append(want, replicaOf("etcd-default", ordinal))
	}
	w.await("all were replaced one by one", func() error {
		gone, fewest := record.seen()
		if diff := cmp.Diff(want, gone); diff != "" || fewest != len(want)-1 {
			return fmt.Errorf("at least %d were ready; replaced (-want +got):\n%s", fewest, diff)
		}
		return nil
	})
}

func TestAStatefulSetIsReplacedOneByOneAndTheLeaderLast(t *testing.T) {
	w := newWorld(t)
	c := w.stateful()
	r := w.run()
	r.settle(c)
	record := w.record()
	c.Main.Args = append(c.Main.Args, "--more")
	c.RollLast = []int{1}
	r.settle(c)
	w.awaitReplaced(record, 2, 0, 1)
}

func TestWhatMattersOnlyWithoutDataReplacesNothing(t *testing.T) {
	w := newWorld(t)
	c := w.stateful()
	r := w.run()
	r.settle(c)
	record := w.record()
	c.Main.BeginArgs = []string{"--state=existing"}
	r.settle(c)
	if gone, _ := record.seen(); len(gone) > 0 {
		t.Fatalf("%q were replaced, want none", gone)
	}
	// Who begins later is told, by a controller that has heard of it.
	w.await("the controllers have seen the StatefulSet", func() error {
		s := &appsv1.StatefulSet{}
		w.get(s, c.Name)
		if s.Status.ObservedGeneration != s.Generation {
			return fmt.Errorf("they have seen generation %d of %d", s.Status.ObservedGeneration, s.Generation)
		}
		return nil
	})
	p := &corev1.Pod{}
	w.get(p, "etcd-default-1")
	if err := w.api.Delete(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	w.awaitArg("etcd-default-1", "--state=existing")
	r.settle(c)
	w.await("the one that was deleted is replaced, and no other", func() error {
		if gone, _ := record.seen(); len(gone) != 1 {
			return fmt.Errorf("%q were replaced", gone)
		}
		return nil
	})
}

// awaitArg waits until there is a pod of that name whose main process has an argument.
func (w *world) awaitArg(pod, arg string) {
	w.Helper()
	w.await(pod+" runs with "+arg, func() error {
		p := &corev1.Pod{}
		err := w.api.Get(w.Context(), client.ObjectKey{Namespace: w.namespace, Name: pod}, p)
		if err == nil && (p.DeletionTimestamp != nil || !slices.Contains(p.Spec.Containers[0].Args, arg)) {
			err = fmt.Errorf("args %q", p.Spec.Containers[0].Args)
		}
		return err
	})
}

func TestARollGoesOnAfterARestartOfTheHost(t *testing.T) {
	w := newWorld(t)
	c := w.stateful()
	r := w.run()
	r.settle(c)
	record := w.record()
	// The first one that is replaced does not become ready: the roll stops there.
	w.setSick("etcd-default-2", true)
	c.Main.Args = append(c.Main.Args, "--more")
	r.want(&c)
	w.await("the first is replaced", func() error {
		if gone, _ := record.seen(); len(gone) != 1 {
			return fmt.Errorf("%q are gone", gone)
		}
		return nil
	})
	r.end()
	again := w.run()
	for range 3 {
		if err := again.applyOnce(c); err != nil {
			t.Fatal(err)
		}
	}
	if gone, fewest := record.seen(); len(gone) != 1 || fewest != 2 {
		t.Fatalf("%q are gone and %d ready: want the roll to wait", gone, fewest)
	}
	w.setSick("etcd-default-2", false)
	again.settle(c)
	w.awaitReplaced(record, 2, 1, 0)
}

func TestACorrectionReplacesWhatTheMistakeTookDown(t *testing.T) {
	w := newWorld(t)
	c := w.stateful()
	good := c.Main.Args
	r := w.run()
	r.settle(c)
	record := w.record()
	w.setSick("etcd-default-2", true)
	c.Main.Args = append(slices.Clone(good), "--mistake")
	r.want(&c)
	w.awaitArg("etcd-default-2", "--mistake")
	c.Main.Args = good
	r.want(&c)
	w.await("it was replaced again", func() error {
		if gone, _ := record.seen(); len(gone) != 2 {
			return fmt.Errorf("%q are gone", gone)
		}
		return nil
	})
	w.setSick("etcd-default-2", false)
	r.settle(c)
	gone, fewest := record.seen()
	if diff := cmp.Diff([]string{"etcd-default-2", "etcd-default-2"}, gone); diff != "" || fewest != 2 {
		t.Errorf("at least %d were ready; replaced (-want +got):\n%s", fewest, diff)
	}
}
