package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/controlplane/component"
)

// asked is how many replicas a Deployment is asked for.
func (w *world) asked(c component.Component) int32 {
	w.Helper()
	d := &appsv1.Deployment{}
	w.get(d, c.Name)
	return *d.Spec.Replicas
}

// wantAsked applies once, and checks how many replicas are asked for then.
func (r *running) wantAsked(c component.Component, want int32, when string) {
	r.Helper()
	if err := r.applyOnce(c); err != nil {
		r.Fatal(err)
	}
	if n := r.asked(c); n != want {
		r.Errorf("%d replicas are asked for %s, want %d", n, when, want)
	}
}

func TestTheFirstReplicaStartsAlone(t *testing.T) {
	w := newWorld(t)
	r := w.run()
	c := w.stateless(clusterIP)
	w.setSick(everybody, true)
	r.want(&c)
	r.await("a pod runs", func() error {
		s, err := r.Status(t.Context(), c.Namespace, c.Name)
		if err == nil && s.Updated == 0 {
			err = fmt.Errorf("status %+v", s)
		}
		return err
	})
	r.want(nil)
	r.wantAsked(c, 1, "while the first is not ready")
	// To whoever asks there are to be three all the time.
	if s, err := r.Status(t.Context(), c.Namespace, c.Name); err != nil || s.Replicas != 3 || s.Updated != 1 || s.Ready != 0 || s.Done() {
		t.Errorf("status %+v, %v: want none of three ready, one of them updated", s, err)
	}
	w.setSick(everybody, false)
	r.settle(c)

	// All gone again: nobody waits for the first any more.
	w.setSick(everybody, true)
	r.want(nil)
	if err := w.api.DeleteAllOf(t.Context(), &corev1.Pod{}, client.InNamespace(c.Namespace), client.GracePeriodSeconds(0)); err != nil {
		t.Fatal(err)
	}
	r.await("no pod is ready", func() error {
		s, err := r.Status(t.Context(), c.Namespace, c.Name)
		if err == nil && s.Ready > 0 {
			err = fmt.Errorf("status %+v", s)
		}
		return err
	})
	r.wantAsked(c, 3, "after an outage")
	w.setSick(everybody, false)
	r.settle(c)
}

// late is a client whose cache does not have any Deployment yet.
type late struct{ client.Client }

func (l late) Get(ctx context.Context, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
	if _, ok := o.(*appsv1.Deployment); ok {
		return apierrors.NewNotFound(schema.GroupResource{Group: "apps", Resource: "deployments"}, key.Name)
	}
	return l.Client.Get(ctx, key, o, opts...)
}

func TestALateCacheStopsNoReplica(t *testing.T) {
	w := newWorld(t)
	r := w.run()
	c := w.stateless(clusterIP)
	r.settle(c)
	r.want(nil)
	r.client = late{r.client}
	r.wantAsked(c, 3, "with a late cache")
}

// TestComponentsGrowInTurn: with places for two, the third one's first replica serves
// alone until another one has all of its own.
func TestComponentsGrowInTurn(t *testing.T) {
	w := newWorld(t)
	r := w.run()
	var all []component.Component
	for _, name := range []string{"first", "second", "third"} {
		c := w.stateless(clusterIP)
		c.Name, c.Balanced = name, nil
		all = append(all, c)
	}
	apply := func(want ...int32) {
		t.Helper()
		r.await(fmt.Sprintf("%d replicas are asked for", want), func() error {
			for i, c := range all {
				if err := r.applyOnce(c); err != nil {
					return err
				}
				if n := w.asked(c); n != want[i] {
					return fmt.Errorf("%s: %d, want %d", c.Name, n, want[i])
				}
			}
			return nil
		})
	}
	held := func(c component.Component) string {
		s, err := r.Status(t.Context(), c.Namespace, c.Name)
		if err != nil {
			t.Fatal(err)
		}
		return s.Message
	}
	// What comes second does not become ready.
	w.onlyFirst(true)
	apply(3, 3, 1)
	r.await("the third one's message tells why", func() error {
		m := held(all[2])
		if m == "third: has one replica, and starts the others when others have started theirs" {
			return nil
		}
		return errors.Join(fmt.Errorf("it is %q", m), r.applyOnce(all[2]))
	})
	apply(3, 3, 1)
	w.onlyFirst(false)
	apply(3, 3, 3)
	for _, c := range all {
		r.settle(c)
		if m := held(c); m != "" {
			t.Errorf("%s: message %q when all is done", c.Name, m)
		}
	}
}

