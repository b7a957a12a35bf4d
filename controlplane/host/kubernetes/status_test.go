package kubernetes

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/marina-dev/marina/controlplane/component"
)

// a pod of a Component, with what it runs and whether it is ready.
func a(name, template string, isReady bool) corev1.Pod {
	status := corev1.ConditionFalse
	if isReady {
		status = corev1.ConditionTrue
	}
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{AnnotationTemplate: template}},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: status}}},
	}
}

func leaving(p corev1.Pod) corev1.Pod { p.DeletionTimestamp = &metav1.Time{}; return p }

func failed(p corev1.Pod) corev1.Pod { p.Status.Phase = corev1.PodFailed; return p }

func waiting(p corev1.Pod, reason, message string) corev1.Pod {
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: "main", Image: "marina.local/main:v1", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}},
	}}
	return p
}

func TestStatus(t *testing.T) {
	claim := func(i int, phase corev1.PersistentVolumeClaimPhase, uid string) corev1.PersistentVolumeClaim {
		c := corev1.PersistentVolumeClaim{Status: corev1.PersistentVolumeClaimStatus{Phase: phase}}
		c.Name, c.UID = claimOf("etcd", i), types.UID(uid)
		return c
	}
	cases := map[string]struct {
		o    observation
		want component.Status
		done bool
	}{
		"NothingYet": {o: observation{name: "main", seen: goal{3, "new"}}, want: component.Status{Replicas: 3}},
		"Done": {
			o:    observation{name: "main", seen: goal{3, "new"}, pods: []corev1.Pod{a("main-a", "new", true), a("main-b", "new", true), a("main-c", "new", true)}},
			want: component.Status{Replicas: 3, Ready: 3, Updated: 3}, done: true,
		},
		"OneMoreInARollingUpdate": {
			o: observation{name: "main", seen: goal{3, "new"}, pods: []corev1.Pod{
				a("main-a", "new", true), a("main-b", "new", true), a("main-c", "new", false), a("main-d", "old", true)}},
			want: component.Status{Replicas: 3, Ready: 3, Updated: 2},
		},
		"TheLastOldOneLeaves": {
			o: observation{name: "main", seen: goal{3, "new"}, pods: []corev1.Pod{
				a("main-a", "new", true), a("main-b", "new", true), a("main-c", "new", true), leaving(a("main-d", "old", true))}},
			want: component.Status{Replicas: 3, Ready: 3, Updated: 3}, done: true,
		},
		"WhereReadyOnesAreAsked": {
			o: observation{name: "main", seen: goal{3, "new"}, pods: []corev1.Pod{
				asked(a("main-a", "new", true), "10.0.0.1"), asked(a("main-b", "new", false), "10.0.0.2"), asked(a("main-c", "new", true), "10.0.0.3")}},
			want: component.Status{Replicas: 3, Ready: 2, Updated: 3, Serving: []component.HostPort{{Host: "10.0.0.1", Port: 6443}, {Host: "10.0.0.3", Port: 6443}}},
		},
		"WhatHasFailedIsNoReplica": {
			o:    observation{name: "main", seen: goal{1, "new"}, pods: []corev1.Pod{a("main-a", "new", true), failed(a("main-b", "old", false))}},
			want: component.Status{Replicas: 1, Ready: 1, Updated: 1}, done: true,
		},
		"TheSameReasonIsToldOnce": {
			o: observation{name: "main", seen: goal{2, "new"}, pods: []corev1.Pod{
				waiting(a("main-b", "new", false), "ErrImagePull", "not found"), waiting(a("main-a", "new", false), "ErrImagePull", "not found")}},
			want: component.Status{Replicas: 2, Updated: 2, Message: "main-a, main-b: main cannot have its image marina.local/main:v1: ErrImagePull: not found"},
		},
		"PodsCannotBeMade": {
			o: observation{name: "main", seen: goal{1, "new"}, conditions: []appsv1.DeploymentCondition{
				{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Message: `exceeded quota`}}},
			want: component.Status{Replicas: 1, Message: "pods cannot be made: exceeded quota"},
		},
		"Ordinals": {
			o: observation{
				name: "etcd", data: true, seen: goal{3, "new"},
				pods:   []corev1.Pod{a("etcd-2", "new", true), a("etcd-0", "old", true), a("etcd-7", "old", false), a("etcd-x", "old", true)},
				claims: []corev1.PersistentVolumeClaim{claim(0, corev1.ClaimBound, "zero"), claim(1, corev1.ClaimPending, "one"), claim(2, corev1.ClaimBound, "two"), claim(7, corev1.ClaimBound, "seven")},
			},
			want: component.Status{Replicas: 3, Ready: 2, Updated: 1, ReadyOrdinals: []int{0, 2}, Data: []string{"zero", "", "two"}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := tc.o.status()
			if diff := cmp.Diff(tc.want, got); diff != "" || got.Done() != tc.done {
				t.Errorf("done %v, want %v; (-want +got):\n%s", got.Done(), tc.done, diff)
			}
		})
	}
}

// asked is a pod that is asked at an address whether it is ready.
func asked(p corev1.Pod, at string) corev1.Pod {
	p.Status.PodIP = at
	probe := &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Port: intstr.FromInt32(6443)}}}
	p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: "main", ReadinessProbe: probe})
	return p
}

