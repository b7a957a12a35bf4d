// Package component computes what must run: pure functions from a spec to a
// Component. It holds no client, no clock and no randomness, so that a golden
// file shows a reviewer what every pod or process becomes.
//
// A Component says nothing of the host that runs it. What only the host knows
// stands in args and file contents as a variable, $(NAME), which the host
// replaces for each replica; see the Var constants.
package component

import (
	"cmp"
	"net"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// Variables that a host replaces in args and in the environment, for each
// replica. The syntax is that of Kubernetes container args.
const (
	// VarFiles is the folder below which the Mounts appear.
	VarFiles = "$(FILES)"
	// VarData is the replica's own folder that survives its restarts; only a
	// Component with Data has one.
	VarData = "$(DATA)"
	// VarAddress is the IP address that the replica listens on.
	VarAddress = "$(ADDRESS)"
	// VarHost is the name or address under which others reach the replica. It stays
	// when the replica is replaced, if the Component has Data.
	VarHost = "$(HOST)"
	// VarReplica is the replica's name, unique: <component>-<ordinal> where it has Data.
	VarReplica = "$(REPLICA)"
	// VarRun is a folder for sockets that the replica's processes share; it is empty
	// when they start. They start in it, so that a file, which is the same for all
	// replicas, can name a socket there.
	VarRun = "$(RUN)"
)

// VarPort is the variable for the number of the replica's port of that name.
func VarPort(name string) string { return "$(PORT_" + name + ")" }

// StartPolicy is the order in which replicas start; the words are those of a
// StatefulSet's pod management.
type StartPolicy string

const (
	// StartParallel starts all replicas at once: members that need each other.
	StartParallel StartPolicy = "Parallel"
	// StartOrdered starts the first replica and, once it is ready, all others at
	// once. On a machine with few cores the first replica is ready much sooner so.
	StartOrdered StartPolicy = "Ordered"
)

// Component is one replica set: a main process with ordered sidecars.
type Component struct {
	// Namespace is the management namespace, and Name the component's fixed name
	// in it (kube-apiserver, ...).
	Namespace, Name string
	// Labels are put on what the host creates.
	Labels   map[string]string
	Replicas int
	Start    StartPolicy
	// Data asks for a folder for each replica that survives restarts.
	Data bool
	// DataSize is how large the volume of that folder is to be, and StorageClass of what
	// class; a host without volumes ignores them.
	DataSize     resource.Quantity `json:",omitzero"`
	StorageClass string            `json:",omitempty"`
	// Sidecars start before Main, in order, and stop after it.
	Sidecars []Process
	Main     Process
	// Ports are what the processes listen on.
	Ports []Port
	// Balanced are the ports that are also served at one address for all replicas.
	Balanced []Balanced
	// Hosting is how the platform wants it hosted.
	Hosting v1alpha1.HostingSpec `json:",omitzero"`
	Mounts  []Mount
	// Readiness tells whether Main may get traffic.
	Readiness Probe
	// Liveness tells whether Main has hung: a host may start it again when that has
	// failed for minutes.
	Liveness Probe `json:",omitzero"`
	// Grace is how long a process may take to stop before it is killed.
	Grace time.Duration
	// Restart is a token: another one restarts the replicas one by one.
	Restart string `json:",omitempty"`
	// Resync is a token: with another one the host writes again what it keeps for the
	// Component, whether or not it seems to be in place. It restarts nothing.
	Resync string `json:",omitempty"`
	// RollLast are ordinals that are replaced after all others: the leader, which has
	// to hand over. It is an observation, and a change of it restarts nothing.
	RollLast []int `json:"-"`
	// Serves tells of ordinals whether they serve, by who has asked them in their own
	// words: what a host knows may be old when a machine has died. For the others the
	// host's word counts. It is an observation too, for hosts that look through others.
	Serves map[int]bool `json:"-"`
	// Refusing are ordinals that run but turn away whoever comes anew, until they are
	// started anew themselves: they may be what another one that was replaced waits for.
	// It is an observation, for the same hosts.
	Refusing []int `json:"-"`
	// Expendable are ordinals that do not run, and whose data all others have: where their
	// volume will not come back, they may begin with nothing. It is an observation.
	Expendable []int `json:"-"`
	// Begun says that each replica has had data once. A host that cannot tell a replica
	// that has lost it replaces those that it started before, one by one: their
	// BeginArgs are those of the first start for as long as they live.
	Begun bool `json:",omitempty"`
}

// Process is one program of a Component.
type Process struct {
	// Name of the process, unique in its Component.
	Name string
	// Program is the file name of the binary, and Version the version of the
	// upstream project that it is of (v1.37.1). A host finds a local binary or an
	// image by both.
	Program, Version string
	Args             []string
	// BeginArgs follow Args. They matter only to a replica that begins without data, so
	// that another value restarts nothing; a Component without Data has none.
	BeginArgs []string `json:",omitempty"`
	Env       map[string]string
	// Resources that the process of each replica asks for.
	Resources Resources `json:",omitzero"`
}

// Port is a named TCP port of each replica.
type Port struct {
	Name string
	// Number is taken where each replica has an address of its own; other hosts choose.
	Number int32
	// Clients are who may connect to it, where the host can tell; see the Clients
	// constants.
	Clients Clients
}

// Clients are who may connect to a port.
type Clients string

const (
	// ClientsNobody is for ports that only probes ask.
	ClientsNobody Clients = ""
	// ClientsReplicas are the replicas among themselves.
	ClientsReplicas Clients = "Replicas"
	// ClientsAPIServers are the API servers of tenants, Marina's manager, and what has the
	// Component's own labels: what is hosted for the same object.
	ClientsAPIServers Clients = "APIServers"
	// ClientsManager is Marina's manager, and nobody else.
	ClientsManager Clients = "Manager"
	// ClientsAll is everybody who can reach the host.
	ClientsAll Clients = "All"
)

// Balanced is a port that is served at one address for all replicas.
type Balanced struct {
	// Port by name.
	Port string
	// NotReady sends to replicas as well that are not ready: for what they need in
	// order to become so.
	NotReady bool `json:",omitempty"`
	// Internal names an address that only what is hosted beside it reaches, by that name
	// in Addresses.Internal; empty is an address of the port's name, inside and outside.
	Internal string `json:",omitempty"`
}

// Name is what the address is called in Addresses.
func (b Balanced) Name() string { return cmp.Or(b.Internal, b.Port) }

// Mount puts keys of a Secret or ConfigMap, in the Component's namespace, into
// the folder VarFiles/Path.
type Mount struct {
	Path string
	// Secret or ConfigMap: one of them is set.
	Secret, ConfigMap string
	// Keys limits what is mounted; empty mounts all.
	Keys []string
	// Hash of the content, for what the process reads only when it starts: a
	// change of it restarts the replicas one by one. It is empty for what the
	// process reloads by itself, which a host rewrites in place.
	Hash string
}

// Probe is how readiness is asked for.
type Probe struct {
	// Port by name.
	Port string
	// Path of an HTTPS GET that answers 200 when ready. The answer's certificate
	// is not checked: the probe goes to the replica's own address and carries no
	// secret.
	Path string
	// Plain asks over HTTP.
	Plain bool `json:",omitempty"`
}

// Resources are what a replica asks for; a host without limits of its own
// ignores them.
type Resources struct {
	// CPU in thousandths of a core, Memory in bytes.
	RequestMilliCPU, RequestMemory int64
	LimitMemory                    int64
}

// Addresses are what a host has reserved for a Component before it is computed.
type Addresses struct {
	// Exposed are the balanced ports, by Balanced.Name, as tenants and their nodes reach
	// them; Internal as what runs on the same host does.
	Exposed, Internal map[string]HostPort
	// Replicas are the addresses of each replica's ports, by port name.
	Replicas []map[string]HostPort
	// Lost tells why nobody reaches what is exposed any more, and what a person can do
	// about it; empty if nothing is known. The addresses stay what they are: whoever has a
	// kubeconfig knows no others.
	Lost string
}

// HostPort is a TCP address.
type HostPort struct {
	Host string
	Port int
}

// String is host:port, with the brackets of an IPv6 address.
func (a HostPort) String() string { return net.JoinHostPort(a.Host, strconv.Itoa(a.Port)) }

// URL is https://host:port.
func (a HostPort) URL() string { return "https://" + a.String() }

// Status is what a host says of a Component.
type Status struct {
	// Replicas that are asked for, that are ready, and that run what was applied
	// last.
	Replicas, Ready, Updated int
	// Unknown is how many run but have not been asked yet whether they are ready:
	// they may well serve.
	Unknown int
	// ReadyOrdinals lists the replicas that are ready.
	ReadyOrdinals []int
	// Serving is where each ready replica is asked whether it is.
	Serving []HostPort
	// Data identifies what each replica has stored, by ordinal. Another value means that
	// the data was lost and begun anew; empty is not known, or none.
	Data []string
	// Message tells why a replica is not ready, where that is known.
	Message string
	// Gone is true when nothing of the Component is left on the host.
	Gone bool
}

// Done reports whether every replica is ready and runs what was applied last.
func (s Status) Done() bool {
	return s.Ready == s.Replicas && s.Updated == s.Replicas && s.Replicas > 0
}
