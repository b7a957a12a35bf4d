package main

import (
	"context"
	"fmt"
	"path/filepath"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubeletoptions "k8s.io/kubernetes/cmd/kubelet/app/options"
	kubeletconfig "k8s.io/kubernetes/pkg/kubelet/apis/config"
	"k8s.io/kubernetes/pkg/kubelet/kubeletconfig/configfiles"
	utilfs "k8s.io/kubernetes/pkg/util/filesystem"
)

// loadConfig reads a KubeletConfiguration file; without one it is the defaults
// of this minor.
func loadConfig(ctx context.Context, path string) (*kubeletconfig.KubeletConfiguration, error) {
	if path == "" {
		return kubeletoptions.NewKubeletConfiguration()
	}
	loader, err := configfiles.NewFsLoader(&utilfs.DefaultFs{}, path)
	if err != nil {
		return nil, fmt.Errorf("--config: %w", err)
	}
	config, err := loader.Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("--config: %w", err)
	}
	return config, nil
}

// configure says how the kubelet runs: base as the tenant wrote it (frequencies,
// limits, DNS, features stay), what the flags say, and then everything that
// would reach for the machine taken out. It changes base.
func configure(o options, base *kubeletconfig.KubeletConfiguration, p place) (*kubeletoptions.KubeletServer, error) {
	taints, err := o.taints()
	if err != nil {
		return nil, err
	}
	flags := kubeletoptions.NewKubeletFlags()
	flags.HostnameOverride = o.name
	flags.BootstrapKubeconfig = o.bootstrapKubeconfig
	flags.KubeConfig = o.kubeconfig
	flags.RootDirectory = p.root
	flags.CertDirectory = filepath.Join(o.rootDir, "pki") // its path is written into the kubeconfig
	flags.NodeIP = o.nodeIP
	flags.CloudProvider = o.cloudProvider
	flags.NodeLabels = o.nodeLabels

	c := base
	c.ProviderID = o.providerID
	c.RegisterNode = true
	c.RegisterWithTaints = append(c.RegisterWithTaints, taints...)
	if p.address != "" {
		c.Address = p.address
	}
	c.Port = int32(p.port)

	withGenuineCertificates(c, p)
	withOwnPaths(c, o, p)
	withoutCgroups(c)
	withoutMachine(c)
	if err := kubeletoptions.ValidateKubeletFlags(flags); err != nil {
		return nil, err
	}
	return &kubeletoptions.KubeletServer{KubeletFlags: *flags, KubeletConfiguration: *c}, nil
}

// withGenuineCertificates makes both certificates come by CSR and be renewed,
// whatever the file says: it is what this program is for.
func withGenuineCertificates(c *kubeletconfig.KubeletConfiguration, p place) {
	c.RotateCertificates = true
	c.ServerTLSBootstrap = true
	c.TLSCertFile = ""
	c.TLSPrivateKeyFile = ""
	// The file names a path of a node's disk. The cluster's CA is in the kubeconfig too.
	c.Authentication.X509.ClientCAFile = p.clientCA
}

// withOwnPaths keeps the node inside its directory. Above all it must not pick up
// this machine's static pods.
func withOwnPaths(c *kubeletconfig.KubeletConfiguration, o options, p place) {
	c.ContainerRuntimeEndpoint = "unix://" + p.runtimeSocket()
	c.ImageServiceEndpoint = ""
	c.PodLogsDir = filepath.Join(o.rootDir, "pod-logs")
	c.VolumePluginDir = filepath.Join(o.rootDir, "volume-plugins")
	if c.StaticPodPath != "" {
		c.StaticPodPath = filepath.Join(o.rootDir, "manifests")
	}
	// A missing file would keep every pod from starting; no container reads it.
	c.ResolverConfig = ""
}

// withoutCgroups matches the stub container manager: what it does not do must not
// be asked for, or validation refuses it.
func withoutCgroups(c *kubeletconfig.KubeletConfiguration) {
	c.CgroupsPerQOS = false
	c.EnforceNodeAllocatable = nil
	c.CgroupRoot = ""
	c.KubeletCgroups = ""
	c.SystemCgroups = ""
	c.SystemReservedCgroup = ""
	c.KubeReservedCgroup = ""
	c.FailCgroupV1 = false
	c.FailSwapOn = false
	c.ProtectKernelDefaults = false
	c.ReservedSystemCPUs = ""
	c.CPUManagerPolicy = "none"
	c.CPUManagerPolicyOptions = nil
	c.MemoryManagerPolicy = "None"
	c.ReservedMemory = nil
	c.TopologyManagerPolicy = "none"
	c.TopologyManagerPolicyOptions = nil
}

// withoutMachine switches off what would change or show this machine, and what
// watches figures that a hollow node does not have.
func withoutMachine(c *kubeletconfig.KubeletConfiguration) {
	// Ports of which a machine has only one each.
	c.HealthzPort = 0
	c.ReadOnlyPort = 0
	c.MakeIPTablesUtilChains = false
	c.MaxOpenFiles = maxOpenFiles()
	c.OOMScoreAdj = 0
	c.EnableSystemLogHandler = false
	c.EnableSystemLogQuery = false
	c.ShutdownGracePeriod = metav1.Duration{} // would take an inhibitor lock of systemd
	c.ShutdownGracePeriodCriticalPods = metav1.Duration{}
	c.ShutdownGracePeriodByPodPriority = nil

	c.ContainerLogMaxSize = "-1" // there are no logs; this is how upstream switches rotation off

	// No disk and no memory are measured: each pass would log an error, and the
	// thresholds mean nothing. 100 is how upstream switches image collection off.
	c.EvictionHard = nil
	c.EvictionSoft = nil
	c.EvictionSoftGracePeriod = nil
	c.EvictionMinimumReclaim = nil
	c.LocalStorageCapacityIsolation = false
	c.ImageGCHighThresholdPercent = 100
	c.ImageMaximumGCAge = metav1.Duration{}
}
