package main

import (
	"context"
	"net"
	"reflect"
	"unsafe"

	"go.opentelemetry.io/otel/trace/noop"

	"k8s.io/client-go/tools/record"
	"k8s.io/klog/v2"
	kubeletapp "k8s.io/kubernetes/cmd/kubelet/app"
	kubeletoptions "k8s.io/kubernetes/cmd/kubelet/app/options"
	"k8s.io/kubernetes/pkg/kubelet"
	cadvisortest "k8s.io/kubernetes/pkg/kubelet/cadvisor/testing"
	"k8s.io/kubernetes/pkg/kubelet/cm"
	containertest "k8s.io/kubernetes/pkg/kubelet/container/testing"
	"k8s.io/kubernetes/pkg/util/oom"
	"k8s.io/kubernetes/pkg/volume"
	"k8s.io/kubernetes/pkg/volume/configmap"
	"k8s.io/kubernetes/pkg/volume/csi"
	"k8s.io/kubernetes/pkg/volume/downwardapi"
	"k8s.io/kubernetes/pkg/volume/emptydir"
	"k8s.io/kubernetes/pkg/volume/hostpath"
	"k8s.io/kubernetes/pkg/volume/nfs"
	"k8s.io/kubernetes/pkg/volume/projected"
	"k8s.io/kubernetes/pkg/volume/secret"
	"k8s.io/kubernetes/pkg/volume/util/hostutil"
	"k8s.io/kubernetes/pkg/volume/util/subpath"
	"k8s.io/mount-utils"
)

// dependencies are the kubelet's hands, all of them empty. The clients are left
// out on purpose: then the kubelet makes them itself, by the genuine bootstrap.
// The runtime clients too: it dials the endpoint of its configuration.
func dependencies(ctx context.Context, o options, server *kubeletoptions.KubeletServer, pods *pods) (*kubelet.Dependencies, error) {
	capacity, err := o.resources()
	if err != nil {
		return nil, err
	}
	tls, err := kubeletapp.InitializeTLS(ctx, &server.KubeletFlags, &server.KubeletConfiguration)
	if err != nil {
		return nil, err
	}
	return &kubelet.Dependencies{
		Options:           []kubelet.Option{acceptAnyNodeIP},
		TLSOptions:        tls,
		CAdvisorInterface: &cadvisortest.Fake{NodeName: o.name},
		// What device plugins report is copied over what cAdvisor found, which is
		// the one way to state cpu and memory in both minors.
		ContainerManager: cm.NewStubContainerManagerWithDevicePluginResource(capacity),
		ProbeManager:     pods,
		OSInterface:      &containertest.FakeOS{},
		OOMAdjuster:      oom.NewFakeOOMAdjuster(),
		Mounter:          mount.NewFakeMounter(nil),
		Subpather:        &subpath.FakeSubpath{},
		HostUtil:         hostutil.NewFakeHostUtil(nil),
		VolumePlugins:    volumePlugins(),
		TracerProvider:   noop.NewTracerProvider(),
		Recorder:         loggedEvents(ctx),
	}, nil
}

// volumePlugins are those whose volumes are files of the node's own directory
// (Secrets and tokens are really fetched), or only a mount, which the mounter
// pretends. CSI is there because it publishes the CSINode.
func volumePlugins() []volume.VolumePlugin {
	var all []volume.VolumePlugin
	all = append(all, configmap.ProbeVolumePlugins()...)
	all = append(all, csi.ProbeVolumePlugins()...)
	all = append(all, downwardapi.ProbeVolumePlugins()...)
	all = append(all, emptydir.ProbeVolumePlugins()...)
	// The variant that neither checks nor creates the path on this machine.
	all = append(all, hostpath.FakeProbeVolumePlugins(volume.VolumeConfig{})...)
	all = append(all, nfs.ProbeVolumePlugins(volume.VolumeConfig{})...)
	all = append(all, projected.ProbeVolumePlugins()...)
	all = append(all, secret.ProbeVolumePlugins()...)
	return all
}

// loggedEvents writes the kubelet's events to the log instead of the API: with any
// other recorder than upstream's fake it would read /dev/kmsg, which needs root.
func loggedEvents(ctx context.Context) record.EventRecorderLogger {
	recorder := record.NewFakeRecorder(100)
	go func() {
		for {
			select {
			case event := <-recorder.Events:
				klog.InfoS("Event", "event", event)
			case <-ctx.Done():
				return
			}
		}
	}()
	return recorder
}

// nodeIPCheck is the kubelet's field that holds the check of its node IP.
const nodeIPCheck = "nodeIPValidator"

// acceptAnyNodeIP takes out the rule that a node's IP is on an interface of this
// machine and no loopback: a simulated node has the address that its cloud gave
// it. The field is private; a test notices when a minor renames it.
func acceptAnyNodeIP(k *kubelet.Kubelet) {
	field := reflect.ValueOf(k).Elem().FieldByName(nodeIPCheck)
	*(*func(net.IP) error)(unsafe.Pointer(field.UnsafeAddr())) = func(net.IP) error { return nil }
}
