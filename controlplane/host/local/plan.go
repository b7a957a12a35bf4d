package local

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/controlplane/host/local/balancer"
	"github.com/marina-dev/marina/controlplane/host/local/readyz"
)

const (
	// defaultGrace is what a Component gets that does not say; Kubernetes' default.
	defaultGrace = 30 * time.Second
	// balancerGrace is more than the balancer takes to drain.
	balancerGrace = 10 * time.Second
	// searchPath is the PATH of every process. The Host's own would make what runs
	// depend on the shell that it was started from.
	searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)

// plan is what a Component is on this machine: all that is needed to run it.
type plan struct {
	ordered bool
	// last are the ordinals to be replaced last.
	last     []int
	replicas []*replicaPlan
	// balancer is nil without a balanced address.
	balancer *processPlan
	files    fileSet
}

// hasData reports whether replicas keep data.
func (p *plan) hasData() bool { return len(p.replicas) > 0 && p.replicas[0].data }

// replicaPlan is one replica.
type replicaPlan struct {
	ordinal int
	name    string
	dir     string
	data    bool
	// processes are the sidecars in order, and then the main one.
	processes []*processPlan
	// hash is of those of the processes: another one means that it must be replaced.
	hash string
	// probe is nil when a replica is ready as soon as its processes run.
	probe *readyz.Target
}

func (r *replicaPlan) files() string { return filepath.Join(r.dir, "files") }

// processPlan is one process.
type processPlan struct {
	id processID
	// label is what messages call it.
	label string
	path  string
	args  []string
	env   []string
	dir   string
	log   string
	hash  string
	order int
	grace time.Duration
	// ports are what it will listen on, with their names for messages.
	ports map[string]component.HostPort
}

// planner has what a plan needs beside the Component.
type planner struct {
	dir, address string
	programs     programs
}

// plan computes what a Component is here. It reads no files but asks which binaries
// there are.
func (p planner) plan(c component.Component, a component.Addresses, files fileSet) (*plan, error) {
	result := &plan{ordered: c.Start == component.StartOrdered, last: c.RollLast, files: files}
	for ordinal := range c.Replicas {
		r, err := p.replica(c, ordinal, a.Replicas[ordinal])
		if err != nil {
			return nil, fmt.Errorf("component %s/%s: %w", c.Namespace, c.Name, err)
		}
		result.replicas = append(result.replicas, r)
	}
	for _, balanced := range c.Balanced {
		var err error
		if result.balancer, err = p.balancer(c, a, balanced.Port); err != nil {
			return nil, fmt.Errorf("component %s/%s: %w", c.Namespace, c.Name, err)
		}
	}
	return result, nil
}

func (p planner) replica(c component.Component, ordinal int, ports map[string]component.HostPort) (*replicaPlan, error) {
	name := replicaName(c.Name, ordinal)
	r := &replicaPlan{ordinal: ordinal, name: name, dir: filepath.Join(p.dir, c.Namespace, c.Name, name), data: c.Data}

	vars := map[string]string{"FILES": r.files(), "ADDRESS": p.address, "HOST": p.address, "REPLICA": name}
	if c.Data {
		vars["DATA"] = filepath.Join(r.dir, dataFolder)
	}
	for port, address := range ports {
		vars["PORT_"+port] = strconv.Itoa(address.Port)
	}

	var hashes []string
	for i, process := range append(slices.Clone(c.Sidecars), c.Main) {
		pp, err := p.process(c, process, r, vars)
		if err != nil {
			return nil, fmt.Errorf("process %s: %w", process.Name, err)
		}
		pp.order = i
		pp.label = name
		if i < len(c.Sidecars) {
			pp.label = name + "/" + process.Name
		} else {
			pp.ports = ports
		}
		r.processes = append(r.processes, pp)
		hashes = append(hashes, process.Name+"="+pp.hash)
	}
	r.hash = hashOf(hashes)

	if c.Readiness.Path != "" {
		address, ok := ports[c.Readiness.Port]
		if !ok {
			return nil, fmt.Errorf("readiness: there is no port %q", c.Readiness.Port)
		}
		r.probe = &readyz.Target{Address: address.String(), Path: c.Readiness.Path, Plain: c.Readiness.Plain, Timeout: probeTimeout}
	}
	return r, nil
}