func TestExplain(t *testing.T) {
	pod := func(change func(*corev1.Pod)) *corev1.Pod {
		p := a("etcd-1", "new", false)
		change(&p)
		return &p
	}
	main := func(change func(*corev1.ContainerStatus)) *corev1.Pod {
		return pod(func(p *corev1.Pod) {
			s := corev1.ContainerStatus{Name: "etcd", Image: "marina.local/etcd:v3"}
			change(&s)
			p.Status.ContainerStatuses = []corev1.ContainerStatus{s}
		})
	}
	ended := func(code int32, reason, message string) corev1.ContainerState {
		return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason, Message: message}}
	}
	lost := corev1.PersistentVolumeClaim{Status: corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimLost}}
	lost.Name = "data-etcd-1"
	lostAlone := *lost.DeepCopy()
	lostAlone.Name = "data-snapshot-x-0"
	pending := corev1.PersistentVolumeClaim{Status: corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimPending}}
	pending.Name, pending.Annotations = "data-etcd-1", map[string]string{annotationSelectedNode: "node-a"}
	unschedulable := pod(func(p *corev1.Pod) {
		p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{
			Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/3 nodes are available: 3 Insufficient memory.",
		})
	})
	alone := unschedulable.DeepCopy()
	alone.Name = "snapshot-x-0"
	cases := map[string]struct {
		pod    *corev1.Pod
		claims []corev1.PersistentVolumeClaim
		alone  bool
		want   string
	}{
		"NothingIsWrong": {pod: main(func(s *corev1.ContainerStatus) {
			s.State.Waiting = &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}
		})},
		"Starting":               {pod: main(func(s *corev1.ContainerStatus) { s.State.Running = &corev1.ContainerStateRunning{} })},
		"Unschedulable":          {pod: unschedulable, want: "etcd-1: cannot be scheduled: 0/3 nodes are available: 3 Insufficient memory."},
		"VolumeLost":             {pod: unschedulable, claims: []corev1.PersistentVolumeClaim{lost}, want: "etcd-1: the volume of its PersistentVolumeClaim data-etcd-1 is lost: bring it back; if all others are well it begins with nothing, ten minutes after it has ceased to be ready"},
		"VolumeLostOfTheOnlyOne": {pod: alone, alone: true, claims: []corev1.PersistentVolumeClaim{lostAlone}, want: "snapshot-x-0: the volume of its PersistentVolumeClaim data-snapshot-x-0 is lost: bring it back, or delete the claim and the pod: it begins with nothing then"},
		"VolumePending":          {pod: pod(func(*corev1.Pod) {}), claims: []corev1.PersistentVolumeClaim{pending}, want: "etcd-1: waits for a volume for its PersistentVolumeClaim data-etcd-1"},
		"NoImage": {
			pod: main(func(s *corev1.ContainerStatus) {
				s.State.Waiting = &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "Back-off pulling image"}
			}),
			want: "etcd-1: etcd cannot have its image marina.local/etcd:v3: ImagePullBackOff: Back-off pulling image",
		},
		"CrashLoop": {
			pod: main(func(s *corev1.ContainerStatus) {
				s.RestartCount = 4
				s.State.Waiting = &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off 40s"}
				s.LastTerminationState = ended(1, "Error", "first\n{\"msg\":\"cannot listen\"}\n")
			}),
			want: `etcd-1: etcd was restarted 4 times and waits for the next: ended with status 1: {"msg":"cannot listen"}`,
		},
		"OutOfMemory": {
			pod: main(func(s *corev1.ContainerStatus) {
				s.State.Running = &corev1.ContainerStateRunning{}
				s.LastTerminationState = ended(137, "OOMKilled", "")
			}),
			want: "etcd-1: etcd was killed for want of memory: it is limited to less than it needs",
		},
		"WhatWasBeforeItStartedIsOver": {pod: main(func(s *corev1.ContainerStatus) {
			s.Started, s.State.Running = ptr.To(true), &corev1.ContainerStateRunning{}
			s.LastTerminationState = ended(1, "Error", "old")
		})},
		"ASidecar": {
			pod: pod(func(p *corev1.Pod) {
				p.Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: "proxy", State: ended(2, "Error", "")}}
			}),
			want: "etcd-1: proxy ended with status 2",
		},
		"NoConfig": {
			pod: main(func(s *corev1.ContainerStatus) {
				s.State.Waiting = &corev1.ContainerStateWaiting{Reason: "CreateContainerConfigError", Message: "secret not found"}
			}),
			want: "etcd-1: etcd CreateContainerConfigError: secret not found",
		},
		"NodeSilent": {
			pod: pod(func(p *corev1.Pod) {
				p.Spec.NodeName, p.Status.Conditions[0].Status = "node-a", corev1.ConditionUnknown
			}),
			want: "etcd-1: its node node-a does not answer",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := explain(tc.pod, tc.claims, tc.alone); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
	if got := lastLine("a\n" + strings.Repeat("é", 500)); len(got) > longest+len("…") || !strings.HasSuffix(got, "…") || !slices.Contains([]int{longest + 3, longest + 2}, len(got)) {
		t.Errorf("a long line becomes %d bytes", len(got))
	}
}
