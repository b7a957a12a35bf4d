// hollow-node is a kubelet that runs no containers. The kubelet is the real one
// and joins the way a node does: bootstrap token, CSR, client certificate with
// rotation, serving certificate by CSR, Node, Lease, CSINode, pod status. Only
// what would touch the machine is replaced: container runtime, cgroups, mounts,
// cAdvisor, host paths, iptables. So it needs no root, and many run side by side.
//
// It knows nothing of Marina. Like a kubelet it waits as long as its CSR is
// pending, but ends when for five minutes it is refused (a token that expired, a
// certificate that did); whoever starts it restarts it.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	genericapiserver "k8s.io/apiserver/pkg/server"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	cliflag "k8s.io/component-base/cli/flag"
	"k8s.io/component-base/logs"
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // rest client metrics on /metrics
	_ "k8s.io/component-base/metrics/prometheus/version"  // kubernetes_build_info on /metrics
	"k8s.io/component-base/version/verflag"
	"k8s.io/klog/v2"
	kubeletapp "k8s.io/kubernetes/cmd/kubelet/app"
)

func main() {
	flags := pflag.NewFlagSet("hollow-node", pflag.ExitOnError)
	flags.SetNormalizeFunc(cliflag.WordSepNormalizeFunc)
	var o options
	o.addFlags(flags)
	logs.AddFlags(flags)
	verflag.AddFlags(flags)
	_ = flags.Parse(os.Args[1:]) // ExitOnError: it does not return an error
	verflag.PrintAndExitIfRequested()

	logs.InitLogs()
	defer logs.FlushLogs()
	if err := run(genericapiserver.SetupSignalContext(), o); err != nil {
		fmt.Fprintln(os.Stderr, "hollow-node:", err)
		logs.FlushLogs()
		os.Exit(1)
	}
}

// run is the node's life. It returns when ctx ends or the kubelet cannot start.
func run(ctx context.Context, o options) error {
	if err := o.complete(); err != nil {
		return err
	}
	// The runtime begins empty, so a predecessor's logs belong to no container.
	if err := os.RemoveAll(filepath.Join(o.rootDir, "pod-logs")); err != nil {
		return err
	}
	for _, dir := range []string{"", "pki", "manifests", "pod-logs"} {
		if err := os.MkdirAll(filepath.Join(o.rootDir, dir), 0o750); err != nil {
			return err
		}
	}
	base, err := loadConfig(ctx, o.config)
	if err != nil {
		return err
	}
	place, err := findPlace(o)
	if err != nil {
		return err
	}
	server, err := configure(o, base, place)
	if err != nil {
		return err
	}

	pods := newPods()
	runtime, err := startRuntime(place.runtimeSocket(), pods)
	if err != nil {
		return fmt.Errorf("container runtime: %w", err)
	}
	defer runtime.Stop()

	deps, err := dependencies(ctx, o, server, pods)
	if err != nil {
		return err
	}
	klog.InfoS("Starting hollow node", "node", o.name, "rootDir", o.rootDir,
		"address", server.Address, "port", server.Port)
	utilfeature.DefaultMutableFeatureGate.AddMetrics()
	return kubeletapp.Run(ctx, server, deps, utilfeature.DefaultFeatureGate)
}
