package kubernetes

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/controlplane/component"
)

func TestNextPod(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	// The pods as words: what they run, whether they are ready or for how long not.
	type pods []*corev1.Pod
	make := func(template string, ready bool, since time.Duration, started bool) *corev1.Pod {
		status := corev1.ConditionFalse
		if ready {
			status = corev1.ConditionTrue
		}
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{AnnotationTemplate: template}},
			Status: corev1.PodStatus{
				Conditions:        []corev1.PodCondition{{Type: corev1.PodReady, Status: status, LastTransitionTime: metav1.NewTime(now.Add(-since))}},
				ContainerStatuses: []corev1.ContainerStatus{{Name: "etcd", Started: &started, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}},
			},
		}
	}
	current := func() *corev1.Pod { return make("new", true, time.Hour, true) }
	starting := func() *corev1.Pod { return make("new", false, time.Second, false) }
	old := func() *corev1.Pod { return make("old", true, time.Hour, true) }
	oldCrashing := func() *corev1.Pod {
		p := make("old", false, time.Second, false)
		p.Status.ContainerStatuses[0].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}
		return p
	}
	oldStarting := func() *corev1.Pod { return make("old", false, time.Second, false) }
	oldNotReady := func(since time.Duration) *corev1.Pod { return make("old", false, since, true) }
	leaving := func(p *corev1.Pod) *corev1.Pod { p.DeletionTimestamp = &metav1.Time{Time: now}; return p }

	all := func(serves bool) map[int]bool { return map[int]bool{0: serves, 1: serves, 2: serves} }

	cases := map[string]struct {
		pods pods
		last []int
		// serves is what the Component says of who serves.
		serves map[int]bool
		want   int // none is -1
		after  time.Duration
		why    string
	}{
		"AllIsWell":                   {pods: pods{current(), current(), current()}, want: -1, why: "nothing changed"},
		"Begins":                      {pods: pods{old(), old(), old()}, want: 2, why: "one at a time, the last first"},
		"GoesOn":                      {pods: pods{old(), old(), current()}, want: 1, why: "the new one is ready"},
		"WaitsForTheNewOne":           {pods: pods{old(), old(), starting()}, want: -1, why: "two would be down"},
		"WaitsForTheOldOneToEnd":      {pods: pods{old(), old(), leaving(old())}, want: -1, why: "one is down"},
		"WaitsForTheNewOneToBeMade":   {pods: pods{old(), old(), nil}, want: -1, why: "one is down"},
		"LeaderLast":                  {pods: pods{old(), old(), old()}, last: []int{2}, want: 1, why: "it would have to be elected again"},
		"LeaderLastWhereverItIs":      {pods: pods{old(), old(), current()}, last: []int{0}, want: 1, why: "it would have to be elected again"},
		"EndsWithTheLeader":           {pods: pods{current(), current(), old()}, last: []int{2}, want: 2, why: "last is not never"},
		"WhatDoesNotServeFirst":       {pods: pods{oldNotReady(time.Second), old(), old()}, want: 0, why: "nothing is lost by it"},
		"EvenTheLeader":               {pods: pods{old(), oldNotReady(time.Second), old()}, last: []int{1}, want: 1, why: "it leads nobody"},
		"WhatCrashes":                 {pods: pods{old(), oldCrashing(), starting()}, want: 1, why: "what is applied may be what makes it serve, and the other may need it"},
		"WhatHasNeverBeenReady":       {pods: pods{oldStarting(), oldStarting(), starting()}, want: 0, why: "a mistake in all of them is corrected in all of them"},
		"NotWhatIsInAnElection":       {pods: pods{old(), oldNotReady(10 * time.Second), starting()}, want: -1, after: 50 * time.Second, why: "it serves again in a moment, and is the majority"},
		"ButWhatIsNotReadyForLong":    {pods: pods{old(), oldNotReady(time.Minute), starting()}, want: 1, why: "it does not come back by itself"},
		"NotOneThatIsReplacedAlready": {pods: pods{old(), leaving(oldCrashing()), current()}, want: -1, why: "it is on its way"},
		"ASingleOne":                  {pods: pods{old()}, want: 0, why: "there is no other way"},

		"AllServe":               {pods: pods{old(), old(), old()}, serves: all(true), want: 2, why: "the same as without having asked"},
		"ItWasAskedBefore":       {pods: pods{old(), old(), starting()}, serves: all(true), want: -1, why: "who has answered is not there any more"},
		"NobodyWasAsked":         {pods: pods{old(), old(), old()}, serves: all(false), want: -1, why: "nobody may be counted on"},
		"ADeadMachinesPod":       {pods: pods{current(), old(), old()}, serves: map[int]bool{0: false, 1: true, 2: true}, want: -1, why: "the kubelet's Ready is old: the first does not answer, and another one would be the majority"},
		"ADeadMachinesOld":       {pods: pods{old(), old(), old()}, serves: map[int]bool{0: false, 1: true, 2: true}, want: 0, why: "it is the only one that does not serve"},
		"AnElection":             {pods: pods{old(), old(), old()}, serves: map[int]bool{0: true, 1: false, 2: false}, want: -1, why: "Ready for an hour does not make it replaceable"},
		"OnlyKubernetesLost":     {pods: pods{old(), oldNotReady(time.Hour), oldNotReady(time.Hour)}, serves: map[int]bool{0: false, 1: true, 2: true}, want: 0, why: "two serve on machines that Kubernetes has lost: without them there is no quorum"},
		"LostButServing":         {pods: pods{oldNotReady(time.Hour), oldNotReady(time.Hour), oldNotReady(time.Hour)}, serves: map[int]bool{0: false, 1: true, 2: true}, want: 0, why: "the one that does not serve, and no other"},
		"LostAndTheNewOneStarts": {pods: pods{starting(), oldNotReady(time.Hour), oldNotReady(time.Hour)}, serves: map[int]bool{0: false, 1: true, 2: true}, want: -1, why: "both serve, and one is missing already"},
		"NotReadyButServing":     {pods: pods{oldNotReady(time.Hour), old(), old()}, serves: all(true), want: 0, why: "what is applied may be what makes it ready"},
		"WhatWasNotAsked":        {pods: pods{old(), oldCrashing(), old()}, serves: map[int]bool{0: true, 2: true}, want: 1, why: "there the kubelet's word counts"},
		"LeavingIsNotServing":    {pods: pods{old(), leaving(old()), old()}, serves: all(true), want: -1, why: "it still answers, but it is on its way"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var list []corev1.Pod
			for i, p := range tc.pods {
				if p != nil {
					p.Name = replicaOf("etcd-default", i)
					list = append(list, *p)
				}
			}
			// One that is not asked for says nothing.
			surplus := *oldCrashing()
			surplus.Name = replicaOf("etcd-default", 7)
			slices.Reverse(list)
			c := component.Component{Name: "etcd-default", Replicas: len(tc.pods), RollLast: tc.last, Serves: tc.serves, Main: component.Process{Name: "etcd"}}
			next, after := nextPod(append(list, surplus), c, "new", now)
			want := ""
			if tc.want >= 0 {
				want = replicaOf("etcd-default", tc.want)
			}
			got := ""
			if next != nil {
				got = next.Name
			}
			if got != want || after != tc.after {
				t.Errorf("%q, after %s: want %q, after %s: %s", got, after, want, tc.after, tc.why)
			}
		})
	}
}

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

