// Package component computes what must run: pure functions from a spec to a
// Component. It holds no client, no clock and no randomness, so that a golden
// file shows a reviewer what every pod or process becomes.
//
// A Component says nothing of the host that runs it. What only the host knows
// stands in args and file contents as a variable, $(NAME), which the host
// replaces for each replica; see the Var constants.
package component

import "time"

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
	// VarReplica is the replica's name, unique and stable: <component>-<ordinal>.
	VarReplica = "$(REPLICA)"
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
	// Sidecars start before Main, in order, and stop after it.
	Sidecars []Process
	Main     Process
	// Ports are what Main listens on.
	Ports []Port
	// Balanced names the port that is also served at one address for all replicas,
	// which sends only to ready ones; empty for none.
	Balanced string
	Mounts   []Mount
	// Readiness tells whether Main may get traffic.
	Readiness Probe
	Resources Resources
	// Grace is how long a process may take to stop before it is killed.
	Grace time.Duration
	// Restart is a token: another one restarts the replicas one by one.
	Restart string `json:",omitempty"`
	// Resync is a token: with another one the host writes again what it keeps for the
	// Component, whether or not it seems to be in place. It restarts nothing.
	Resync string `json:",omitempty"`
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
	Env              map[string]string
}

// Port is a named TCP port of each replica.
type Port struct{ Name string }

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
	// ClientCert is the Path of the Mount whose tls.crt and tls.key the probe
	// presents; empty for none.
	ClientCert string
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
	// Host and Port of the balanced address; empty without one.
	Host string
	Port int
	// Replicas are the addresses of each replica's ports, by port name.
	Replicas []map[string]HostPort
}

// HostPort is a TCP address.
type HostPort struct {
	Host string
	Port int
}

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
	// Message tells why a replica is not ready, where that is known.
	Message string
	// Gone is true when nothing of the Component is left on the host.
	Gone bool
}

// Done reports whether every replica is ready and runs what was applied last.
func (s Status) Done() bool {
	return s.Ready == s.Replicas && s.Updated == s.Replicas && s.Replicas > 0
}
