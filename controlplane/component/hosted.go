package component

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// Names of the three components of a hosted control plane.
const (
	NameAPIServer         = "kube-apiserver"
	NameControllerManager = "kube-controller-manager"
	NameScheduler         = "kube-scheduler"
	// PortHTTPS is the port of each of them, API, health and metrics alike.
	PortHTTPS = "https"
)

// HostedReplicas is the number of replicas of each component of a hosted control
// plane. It is not configurable (features C4).
const HostedReplicas = 3

// HostedInputs is all that the components of a hosted control plane depend on.
type HostedInputs struct {
	Namespace string
	// Kubernetes is the upstream version, v1.37.1.
	Kubernetes string
	// Emulates is an older minor version, 1.36, that the components behave as; empty for
	// their own.
	Emulates string
	// TenantUID names the tenant's prefix in etcd.
	TenantUID string
	// EtcdEndpoints are the members' client URLs.
	EtcdEndpoints []string
	Network       v1alpha1.NetworkSpec
	// Hashes of what the API server and the controller-manager read only when they
	// start.
	ServiceAccountHash, EtcdCAHash, CAHash string
	// Konnectivity is the version of the konnectivity server, and KonnectivityHash of
	// what it reads when it starts; only with Hosting.NodeAccess Konnectivity.
	Konnectivity, KonnectivityHash string
	Labels                         map[string]string
	// Restarts are the restart tokens by component, and Resync that of all of them.
	Restarts map[string]string
	Resync   string
	// Hosting is how the platform wants it hosted.
	Hosting v1alpha1.HostingSpec
}

// mount folders, relative to VarFiles.
const (
	pathCA             = "ca"
	pathFrontProxyCA   = "front-proxy-ca"
	pathServing        = "serving"
	pathKubeletClient  = "kubelet-client"
	pathProxyClient    = "front-proxy-client"
	pathServiceAccount = "service-account"
	pathEtcd           = "etcd"
	pathEncryption     = "encryption"
	pathConfig         = "config"
	pathKubeconfig     = "kubeconfig"
)

// file returns the path of a mounted file.
func file(path, key string) string { return VarFiles + "/" + path + "/" + key }

// flags renders a map of flags in a stable order.
func flags(m map[string]string) []string {
	args := make([]string, 0, len(m))
	for _, name := range slices.Sorted(maps.Keys(m)) {
		args = append(args, fmt.Sprintf("--%s=%s", name, m[name]))
	}
	return args
}

// thrifty makes Go collect garbage when the heap has grown by half instead of having
// doubled: most control planes idle most of the time, and their memory is what a
// platform pays for (docs/reference/performance.md has the figures).
var thrifty = map[string]string{"GOGC": "50"}