// TestAFirstReplicaThatBreaksWhileItWaits: nothing says any more that it takes too long,
// and others are needed more than before.
func TestAFirstReplicaThatBreaksWhileItWaits(t *testing.T) {
	w := newWorld(t)
	r := w.run()
	for _, busy := range []string{"a", "b"} {
		r.growth.ask(types.NamespacedName{Name: busy})
	}
	c := w.stateless(clusterIP)
	r.want(&c)
	key := types.NamespacedName{Namespace: c.Namespace, Name: c.Name}
	r.await("it waits", func() error {
		if !r.growth.waits(key) {
			return errors.New("it does not")
		}
		return nil
	})
	r.want(nil)
	w.setSick(everybody, true)
	if err := w.api.DeleteAllOf(t.Context(), &corev1.Pod{}, client.InNamespace(c.Namespace), client.GracePeriodSeconds(0)); err != nil {
		t.Fatal(err)
	}
	r.await("another one is on a node and not ready", func() error {
		pods := &corev1.PodList{}
		if err := w.api.List(t.Context(), pods, client.InNamespace(c.Namespace)); err != nil || len(pods.Items) != 1 {
			return fmt.Errorf("%d pods, %w", len(pods.Items), err)
		}
		p := &pods.Items[0]
		if ready(p) {
			return errors.New("it is ready")
		}
		to := &corev1.Binding{Target: corev1.ObjectReference{Kind: "Node", Name: "n"}}
		if err := w.api.SubResource("binding").Create(t.Context(), p, to); !apierrors.IsConflict(err) && err != nil {
			return err
		}
		seen := &corev1.Pod{}
		err := r.client.Get(t.Context(), client.ObjectKeyFromObject(p), seen)
		if err == nil && seen.Spec.NodeName == "" {
			err = errors.New("the cache is late")
		}
		return err
	})
	r.wantAsked(c, 1, "before its turn")
	r.growth.done(types.NamespacedName{Name: "a"})
	r.wantAsked(c, 3, "when its turn has come")
	w.setSick(everybody, false)
	r.settle(c)
}

func TestPodsOutliveTheirDeployment(t *testing.T) {
	w := newWorld(t)
	r := w.run()
	c := w.stateless(clusterIP)
	r.settle(c)
	r.want(nil)
	uids := func() (all []types.UID) {
		pods := &corev1.PodList{}
		if err := w.api.List(t.Context(), pods, client.InNamespace(c.Namespace)); err != nil {
			t.Fatal(err)
		}
		for _, p := range pods.Items {
			all = append(all, p.UID)
		}
		slices.Sort(all)
		return all
	}
	before := uids()
	d := &appsv1.Deployment{}
	w.get(d, c.Name)
	if err := w.api.Delete(t.Context(), d, client.PropagationPolicy(metav1.DeletePropagationOrphan)); err != nil {
		t.Fatal(err)
	}
	r.await("it is made again", func() error {
		again := &appsv1.Deployment{}
		if err := r.applyOnce(c); err != nil {
			return err
		}
		if err := w.api.Get(t.Context(), client.ObjectKeyFromObject(d), again); err != nil || again.UID == d.UID || again.Status.ObservedGeneration == 0 {
			return fmt.Errorf("it is %s, %w", again.UID, err)
		}
		return nil
	})
	if n := w.asked(c); n != 3 {
		t.Errorf("%d replicas are asked for, want 3", n)
	}
	r.settle(c)
	if diff := cmp.Diff(before, uids()); diff != "" {
		t.Errorf("pods (-before +after):\n%s", diff)
	}
}
