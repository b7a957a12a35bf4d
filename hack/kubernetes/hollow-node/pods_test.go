package main

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
)

func TestReadiness(t *testing.T) {
	status := &corev1.PodStatus{
		InitContainerStatuses: []corev1.ContainerStatus{
			{Name: "done", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}}},
			{Name: "failed", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1}}},
			{Name: "sidecar", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}},
		},
		ContainerStatuses: []corev1.ContainerStatus{
			{Name: "running", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}},
			{Name: "waiting", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{}}},
			{Name: "ended", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}}},
		},
	}
	newPods().UpdatePodStatus(t.Context(), nil, status)

	want := map[string]bool{"done": true, "failed": false, "sidecar": true, "running": true, "waiting": false, "ended": false}
	for _, s := range append(status.InitContainerStatuses, status.ContainerStatuses...) {
		if s.Ready != want[s.Name] {
			t.Errorf("container %s is ready=%t, want %t", s.Name, s.Ready, want[s.Name])
		}
	}
}

func TestPodsAreForgotten(t *testing.T) {
	p := newPods()
	for _, uid := range []types.UID{"stays", "stops", "vanishes"} {
		p.AddPod(t.Context(), &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{UID: uid},
			Spec:       corev1.PodSpec{InitContainers: []corev1.Container{{Name: "init"}}},
		})
	}
	p.RemovePod(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: "stops"}})
	p.CleanupPods(map[types.UID]sets.Empty{"stays": {}})

	for uid, want := range map[types.UID]bool{"stays": true, "stops": false, "vanishes": false} {
		if got := p.finish(uid, "init"); got != want {
			t.Errorf("pod that %s is remembered=%t, want %t", uid, got, want)
		}
	}
}
