package kubernetes

import (
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

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
				ContainerStatuses: []corev1.ContainerStatus{{Name: "etcd", Started: &started, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(now.Add(-since))}}}},
			},
		}
	}
	current := func() *corev1.Pod { return make("new", true, time.Hour, true) }
	starting := func() *corev1.Pod { return make("new", false, time.Second, false) }
	startsFor := func(since time.Duration) *corev1.Pod { return make("new", false, since, false) }
	pulling := func() *corev1.Pod {
		p := make("new", false, time.Hour, false)
		p.Status.ContainerStatuses[0].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff"}}
		return p
	}
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
		// refusing is what it says of who turns others away.
		refusing []int
		want     int // none is -1
		after    time.Duration
		why      string
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
		"AllTurnUsAway":          {pods: pods{old(), old(), old()}, serves: map[int]bool{}, want: 2, why: "they run and have a leader, which the kubelet has asked, and each is let in by the others"},
		"TheFirstIsBack":         {pods: pods{old(), old(), current()}, serves: map[int]bool{2: true}, want: 1, why: "it is well"},
		"TheFirstIsKeptOut":      {pods: pods{old(), old(), startsFor(time.Minute)}, serves: map[int]bool{2: false}, refusing: []int{0, 1}, want: -1, after: 9 * time.Minute, why: "it may be about to come in"},
		"ItIsKeptOutForLong":     {pods: pods{old(), old(), startsFor(10 * time.Minute)}, serves: map[int]bool{2: false}, refusing: []int{0, 1}, want: 1, why: "it would be so for ever"},
		"TwoAreKeptOut":          {pods: pods{old(), starting(), startsFor(time.Hour)}, serves: map[int]bool{1: false, 2: false}, refusing: []int{0}, want: -1, after: 599 * time.Second, why: "they are about to find each other"},
		"TheLastIsInNobodysWay":  {pods: pods{old(), current(), current()}, serves: map[int]bool{1: true, 2: true}, refusing: []int{0}, want: 0, why: "all others serve"},
		"NobodyTurnsItAway":      {pods: pods{old(), old(), startsFor(time.Hour)}, serves: map[int]bool{2: false}, want: -1, why: "what was applied does not start: two would be down"},
		"ItHasBeenIn":            {pods: pods{old(), old(), make("new", false, time.Hour, true)}, serves: map[int]bool{2: false}, refusing: []int{0, 1}, want: -1, why: "its machine has died, say: two would be down"},
		"ItDoesNotRun":           {pods: pods{old(), old(), pulling()}, serves: map[int]bool{2: false}, refusing: []int{0, 1}, want: -1, why: "it was not turned away yet"},
		"ItIsNotMadeYet":         {pods: pods{old(), old(), nil}, serves: map[int]bool{2: false}, refusing: []int{0, 1}, want: -1, why: "it was not turned away yet"},
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
			c := component.Component{Name: "etcd-default", Replicas: len(tc.pods), RollLast: tc.last, Serves: tc.serves, Refusing: tc.refusing, Main: component.Process{Name: "etcd"}}
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
