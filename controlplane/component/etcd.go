package component

import (
	"strconv"
	"time"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// EtcdReplicas is the number of members of an EtcdCluster.
const EtcdReplicas = 3

// Ports of an etcd member.
const (
	// EtcdPortClient speaks gRPC and nothing else.
	EtcdPortClient = "client"
	// EtcdPortPeer is for the members among themselves.
	EtcdPortPeer = "peer"
	// EtcdPortMetrics serves /metrics, /readyz and /livez over plain HTTP.
	EtcdPortMetrics = "metrics"
)

// The Secrets of an EtcdCluster, by what is in them; EtcdSecret makes the name.
const (
	// EtcdSecretCA signs what members present to clients and clients to members. It
	// is never mounted.
	EtcdSecretCA = "ca"
	// EtcdSecretPeerCA signs what members present to each other. It is never mounted.
	EtcdSecretPeerCA = "peer-ca"
	// EtcdSecretServer and EtcdSecretPeer are what members present.
	EtcdSecretServer = "server"
	EtcdSecretPeer   = "peer"
	// EtcdSecretRoot is what the administrator presents.
	EtcdSecretRoot = "root"
)

// EtcdName is the name of the Component of an EtcdCluster.
func EtcdName(cluster string) string { return "etcd-" + cluster }

// EtcdSecret is the name of a Secret of an EtcdCluster.
func EtcdSecret(cluster, what string) string { return EtcdName(cluster) + "-" + what }

// EtcdPorts are the names of the ports that have to be reserved for each member.
func EtcdPorts() []Port {
	return []Port{
		{Name: EtcdPortClient, Number: 2379, Clients: ClientsAPIServers},
		{Name: EtcdPortPeer, Number: 2380, Clients: ClientsReplicas},
		{Name: EtcdPortMetrics, Number: 2381},
	}
}

// EtcdInputs is all that the members of an EtcdCluster depend on.
type EtcdInputs struct {
	// Cluster is the EtcdCluster's name, and UID its UID: members that were left by
	// an earlier EtcdCluster of the same name do not join.
	Cluster, UID string
	// Version of etcd, without a leading v.
	Version string
	// Spec is the EtcdCluster's; its Version is not looked at.
	Spec v1alpha1.EtcdClusterSpec
	// Formed is true once all members have joined for the first time.
	Formed bool
	// Absent are the ordinals of members that the others do not know, once the cluster
	// is formed.
	Absent []int
	// Leaders are the ordinals to be replaced last.
	Leaders []int
	// Serves tells by ordinal who is healthy, as far as asked.
	Serves map[int]bool
	// Refusing are the ordinals of members that turn us away for a certificate.
	Refusing []int
	// Expendable are the ordinals of members that may be given up.
	Expendable []int
	// Addresses of the members.
	Addresses Addresses
	// Hashes of the two CA certificates, which etcd reads only when it starts.
	CAHash, PeerCAHash string
	Labels             map[string]string
}

// mount folders, relative to VarFiles.
const (
	pathEtcdServer = "server"
	pathEtcdPeer   = "peer"
	pathEtcdCA     = "client-ca"
	pathEtcdPeerCA = "peer-ca"
)

// Etcd is the three members of an EtcdCluster. They start at once, because none of
// them is ready before it has found another.
func Etcd(in EtcdInputs) Component {
	pair, ca := []string{"tls.crt", "tls.key"}, []string{"ca.crt"}
	server, peer := EtcdSecret(in.Cluster, EtcdSecretServer), EtcdSecret(in.Cluster, EtcdSecretPeer)
	return Component{
		Namespace: v1alpha1.SystemNamespace,
		Name:      EtcdName(in.Cluster),
		Labels:    in.Labels,
		Replicas:  EtcdReplicas,
		Start:     StartParallel,
		RollLast:  in.Leaders,
		Serves:    in.Serves, Refusing: in.Refusing, Expendable: in.Expendable,
		Begun:    in.Formed,
		Data:     true,
		DataSize: etcdStorage(in.Spec), StorageClass: in.Spec.StorageClass,
		Hosting: v1alpha1.HostingSpec{WorkloadSpec: in.Spec.WorkloadSpec},
		Ports:   EtcdPorts(),
		Main: Process{
			Name: "etcd", Program: "etcd", Version: "v" + in.Version,
			Args: flags(etcdFlags(in)), BeginArgs: flags(etcdBeginFlags(in)),
			// Many keys live in memory, and answers to large lists are built there.
			Resources: sized(in.Spec.Resources, Resources{RequestMilliCPU: 250, RequestMemory: 1 << 30, LimitMemory: 4 << 30}),
		},
		Mounts: []Mount{
			// A pair is read at every handshake, a CA when the process starts. The CAs
			// come from the leaves' Secrets, so that no member ever sees a CA's key.
			{Path: pathEtcdServer, Secret: server, Keys: pair},
			{Path: pathEtcdPeer, Secret: peer, Keys: pair},
			{Path: pathEtcdCA, Secret: server, Keys: ca, Hash: in.CAHash},
			{Path: pathEtcdPeerCA, Secret: peer, Keys: ca, Hash: in.PeerCAHash},
		},
		// It reads through the quorum: a member that is ready has a leader. A store
		// that is full is still ready, because reading and deleting go on. A kubelet has
		// no certificate to present, hence plain HTTP; nothing of a tenant is served there.
		Readiness: Probe{Port: EtcdPortMetrics, Path: "/readyz", Plain: true},
		// A member that stops lets open watches go on for 7 s, and then has 7 s to
		// hand over leadership: 5 s and two election timeouts each.
		Grace: 30 * time.Second,
	}
}

// etcdFlags are the flags of one member. Heartbeat and election timeout, cipher
// suites and the limits of a request stay at upstream's defaults.
func etcdFlags(in EtcdInputs) map[string]string {
	return map[string]string{
		"name":     VarReplica,
		"data-dir": VarData + "/etcd",
		// Otherwise it goes to the journal when the process has been left by its
		// parent.
		"log-outputs": "stderr",

		"listen-peer-urls":      etcdURL(VarAddress, EtcdPortPeer),
		"peer-client-cert-auth": "true",
		"peer-trusted-ca-file":  file(pathEtcdPeerCA, "ca.crt"),
		"peer-cert-file":        file(pathEtcdPeer, "tls.crt"),
		"peer-key-file":         file(pathEtcdPeer, "tls.key"),
		// The peer CA signs members and nothing else, so who has its certificate is a
		// member. Checking besides that the connection comes from a name or address in
		// it would make quorum depend on reverse DNS.
		"peer-skip-client-san-verification": "true",

		"listen-client-urls":    etcdURL(VarAddress, EtcdPortClient),
		"advertise-client-urls": etcdURL(VarHost, EtcdPortClient),
		"listen-metrics-urls":   "http://" + VarAddress + ":" + VarPort(EtcdPortMetrics),
		// HTTP is not for the clients' port: served from one port with TLS, gRPC goes
		// through Go's HTTP server, where large answers starve watches
		// (etcd-io/etcd#15402). It has to be somewhere, so it is where nobody is.
		"listen-client-http-urls": "https://127.0.0.1:0",
		"client-cert-auth":        "true",
		"trusted-ca-file":         file(pathEtcdCA, "ca.crt"),
		"cert-file":               file(pathEtcdServer, "tls.crt"),
		"key-file":                file(pathEtcdServer, "tls.key"),
		// All clients and members are ours. From 1.3 on, certificates are not sent in
		// the clear.
		"tls-min-version": "TLS1.3",
		// The JSON gateway calls gRPC with the server's own certificate, and was once a
		// way around authentication (CVE-2018-16886). Nobody needs it.
		"enable-grpc-gateway": "false",
		// Users have no passwords, so nobody can get a token. The health checks still
		// need a provider: they make themselves one for root.
		"auth-token": "simple",

		"quota-backend-bytes": strconv.FormatInt(in.Spec.StorageQuota.Value(), 10),
		// Compaction is of the whole store, hence the members' and not the API servers'.
		"auto-compaction-mode":      "periodic",
		"auto-compaction-retention": "5m",
		// Well below the retention: a watch that is interrupted goes on at the last
		// revision it heard of. In a shared store that is soon compacted when its own
		// keys are quiet, and each API server would list everything again.
		"watch-progress-notify-interval": "1m",
		// Entries in memory for members that lag; more of them cost memory and make a
		// start slower.
		"snapshot-count": "10000",
		// The leader compares the members' data at each compaction, which costs next to
		// nothing; one that has gone bad would spoil all tenants unnoticed. Comparing at
		// the start (InitialCorruptCheck) would cost most when it matters most: members
		// that start together wait 7 s for each of the others.
		"feature-gates": "CompactHashCheck=true",
	}
}

// etcdURL is the URL of a replica's own port.
func etcdURL(host, port string) string { return "https://" + host + ":" + VarPort(port) }

// EtcdEndpoints are the members' client URLs.
func EtcdEndpoints(addresses Addresses) []string {
	var endpoints []string
	for _, ports := range addresses.Replicas {
		endpoints = append(endpoints, ports[EtcdPortClient].URL())
	}
	return endpoints
}
