package main

import (
	"os"
	"path/filepath"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

func testRuntime(t testing.TB, podCIDR string) *runtime {
	t.Helper()
	r := newRuntime(newPods())
	_, err := r.UpdateRuntimeConfig(t.Context(), &cri.UpdateRuntimeConfigRequest{
		RuntimeConfig: &cri.RuntimeConfig{NetworkConfig: &cri.NetworkConfig{PodCidr: podCIDR}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func sandboxConfig(name string, network cri.NamespaceMode) *cri.PodSandboxConfig {
	return &cri.PodSandboxConfig{
		Metadata: &cri.PodSandboxMetadata{Name: name, Namespace: "default", Uid: "uid-" + name},
		Linux: &cri.LinuxPodSandboxConfig{SecurityContext: &cri.LinuxSandboxSecurityContext{
			NamespaceOptions: &cri.NamespaceOption{Network: network},
		}},
	}
}

// runPod returns the sandbox of a new pod and its address.
func runPod(t testing.TB, r *runtime, name string, network cri.NamespaceMode) (id, ip string) {
	t.Helper()
	sandbox, err := r.RunPodSandbox(t.Context(), &cri.RunPodSandboxRequest{Config: sandboxConfig(name, network)})
	if err != nil {
		t.Fatal(err)
	}
	status, err := r.PodSandboxStatus(t.Context(), &cri.PodSandboxStatusRequest{PodSandboxId: sandbox.PodSandboxId})
	if err != nil {
		t.Fatal(err)
	}
	return sandbox.PodSandboxId, status.Status.Network.Ip
}

func TestPodAddresses(t *testing.T) {
	r := testRuntime(t, "10.244.3.0/30,fd00::/64")
	a, ip := runPod(t, r, "a", cri.NamespaceMode_POD)
	if ip != "10.244.3.2" {
		t.Errorf("the first pod has %s, want the first address after the bridge's", ip)
	}
	if _, ip := runPod(t, r, "b", cri.NamespaceMode_POD); ip != "10.244.3.3" {
		t.Errorf("the second pod has %s, want one of its own", ip)
	}
	if _, ip := runPod(t, r, "c", cri.NamespaceMode_NODE); ip != "" {
		t.Errorf("a pod on the host's network has %s, want none: the kubelet reports the node's", ip)
	}
	if _, err := r.StopPodSandbox(t.Context(), &cri.StopPodSandboxRequest{PodSandboxId: a}); err != nil {
		t.Fatal(err)
	}
	if _, ip := runPod(t, r, "d", cri.NamespaceMode_POD); ip != "10.244.3.2" {
		t.Errorf("after a pod went the next has %s, want the address that became free", ip)
	}
}

func TestPodWithoutARangeKeepsTheFakesAddress(t *testing.T) {
	if _, ip := runPod(t, testRuntime(t, ""), "a", cri.NamespaceMode_POD); ip == "" {
		t.Error("a pod has no address")
	}
}

func TestContainers(t *testing.T) {
	always := corev1.ContainerRestartPolicyAlways
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{UID: "uid-p"},
		Spec: corev1.PodSpec{
			InitContainers: []corev1.Container{{Name: "init"}, {Name: "sidecar", RestartPolicy: &always}},
			Containers:     []corev1.Container{{Name: "main"}},
		},
	}
	job := pod.DeepCopy()
	controller := true
	job.OwnerReferences = []metav1.OwnerReference{{Kind: "Job", Controller: &controller}}

	for name, tc := range map[string]struct {
		pod       *corev1.Pod
		container string
		want      cri.ContainerState
	}{
		"an init container finishes":            {pod, "init", cri.ContainerState_CONTAINER_EXITED},
		"a sidecar keeps running":               {pod, "sidecar", cri.ContainerState_CONTAINER_RUNNING},
		"a container keeps running":             {pod, "main", cri.ContainerState_CONTAINER_RUNNING},
		"a container of a Job finishes":         {job, "main", cri.ContainerState_CONTAINER_EXITED},
		"one of a pod never seen keeps running": {&corev1.Pod{}, "init", cri.ContainerState_CONTAINER_RUNNING},
	} {
		t.Run(name, func(t *testing.T) {
			r := testRuntime(t, "10.244.3.0/24")
			r.pods.AddPod(t.Context(), tc.pod)
			logs := t.TempDir()
			sandbox, _ := runPod(t, r, "p", cri.NamespaceMode_POD)
			config := sandboxConfig("p", cri.NamespaceMode_POD)
			config.LogDirectory = filepath.Join(logs, "default_p_uid-p")
			created, err := r.CreateContainer(t.Context(), &cri.CreateContainerRequest{
				PodSandboxId:  sandbox,
				SandboxConfig: config,
				Config: &cri.ContainerConfig{
					Metadata: &cri.ContainerMetadata{Name: tc.container},
					Image:    &cri.ImageSpec{Image: "any"},
					Labels: map[string]string{
						"io.kubernetes.pod.uid":        "uid-p",
						"io.kubernetes.container.name": tc.container,
					},
					LogPath: tc.container + "/0.log",
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.StartContainer(t.Context(), &cri.StartContainerRequest{ContainerId: created.ContainerId}); err != nil {
				t.Fatal(err)
			}
			got, err := r.ContainerStatus(t.Context(), &cri.ContainerStatusRequest{ContainerId: created.ContainerId})
			if err != nil {
				t.Fatal(err)
			}
			if got.Status.State != tc.want || got.Status.ExitCode != 0 {
				t.Errorf("state %s, exit code %d, want %s, 0", got.Status.State, got.Status.ExitCode, tc.want)
			}
			if _, err := os.Stat(got.Status.LogPath); err != nil {
				t.Errorf("kubectl logs would fail: %v", err)
			}

			if _, err := r.RemoveContainer(t.Context(), &cri.RemoveContainerRequest{ContainerId: created.ContainerId}); err != nil {
				t.Fatal(err)
			}
			left, err := os.ReadDir(logs)
			if err != nil || len(left) > 0 {
				t.Errorf("a removed container left its log: %v, %v", left, err)
			}
		})
	}
}
