package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	corev1 "k8s.io/api/core/v1"
	kubeletoptions "k8s.io/kubernetes/cmd/kubelet/app/options"
)

// tenantConfig has what a tenant's file may have, above all what must not reach
// this machine.
const tenantConfig = `
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: 0.0.0.0
authentication: {x509: {clientCAFile: /etc/kubernetes/pki/ca.crt}}
cgroupDriver: systemd
clusterDNS: [10.96.0.10]
clusterDomain: example.test
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
cpuManagerPolicy: static
enforceNodeAllocatable: [pods, system-reserved]
evictionHard: {memory.available: 200Mi}
kubeReserved: {cpu: 500m}
maxPods: 42
nodeStatusUpdateFrequency: 7s
protectKernelDefaults: true
registerWithTaints: [{key: from-file, effect: NoSchedule}]
resolvConf: /run/systemd/resolve/resolv.conf
rotateCertificates: false
serverTLSBootstrap: false
shutdownGracePeriod: 60s
shutdownGracePeriodCriticalPods: 10s
staticPodPath: /etc/kubernetes/manifests
systemReservedCgroup: /system.slice
tlsCertFile: /etc/kubernetes/kubelet.crt
tlsPrivateKeyFile: /etc/kubernetes/kubelet.key
`

func parse(t testing.TB, args ...string) options {
	t.Helper()
	var o options
	flags := pflag.NewFlagSet(t.Name(), pflag.ContinueOnError)
	o.addFlags(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	if err := o.complete(); err != nil {
		t.Fatal(err)
	}
	return o
}

func configured(t testing.TB, file string, args ...string) *kubeletoptions.KubeletServer {
	t.Helper()
	args = append(args, "--name=worker-1", "--root-dir=/data/worker-1")
	if file != "" {
		path := filepath.Join(t.TempDir(), "config.yaml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--config="+path)
	}
	o := parse(t, args...)
	base, err := loadConfig(t.Context(), o.config)
	if err != nil {
		t.Fatal(err)
	}
	server, err := configure(o, base, place{root: "/short", address: "127.0.0.7", port: 10250, clientCA: "/data/ca.crt"})
	if err != nil {
		t.Fatal(err)
	}
	return server
}

func TestConfigureIsWhatTheKubeletAccepts(t *testing.T) {
	for name, file := range map[string]string{"without a file": "", "with a tenant's file": tenantConfig} {
		t.Run(name, func(t *testing.T) {
			if err := kubeletoptions.ValidateKubeletServer(configured(t, file)); err != nil {
				t.Errorf("the kubelet would refuse to start: %v", err)
			}
		})
	}
}

func TestConfigureKeepsWhatIsTheTenants(t *testing.T) {
	s := configured(t, tenantConfig)
	if s.MaxPods != 42 || s.NodeStatusUpdateFrequency.Duration != 7*time.Second ||
		s.ClusterDomain != "example.test" || !slices.Equal(s.ClusterDNS, []string{"10.96.0.10"}) {
		t.Errorf("settings of the file were lost: maxPods=%d frequency=%s domain=%s dns=%v",
			s.MaxPods, s.NodeStatusUpdateFrequency.Duration, s.ClusterDomain, s.ClusterDNS)
	}
}

func TestConfigureStaysOffTheMachine(t *testing.T) {
	s := configured(t, tenantConfig)
	paths := map[string]string{
		"static pods":   s.StaticPodPath,
		"runtime":       s.ContainerRuntimeEndpoint,
		"root":          s.RootDirectory,
		"certificates":  s.CertDirectory,
		"client CA":     s.Authentication.X509.ClientCAFile,
		"pod logs":      s.PodLogsDir,
		"resolv.conf":   s.ResolverConfig,
		"serving cert":  s.TLSCertFile,
		"serving key":   s.TLSPrivateKeyFile,
		"volume plugin": s.VolumePluginDir,
		"cgroup":        s.SystemReservedCgroup,
		"kubeconfig":    s.KubeConfig,
	}
	want := map[string]string{
		"static pods":   "/data/worker-1/manifests",
		"runtime":       "unix:///short/runtime.sock",
		"root":          "/short",
		"certificates":  "/data/worker-1/pki",
		"client CA":     "/data/ca.crt",
		"pod logs":      "/data/worker-1/pod-logs",
		"resolv.conf":   "",
		"serving cert":  "",
		"serving key":   "",
		"volume plugin": "/data/worker-1/volume-plugins",
		"cgroup":        "",
		"kubeconfig":    "/data/worker-1/kubeconfig",
	}
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Errorf("a node lives in its own directory (-want +got):\n%s", diff)
	}
	if s.CgroupsPerQOS || s.MakeIPTablesUtilChains || s.ProtectKernelDefaults || s.EnableSystemLogHandler ||
		s.ShutdownGracePeriod.Duration != 0 || s.HealthzPort != 0 || s.ReadOnlyPort != 0 || len(s.EvictionHard) != 0 {
		t.Errorf("something would touch or watch this machine: %+v", s.KubeletConfiguration)
	}
	if s.Address != "127.0.0.7" || s.Port != 10250 {
		t.Errorf("listens on %s:%d, want the address and port that were found", s.Address, s.Port)
	}
}

func TestConfigureAlwaysBootstraps(t *testing.T) {
	s := configured(t, tenantConfig, "--bootstrap-kubeconfig=/b", "--kubeconfig=/k")
	if !s.RotateCertificates || !s.ServerTLSBootstrap {
		t.Error("both certificates come by CSR, even if the file says otherwise")
	}
	if s.BootstrapKubeconfig != "/b" || s.KubeConfig != "/k" {
		t.Errorf("kubeconfigs %q, %q", s.BootstrapKubeconfig, s.KubeConfig)
	}
}

func TestConfigureRegistersAsTold(t *testing.T) {
	s := configured(t, tenantConfig, "--provider-id=openstack:///1", "--node-ip=203.0.113.9", "--cloud-provider=external",
		"--node-labels=a=b,topology.kubernetes.io/zone=z1", "--register-with-taints=c=d:NoExecute,e:NoSchedule")
	if s.ProviderID != "openstack:///1" || s.NodeIP != "203.0.113.9" || s.HostnameOverride != "worker-1" || s.CloudProvider != "external" {
		t.Errorf("provider id %q, node IP %q, name %q, cloud provider %q", s.ProviderID, s.NodeIP, s.HostnameOverride, s.CloudProvider)
	}
	if diff := cmp.Diff(map[string]string{"a": "b", "topology.kubernetes.io/zone": "z1"}, s.NodeLabels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	want := []corev1.Taint{
		{Key: "from-file", Effect: corev1.TaintEffectNoSchedule},
		{Key: "c", Value: "d", Effect: corev1.TaintEffectNoExecute},
		{Key: "e", Effect: corev1.TaintEffectNoSchedule},
	}
	if diff := cmp.Diff(want, s.RegisterWithTaints); diff != "" {
		t.Errorf("taints of the flag come on top of the file's (-want +got):\n%s", diff)
	}
}

func TestConfigureRefuses(t *testing.T) {
	for name, arg := range map[string]string{
		"a label that NodeRestriction would refuse": "--node-labels=node-role.kubernetes.io/worker=",
		"a taint without an effect":                 "--register-with-taints=a=b",
		"the removal of a taint":                    "--register-with-taints=a:NoSchedule-",
	} {
		t.Run(name, func(t *testing.T) {
			o := parse(t, "--name=n", "--root-dir=/d", arg)
			base, err := loadConfig(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := configure(o, base, place{}); err == nil {
				t.Errorf("%s was accepted", arg)
			}
		})
	}
}