func (p planner) process(c component.Component, process component.Process, r *replicaPlan, vars map[string]string) (*processPlan, error) {
	id := processID{key{c.Namespace, c.Name}, r.ordinal, process.Name}
	if parsed, err := parseProcessID(id.String()); err != nil || parsed != id {
		return nil, errors.New("the name is not usable")
	}
	path, err := p.programs.path(process)
	if err != nil {
		return nil, err
	}
	args, err := expandAll(process.Args, vars)
	if err != nil {
		return nil, err
	}
	beginArgs, err := expandAll(process.BeginArgs, vars)
	if err != nil {
		return nil, err
	}
	env := []string{}
	for _, name := range slices.Sorted(maps.Keys(process.Env)) {
		value, err := expand(process.Env[name], vars)
		if err != nil {
			return nil, err
		}
		env = append(env, name+"="+value)
	}
	return &processPlan{
		id: id, path: path, args: slices.Concat(args, beginArgs), env: env, dir: r.dir,
		log:   filepath.Join(r.dir, process.Name+".log"),
		grace: graceOf(c),
		hash: hashOf(struct {
			Program, Version string
			Args, Env        []string
			Mounts           []string
			Restart          string `json:",omitempty"`
		}{process.Program, process.Version, args, env, mountHashes(c.Mounts), c.Restart}),
	}, nil
}

// balancer is one process for all replicas. Its plan depends on addresses only, so
// that it lives through every roll of the replicas.
func (p planner) balancer(c component.Component, a component.Addresses, port string) (*processPlan, error) {
	dir := filepath.Join(p.dir, c.Namespace, c.Name)
	o := balancer.Options{
		Listen:    a.Exposed[port].String(),
		ReadyPath: c.Readiness.Path,
	}
	for _, replica := range a.Replicas {
		address, ok := replica[port]
		if !ok {
			return nil, fmt.Errorf("balanced: there is no port %q", port)
		}
		o.Backends = append(o.Backends, address.String())
	}
	args := append([]string{"balancer"}, o.Args()...)
	return &processPlan{
		id:    processID{key{c.Namespace, c.Name}, balancerOrdinal, balancerName},
		label: c.Name + " balancer",
		path:  p.programs.self,
		args:  args,
		// There is one for each tenant, and it does little: on a large machine the
		// runtime must not prepare for more.
		env:   []string{"GOMAXPROCS=2"},
		dir:   dir,
		log:   filepath.Join(dir, balancerName+".log"),
		grace: balancerGrace,
		hash:  hashOf(args),
		ports: map[string]component.HostPort{port: a.Exposed[port]},
	}, nil
}

// mountHashes is the part of the Mounts that a process must be restarted for.
func mountHashes(mounts []component.Mount) []string {
	var all []string
	for _, m := range mounts {
		all = append(all, filepath.Clean(m.Path)+"="+m.Hash)
	}
	slices.Sort(all)
	return all
}

func graceOf(c component.Component) time.Duration {
	if c.Grace > 0 {
		return c.Grace
	}
	return defaultGrace
}

// hashOf names a value. Half of a SHA-256 is enough to tell specs apart.
func hashOf(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		// Only strings and lists of them are ever hashed.
		panic("local: hashing: " + err.Error())
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}

// environment is all that a process gets, sorted, so that the same plan always starts
// the same process.
func (p *processPlan) environment(dir string) []string {
	env := map[string]string{"HOME": p.dir, "PATH": searchPath}
	for _, entry := range p.env {
		name, value, _ := strings.Cut(entry, "=")
		env[name] = value
	}
	env[envDir] = dir
	env[envProcess] = p.id.String()
	env[envHash] = p.hash
	env[envOrder] = strconv.Itoa(p.order)
	env[envGrace] = p.grace.String()
	var all []string
	for _, name := range slices.Sorted(maps.Keys(env)) {
		all = append(all, name+"="+env[name])
	}
	return all
}
