package main

import (
	"context"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	probetest "k8s.io/kubernetes/pkg/kubelet/prober/testing"
)

// pods stands where the kubelet has its probes. Nothing runs that could answer
// one, so a container is ready when it runs (upstream's fake calls every container
// ready, even one that could not be started).
//
// Being told of each pod before its containers start, it also remembers which of
// them are to finish: over CRI an init container looks like any other.
type pods struct {
	probetest.FakeManager

	mu       sync.Mutex
	finishes map[types.UID]sets.Set[string] // names of containers by pod
}

func newPods() *pods { return &pods{finishes: map[types.UID]sets.Set[string]{}} }

// AddPod is called at each sync of a pod that shall run.
func (p *pods) AddPod(_ context.Context, pod *corev1.Pod) {
	names := sets.New[string]()
	for _, c := range pod.Spec.InitContainers {
		if c.RestartPolicy == nil || *c.RestartPolicy != corev1.ContainerRestartPolicyAlways { // else a sidecar
			names.Insert(c.Name)
		}
	}
	if owner := metav1.GetControllerOf(pod); owner != nil && owner.Kind == "Job" {
		for _, c := range pod.Spec.Containers {
			names.Insert(c.Name)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.finishes[pod.UID] = names
}

// RemovePod is called when a pod has stopped.
func (p *pods) RemovePod(pod *corev1.Pod) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.finishes, pod.UID)
}

// CleanupPods forgets pods that vanished while the kubelet did not look.
func (p *pods) CleanupPods(desired map[types.UID]sets.Empty) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for uid := range p.finishes {
		if _, ok := desired[uid]; !ok {
			delete(p.finishes, uid)
		}
	}
}

// finish says whether a container is done once it was started.
func (p *pods) finish(pod types.UID, container string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.finishes[pod].Has(container)
}

// UpdatePodStatus fills in what probes would have found out.
func (p *pods) UpdatePodStatus(_ context.Context, _ *corev1.Pod, status *corev1.PodStatus) {
	for _, statuses := range [][]corev1.ContainerStatus{status.InitContainerStatuses, status.ContainerStatuses} {
		for i := range statuses {
			running := statuses[i].State.Running != nil
			statuses[i].Started = &running
			statuses[i].Ready = running
		}
	}
	for i, s := range status.InitContainerStatuses {
		if done := s.State.Terminated; done != nil && done.ExitCode == 0 {
			status.InitContainerStatuses[i].Ready = true
		}
	}
}
