package main

import (
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/grpc"

	"k8s.io/apimachinery/pkg/types"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
	"k8s.io/cri-client/pkg/fake"
	kubelettypes "k8s.io/kubelet/pkg/types"
)

// runtime is a container runtime without containers: upstream's fake behind a
// real socket, because the kubelet always dials one. A container runs as soon as
// it is started and until it is stopped. What is added: init containers finish,
// pods have an address of their own out of the node's range, none on the host's
// network.
type runtime struct {
	*fake.RemoteRuntime
	server *grpc.Server
	pods   *pods

	// Both guarded by the lock of RuntimeService, as the sandboxes are.
	podCIDR netip.Prefix
	lastIP  netip.Addr
}

func newRuntime(pods *pods) *runtime {
	r := &runtime{RemoteRuntime: fake.NewFakeRemoteRuntime(), server: grpc.NewServer(), pods: pods}
	r.ImageService.SetFakeImageSize(1 << 20) // the client refuses an image without a size
	r.RuntimeService.FakeStatus = &cri.RuntimeStatus{Conditions: []*cri.RuntimeCondition{
		{Type: cri.RuntimeReady, Status: true},
		{Type: cri.NetworkReady, Status: true},
	}}
	return r
}

// startRuntime serves a runtime on socket until Stop.
func startRuntime(socket string, pods *pods) (*runtime, error) {
	r := newRuntime(pods)
	cri.RegisterRuntimeServiceServer(r.server, r)
	cri.RegisterImageServiceServer(r.server, r)
	// What a killed predecessor left behind.
	if err := os.Remove(socket); err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return nil, err
	}
	go func() { _ = r.server.Serve(listener) }() // ends with Stop, or the kubelet notices
	return r, nil
}

// Stop ends the server and removes its socket.
func (r *runtime) Stop() { r.server.Stop() }

// Status is called every few seconds. Upstream's fakes note every call for tests
// and would grow forever.
func (r *runtime) Status(ctx context.Context, req *cri.StatusRequest) (*cri.StatusResponse, error) {
	r.RuntimeService.Lock()
	r.RuntimeService.Called = nil
	r.RuntimeService.Unlock()
	r.ImageService.Lock()
	r.ImageService.Called = nil
	r.ImageService.Unlock()
	return r.RemoteRuntime.Status(ctx, req)
}

// UpdateRuntimeConfig is how the kubelet passes on the Node's podCIDR.
func (r *runtime) UpdateRuntimeConfig(ctx context.Context, req *cri.UpdateRuntimeConfigRequest) (*cri.UpdateRuntimeConfigResponse, error) {
	// Dual stack comes as two ranges with a comma; without a range pods keep the fake's address.
	first, _, _ := strings.Cut(req.GetRuntimeConfig().GetNetworkConfig().GetPodCidr(), ",")
	if cidr, err := netip.ParsePrefix(first); err == nil {
		r.RuntimeService.Lock()
		r.podCIDR = cidr.Masked()
		r.RuntimeService.Unlock()
	}
	return r.RemoteRuntime.UpdateRuntimeConfig(ctx, req)
}

// RunPodSandbox gives the new pod its address.
func (r *runtime) RunPodSandbox(ctx context.Context, req *cri.RunPodSandboxRequest) (*cri.RunPodSandboxResponse, error) {
	response, err := r.RemoteRuntime.RunPodSandbox(ctx, req)
	if err != nil {
		return nil, err
	}
	r.RuntimeService.Lock()
	defer r.RuntimeService.Unlock()
	network := r.RuntimeService.Sandboxes[response.PodSandboxId].Network
	namespaces := req.GetConfig().GetLinux().GetSecurityContext().GetNamespaceOptions()
	switch {
	case namespaces.GetNetwork() == cri.NamespaceMode_NODE:
		network.Ip = "" // the kubelet reports the node's
	case r.podCIDR.IsValid():
		network.Ip = r.nextIP().String()
	}
	return response, nil
}

// CreateContainer notes where the kubelet will look for the container's log.
func (r *runtime) CreateContainer(ctx context.Context, req *cri.CreateContainerRequest) (*cri.CreateContainerResponse, error) {
	response, err := r.RemoteRuntime.CreateContainer(ctx, req)
	if err != nil {
		return nil, err
	}
	r.RuntimeService.Lock()
	defer r.RuntimeService.Unlock()
	r.RuntimeService.Containers[response.ContainerId].LogPath =
		filepath.Join(req.GetSandboxConfig().GetLogDirectory(), req.GetConfig().GetLogPath())
	return response, nil
}

// StartContainer ends a container as soon as it runs if nothing else would end it,
// and writes its log.
func (r *runtime) StartContainer(ctx context.Context, req *cri.StartContainerRequest) (*cri.StartContainerResponse, error) {
	response, err := r.RemoteRuntime.StartContainer(ctx, req)
	if err != nil {
		return nil, err
	}
	r.RuntimeService.Lock()
	defer r.RuntimeService.Unlock()
	container := r.RuntimeService.Containers[req.ContainerId]
	pod := types.UID(kubelettypes.GetPodUID(container.Labels))
	if r.pods.finish(pod, kubelettypes.GetContainerName(container.Labels)) {
		container.State = cri.ContainerState_CONTAINER_EXITED
		container.FinishedAt = container.StartedAt
		container.Reason = "Completed"
	}
	return response, writeLog(container.LogPath, time.Unix(0, container.StartedAt))
}

// writeLog gives kubectl logs something to show: a way to see that the API server
// reaches this kubelet.
func writeLog(path string, at time.Time) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	line := at.UTC().Format(time.RFC3339Nano) + " stdout F A hollow node runs no containers; this one only seems to.\n"
	return os.WriteFile(path, []byte(line), 0o600)
}

// RemoveContainer also removes the log and, with their last one, the folders of
// the container and of the pod.
func (r *runtime) RemoveContainer(ctx context.Context, req *cri.RemoveContainerRequest) (*cri.RemoveContainerResponse, error) {
	r.RuntimeService.Lock()
	if container, ok := r.RuntimeService.Containers[req.ContainerId]; ok {
		path := container.LogPath
		for range 3 {
			if os.Remove(path) != nil {
				break
			}
			path = filepath.Dir(path)
		}
	}
	r.RuntimeService.Unlock()
	return r.RemoteRuntime.RemoveContainer(ctx, req)
}

// nextIP is the next free address of the node's range, going round. The first two
// are the network's and, as with the usual CNI plugins, the bridge's.
func (r *runtime) nextIP() netip.Addr {
	used := map[string]bool{}
	for _, sandbox := range r.RuntimeService.Sandboxes {
		if sandbox.State == cri.PodSandboxState_SANDBOX_READY {
			used[sandbox.Network.GetIp()] = true
		}
	}
	first := r.podCIDR.Addr().Next().Next()
	ip := r.lastIP
	for range len(used) + 1 {
		if ip = ip.Next(); !r.podCIDR.Contains(ip) {
			ip = first
		}
		if !used[ip.String()] {
			break
		}
	}
	r.lastIP = ip
	return ip
}