// APIServer is the three API servers behind one address.
func APIServer(in HostedInputs) Component {
	issuer := "https://kubernetes.default.svc." + in.Network.DNSDomain
	c := Component{
		Namespace: in.Namespace,
		Name:      NameAPIServer,
		Labels:    in.Labels,
		Replicas:  HostedReplicas,
		Start:     StartOrdered,
		Ports:     Ports(NameAPIServer, in.Hosting.NodeAccess),
		Balanced:  BalancedPorts(NameAPIServer, in.Hosting.NodeAccess),
		Hosting:   in.Hosting,
		Main: Process{
			Name: NameAPIServer, Program: NameAPIServer, Version: in.Kubernetes,
			Env:       merge(maps.Clone(thrifty), in.awaitAgents()),
			Resources: sized(in.Hosting.Sizes.APIServer, Resources{RequestMilliCPU: 100, RequestMemory: 256 << 20, LimitMemory: 2 << 30}),
			Args: flags(merge(map[string]string{
				"advertise-address": VarAddress,
				"bind-address":      VarAddress,
				"secure-port":       VarPort(PortHTTPS),
				// Marina writes the kubernetes EndpointSlice with the exposed address, so
				// that no flag here depends on exposure.
				"endpoint-reconciler-type": "none",

				"etcd-servers":  strings.Join(in.EtcdEndpoints, ","),
				"etcd-prefix":   "/" + in.TenantUID,
				"etcd-cafile":   file(pathEtcd, "ca.crt"),
				"etcd-certfile": file(pathEtcd, "tls.crt"),
				"etcd-keyfile":  file(pathEtcd, "tls.key"),
				// Compaction is of the whole store and thus not a tenant's to do; so is
				// the size that the metric would ask for.
				"etcd-compaction-interval":     "0",
				"etcd-db-metric-poll-interval": "0",

				"encryption-provider-config":                  file(pathEncryption, v1alpha1.KeyEncryption),
				"encryption-provider-config-automatic-reload": "true",

				// Whoever may make pods is the tenant's to say: a network plugin has to be
				// privileged.
				"allow-privileged": "true",

				"authentication-config":              file(pathConfig, v1alpha1.KeyAuthentication),
				"client-ca-file":                     file(pathCA, "tls.crt"),
				"enable-bootstrap-token-auth":        "true",
				"authorization-mode":                 "Node,RBAC,ABAC",
				"authorization-policy-file":          file(pathConfig, v1alpha1.KeyProbes),
				"enable-admission-plugins":           "NodeRestriction",
				"tls-cert-file":                      file(pathServing, "tls.crt"),
				"tls-private-key-file":               file(pathServing, "tls.key"),
				"tls-min-version":                    "VersionTLS12",
				"kubelet-certificate-authority":      file(pathCA, "tls.crt"),
				"kubelet-client-certificate":         file(pathKubeletClient, "tls.crt"),
				"kubelet-client-key":                 file(pathKubeletClient, "tls.key"),
				"kubelet-preferred-address-types":    "InternalIP,ExternalIP,Hostname",
				"proxy-client-cert-file":             file(pathProxyClient, "tls.crt"),
				"proxy-client-key-file":              file(pathProxyClient, "tls.key"),
				"requestheader-client-ca-file":       file(pathFrontProxyCA, "tls.crt"),
				"requestheader-allowed-names":        "front-proxy-client",
				"requestheader-username-headers":     "X-Remote-User",
				"requestheader-group-headers":        "X-Remote-Group",
				"requestheader-extra-headers-prefix": "X-Remote-Extra-",

				"service-account-issuer":           issuer,
				"service-account-key-file":         file(pathServiceAccount, v1alpha1.KeyVerifying),
				"service-account-signing-key-file": file(pathServiceAccount, v1alpha1.KeySigning),
				"service-cluster-ip-range":         in.Network.ServiceCIDR,

				// A stopping server says "not ready" and serves on until nobody sends it
				// anything new; clients that hold a connection are asked to reconnect.
				"shutdown-delay-duration":   in.shutdownDelay(),
				"shutdown-send-retry-after": "true",
				// Connections that live for ever would all end up on the server that was
				// ready first.
				"goaway-chance": "0.001",
				"profiling":     "false",
			}, in.konnectivityFlags(), in.emulation())),
		},
		Mounts: []Mount{
			// The CA's key is not mounted: only the controller-manager signs.
			{Path: pathCA, Secret: v1alpha1.SecretCA, Keys: []string{"tls.crt"}},
			{Path: pathFrontProxyCA, Secret: v1alpha1.SecretFrontProxyCA, Keys: []string{"tls.crt"}},
			{Path: pathServing, Secret: v1alpha1.SecretAPIServerServing, Keys: []string{"tls.crt", "tls.key"}},
			{Path: pathKubeletClient, Secret: v1alpha1.SecretAPIServerKubeletClient, Keys: []string{"tls.crt", "tls.key"}},
			{Path: pathProxyClient, Secret: v1alpha1.SecretFrontProxyClient, Keys: []string{"tls.crt", "tls.key"}},
			{Path: pathServiceAccount, Secret: v1alpha1.SecretServiceAccount, Hash: in.ServiceAccountHash},
			// The pair is read at every handshake, the CA when the process starts.
			{Path: pathEtcd, Secret: v1alpha1.SecretEtcdClient, Keys: []string{"ca.crt", "tls.crt", "tls.key"}, Hash: in.EtcdCAHash},
			{Path: pathEncryption, Secret: v1alpha1.SecretEncryption},
			{Path: pathConfig, ConfigMap: v1alpha1.ConfigMapAPIServer},
		},
		Readiness: Probe{Port: PortHTTPS, Path: "/readyz"},
		Liveness:  Probe{Port: PortHTTPS, Path: "/livez"},
		// Longer than shutdown-delay-duration and the minute that requests may take.
		Grace:   75 * time.Second,
		Restart: in.Restarts[NameAPIServer],
		Resync:  in.Resync,
	}
	if in.throughKonnectivity() {
		c.Sidecars = append(c.Sidecars, in.konnectivityServer())
		c.Mounts = append(c.Mounts, in.konnectivityMounts()...)
	}
	return c
}

// shutdownDelay is how long it takes until nobody sends anything new to an API server
// that stops. The balancer of one machine notices within a second. In a management
// cluster a controller and the proxy of each node have to, one after the other: with busy
// nodes that was seen to take almost 5 s.
func (in HostedInputs) shutdownDelay() string {
	if t := in.Hosting.Exposure.Type; t == "" || t == v1alpha1.ExposureHost {
		return "3s"
	}
	return "10s"
}