func TestAStatefulSetIsReplacedOneByOneAndTheLeaderLast(t *testing.T) {
	w := newWorld(t)
	c := w.stateful()
	r := w.run()
	r.settle(c)
	record := w.record()
	c.Main.Args = append(c.Main.Args, "--more")
	c.RollLast = []int{1}
	r.settle(c)
	w.await("all were replaced", func() error {
		gone, fewest := record.seen()
		if diff := cmp.Diff([]string{"etcd-default-2", "etcd-default-0", "etcd-default-1"}, gone); diff != "" || fewest != 2 {
			return fmt.Errorf("at least %d were ready; replaced (-want +got):\n%s", fewest, diff)
		}
		return nil
	})
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
	// Who begins later is told.
	p := &corev1.Pod{}
	w.get(p, "etcd-default-1")
	if err := w.api.Delete(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	w.awaitArg("etcd-default-1", "--state=existing")
	r.settle(c)
	if gone, _ := record.seen(); len(gone) != 1 {
		t.Errorf("%q were replaced, want the one that was deleted", gone)
	}
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
	w.await("all were replaced", func() error {
		gone, fewest := record.seen()
		if len(gone) != 3 || fewest != 2 {
			return fmt.Errorf("%q are gone, at least %d were ready", gone, fewest)
		}
		return nil
	})
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
