package local

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/controlplane/host/local/readyz"
)

const (
	// retryFiles is when files are written again that could not be.
	retryFiles = time.Second
	// quiet is how long a replica may be not ready before a message tells what its
	// probe says: in a normal start that is of no use to anyone.
	quiet = 10 * time.Second
)

// replica is one replica that is there: its processes, and what its probe says. The
// unit's mutex guards it.
type replica struct {
	group
	ordinal int
	name    string
	// hash is of the replicaPlan that it runs; empty for one that an earlier Host
	// started and that is not what is wanted.
	hash string
	// began is when it was started or adopted.
	began time.Time

	// target is what the probe asks; nil without one.
	target *readyz.Target
	// probed is the main process that stopProbe is about; nil when nothing probes.
	probed    *handle
	stopProbe context.CancelFunc
	result    probeResult

	// seen is the readiness at the last step, and since when it has been that.
	seen  readiness
	since time.Time

	// written is the digest of the files as they were last written, and filesProblem
	// why they could not be, or what else is wrong on the disk.
	written      [sha256.Size]byte
	filesProblem string
	// marked is true once it is remembered that there is data.
	marked bool
	// dataID identifies it.
	dataID string
}

func newReplica(p *replicaPlan, now time.Time) *replica {
	r := &replica{ordinal: p.ordinal, name: p.name, hash: p.hash, target: p.probe, began: now, since: now}
	for _, process := range p.processes {
		r.processes = append(r.processes, newProcess(process))
	}
	r.on = true
	return r
}

// refresh takes over of a plan of the same hash what needs no restart.
func (r *replica) refresh(p *replicaPlan) {
	for i, process := range r.processes {
		process.plan, process.grace = p.processes[i], p.processes[i].grace
	}
	if r.target != nil && p.probe != nil && *r.target == *p.probe {
		return
	}
	r.target = p.probe
	r.endProbe()
}

// serving is where its probe asks.
func (r *replica) serving() (component.HostPort, bool) {
	if r.target == nil {
		return component.HostPort{}, false
	}
	host, text, err := net.SplitHostPort(r.target.Address)
	port, errPort := strconv.Atoi(text)
	return component.HostPort{Host: host, Port: port}, err == nil && errPort == nil
}

// readiness is as far as it is known at this moment.
func (r *replica) readiness() readiness {
	switch {
	case !r.on || !r.running():
		return notReady
	case r.target == nil:
		return ready
	default:
		return r.result.readiness
	}
}

func (r *replica) phase() phase {
	if r.on {
		return running
	}
	return stopping
}

// note records since when the readiness is what it is, and returns when the message
// changes by that alone.
func (r *replica) note(now time.Time) time.Time {
	if is := r.readiness(); is != r.seen {
		r.seen, r.since = is, now
	}
	if r.seen == ready {
		// What was before it is of no interest any more.
		for _, p := range r.processes {
			p.ended, p.lastLine = "", ""
		}
	}
	if r.on && r.seen != ready && now.Sub(r.since) < quiet {
		return r.since.Add(quiet)
	}
	return time.Time{}
}

// endProbe stops asking; what was answered is of no worth any more.
func (r *replica) endProbe() {
	if r.stopProbe != nil {
		r.stopProbe()
	}
	r.probed, r.stopProbe, r.result = nil, nil, probeResult{}
}

// messages tell what is wrong with the replica.
func (r *replica) messages(now time.Time) []string {
	if !r.on {
		return nil
	}
	var all []string
	if r.filesProblem != "" {
		all = append(all, r.name+": "+r.filesProblem)
	}
	if r.readiness() == ready {
		return all
	}
	for _, p := range r.processes {
		if m := p.message(); m != "" {
			all = append(all, m)
		}
	}
	if len(all) == 0 && r.result.detail != "" && now.Sub(r.since) >= quiet {
		all = append(all, fmt.Sprintf("%s: runs but is not ready: %s", r.name, r.result.detail))
	}
	return all
}