// ControllerManager is the three controller-managers, of which one leads.
func ControllerManager(in HostedInputs) Component {
	c := in.elected(NameControllerManager, v1alpha1.SecretControllerManagerClient)
	c.Main.Args = flags(merge(electedFlags(), in.emulation(), map[string]string{
		"allocate-node-cidrs":              "true",
		"cluster-cidr":                     in.Network.PodCIDR,
		"service-cluster-ip-range":         in.Network.ServiceCIDR,
		"cluster-signing-cert-file":        file(pathCA, "tls.crt"),
		"cluster-signing-key-file":         file(pathCA, "tls.key"),
		"root-ca-file":                     file(pathCA, "tls.crt"),
		"service-account-private-key-file": file(pathServiceAccount, v1alpha1.KeySigning),
		"use-service-account-credentials":  "true",
		// It would end if it could not ask an API server for the configuration of clients of
		// its own port at once, and has none: probes say nothing about themselves. The
		// Service of API servers leads to the first of them a moment after it is ready.
		// kube-scheduler's own default is the same.
		"authentication-tolerate-lookup-failure": "true",
		// The approver of upstream approves every node that holds a token; ours binds
		// token, machine and node name.
		"controllers": "*,bootstrapsigner,tokencleaner,-csrapproving",
	}))
	c.Mounts = append(c.Mounts,
		Mount{Path: pathCA, Secret: v1alpha1.SecretCA, Keys: []string{"tls.crt", "tls.key"}, Hash: in.CAHash},
		Mount{Path: pathServiceAccount, Secret: v1alpha1.SecretServiceAccount, Keys: []string{v1alpha1.KeySigning}, Hash: in.ServiceAccountHash},
	)
	// It has no /readyz; a standby is as healthy as the leader.
	c.Readiness = Probe{Port: PortHTTPS, Path: "/healthz"}
	c.Main.Resources = sized(in.Hosting.Sizes.ControllerManager, Resources{RequestMilliCPU: 50, RequestMemory: 96 << 20, LimitMemory: 1 << 30})
	return c
}

// Scheduler is the three schedulers, of which one leads.
func Scheduler(in HostedInputs) Component {
	c := in.elected(NameScheduler, v1alpha1.SecretSchedulerClient)
	c.Main.Args = flags(merge(electedFlags(), in.emulation()))
	// As of the controller-manager: a standby is as healthy as the leader.
	c.Readiness = Probe{Port: PortHTTPS, Path: "/healthz"}
	c.Main.Resources = sized(in.Hosting.Sizes.Scheduler, Resources{RequestMilliCPU: 25, RequestMemory: 64 << 20, LimitMemory: 512 << 20})
	return c
}

// elected is what the controller-manager and the scheduler have in common.
func (in HostedInputs) elected(name, clientSecret string) Component {
	return Component{
		Namespace: in.Namespace,
		Name:      name,
		Labels:    in.Labels,
		Replicas:  HostedReplicas,
		Start:     StartOrdered,
		Ports:     Ports(name, in.Hosting.NodeAccess),
		Hosting:   in.Hosting,
		Main:      Process{Name: name, Program: name, Version: in.Kubernetes, Env: thrifty},
		Mounts: []Mount{
			// Together in one folder: the kubeconfig names the files beside it, which
			// are read again when they change.
			{Path: pathKubeconfig, ConfigMap: v1alpha1.ConfigMapKubeconfig},
			{Path: pathKubeconfig, Secret: clientSecret, Keys: []string{"ca.crt", "tls.crt", "tls.key"}},
		},
		Grace:   15 * time.Second,
		Restart: in.Restarts[name],
		Resync:  in.Resync,
	}
}

// electedFlags are the flags of a component that reaches the API server through
// its balanced address and elects a leader there.
func electedFlags() map[string]string {
	kubeconfig := file(pathKubeconfig, v1alpha1.KeyKubeconfig)
	return map[string]string{
		"kubeconfig":                kubeconfig,
		"authentication-kubeconfig": kubeconfig,
		"authorization-kubeconfig":  kubeconfig,
		"bind-address":              VarAddress,
		"secure-port":               VarPort(PortHTTPS),
		// Serving with the component's own pair spares it from making an RSA key at
		// every start.
		"tls-cert-file":        file(pathKubeconfig, "tls.crt"),
		"tls-private-key-file": file(pathKubeconfig, "tls.key"),
		"tls-min-version":      "VersionTLS12",
		"leader-elect":         "true",
		"profiling":            "false",
	}
}

// emulation makes a component serve and use no API, and no feature, that the older minor
// version does not have. What it has to be compatible with follows from that: the minor
// version before the emulated one, as of that version's own components.
func (in HostedInputs) emulation() map[string]string {
	if in.Emulates == "" {
		return nil
	}
	return map[string]string{"emulated-version": in.Emulates}
}

func merge(a map[string]string, others ...map[string]string) map[string]string {
	for _, b := range others {
		maps.Copy(a, b)
	}
	return a
}
