package local

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const (
	// holdBack is how long the first replica may keep the others waiting.
	holdBack = 15 * time.Second
	// removalGrace is how long a process may take to stop that nobody will start again:
	// an API server that has lost its etcd would use all of its own grace.
	removalGrace = 2 * time.Second
	// patience is how long a replica with data may take to become ready before another
	// one is replaced that is not either: a change may be what they all need.
	patience = time.Minute
	// retryRemoval is when the removal of folders is tried again.
	retryRemoval = time.Second
)

// step looks at what is, begins what has to be done, and returns when to look again at
// the latest (zero: at an event), or that there is nothing more to do.
func (u *unit) step(now time.Time) (next time.Time, done bool) {
	u.adoptFound(now)
	if u.goal == run {
		next = u.stepReplicas(now)
		return earliest(next, u.stepBalancer(now, u.desired.balancer)), false
	}
	for _, r := range u.replicas {
		r.on = false
		if u.goal == remove {
			r.limit = removalGrace
		}
	}
	next = u.stepReplicas(now)
	if len(u.replicas) > 0 {
		return next, false
	}
	// Clients are better served by a balancer without backends than by none: it is the
	// last to go.
	next = u.stepBalancer(now, nil)
	if u.balancer != nil {
		return next, false
	}
	if u.goal == halt {
		return next, true
	}
	if err := u.host.clean(u.key); err != nil {
		u.problem = "cannot be removed: " + err.Error()
		return now.Add(retryRemoval), false
	}
	return next, true
}

// stepReplicas brings the replicas nearer to what is wanted.
func (u *unit) stepReplicas(now time.Time) (next time.Time) {
	for {
		maps.DeleteFunc(u.replicas, func(_ int, r *replica) bool { return !r.on && r.stopped() })
		if u.goal == run {
			next = u.act(now)
		}
		again := false
		for _, ordinal := range slices.Sorted(maps.Keys(u.replicas)) {
			r := u.replicas[ordinal]
			next = earliest(next, u.stepReplica(r, now))
			again = again || !r.on && r.stopped()
		}
		if !again {
			return next
		}
	}
}

// act begins what nextActions decides, and returns when time alone changes that.
func (u *unit) act(now time.Time) (next time.Time) {
	r := rollout{ordered: u.desired.ordered, last: u.desired.last, careful: u.desired.hasData()}
	if first, ok := u.replicas[0]; ok && r.ordered {
		until := first.began.Add(holdBack)
		if r.waited = !now.Before(until); !r.waited {
			next = until
		}
	}
	if r.careful {
		next = earliest(next, u.settled(now))
	}
	for _, a := range nextActions(u.states(now), r) {
		switch a.verb {
		case startReplica:
			u.replicas[a.ordinal] = newReplica(u.desired.replicas[a.ordinal], now)
		case stopReplica:
			u.replicas[a.ordinal].on = false
		}
	}
	for ordinal := range u.desired.replicas {
		if u.replicas[ordinal] == nil {
			return next
		}
	}
	if r.careful {
		return next
	}
	// Nobody is held back.
	return time.Time{}
}

// settling reports whether a replica runs what was applied last and may yet become
// ready.
func (u *unit) settling(ordinal int, now time.Time) bool {
	r := u.replicas[ordinal]
	return r != nil && r.on && ordinal < len(u.desired.replicas) && r.hash == u.desired.replicas[ordinal].hash &&
		r.readiness() != ready && now.Before(r.since.Add(patience))
}

// settled is when the first replica that settles has taken too long.
func (u *unit) settled(now time.Time) (at time.Time) {
	for ordinal, r := range u.replicas {
		if u.settling(ordinal, now) {
			at = earliest(at, r.since.Add(patience))
		}
	}
	return at
}

// states are the replicas that are wanted or there, by ordinal.
func (u *unit) states(now time.Time) []replicaState {
	var states []replicaState
	for i := range u.desired.replicas {
		if _, ok := u.replicas[i]; !ok {
			states = append(states, replicaState{ordinal: i, wanted: true, readiness: notReady})
		}
	}
	for ordinal, r := range u.replicas {
		s := replicaState{ordinal: ordinal, phase: r.phase(), readiness: r.readiness(), outdated: true}
		if ordinal < len(u.desired.replicas) {
			s.wanted = true
			s.outdated = r.hash != u.desired.replicas[ordinal].hash
			s.settling = u.settling(ordinal, now)
		}
		states = append(states, s)
	}
	slices.SortFunc(states, func(a, b replicaState) int { return a.ordinal - b.ordinal })
	return states
}

// stepReplica brings one replica's files, processes and probe up to date.
func (u *unit) stepReplica(r *replica, now time.Time) (next time.Time) {
	if err := u.prepare(r); err != nil {
		r.filesProblem = err.Error()
		next = now.Add(retryFiles)
	} else {
		r.filesProblem = ""
		next = r.step(now, u.starter(&r.group))
	}
	u.probe(r)
	return earliest(next, r.note(now))
}

// prepare makes sure that a replica finds on the disk what it needs.
func (u *unit) prepare(r *replica) error {
	if err := u.checkData(r); err != nil {
		return err
	}
	if err := u.writeFiles(r); err != nil {
		return fmt.Errorf("cannot write its files: %w", err)
	}
	return nil
}

// writeFiles writes what is mounted: all of it for a replica that runs, or is about
// to run, what was applied last; what is reloaded for one that still runs something
// older.
func (u *unit) writeFiles(r *replica) error {
	if !r.on || u.desired == nil || r.ordinal >= len(u.desired.replicas) {
		return nil
	}
	if !r.main().running() {
		// Look again at what is on disk before each start.
		clear(r.written[:])
	}
	files, want := u.desired.files, u.desired.replicas[r.ordinal]
	digest, write := files.digest, files.writeAll
	if r.hash != want.hash {
		digest, write = files.reloadedDigest, files.writeReloaded
	}
	if r.written == digest {
		return nil
	}
	if err := write(want.files()); err != nil {
		return err
	}
	r.written = digest
	return nil
}

// starter starts processes of the group.
func (u *unit) starter(g *group) starter {
	return func(p *process) error {
		for _, name := range slices.Sorted(maps.Keys(p.plan.ports)) {
			// Told beforehand: the program itself would only say so in its log.
			if port := p.plan.ports[name].Port; !portFree(u.host.book.address, port) {
				return fmt.Errorf("port %d (%s) is in use by another program", port, name)
			}
		}
		h, err := launch(p.plan, u.host.dir)
		if err != nil {
			return fmt.Errorf("cannot be started: %w", err)
		}
		p.handle = h
		u.watch(g, p)
		u.host.log.Info("Started a process", "process", p.plan.id.String(), "pid", h.pid)
		return nil
	}
}

// probe sees to it that the main process is asked while it runs.
func (u *unit) probe(r *replica) {
	current := r.main().handle
	if !r.on {
		current = nil
	}
	if r.probed == current && (current == nil || r.stopProbe != nil) {
		return
	}
	r.endProbe()
	if current == nil || r.target == nil {
		return
	}
	ctx, cancel := context.WithCancel(u.host.ctx)
	r.probed, r.stopProbe = current, cancel
	target := *r.target
	u.host.wg.Go(func() {
		probe(ctx, target, func(result probeResult) {
			u.change(func() {
				// An answer of the process before says nothing of this one.
				if ctx.Err() == nil {
					r.result = result
				}
			})
		})
	})
}

// stepBalancer brings the balancer nearer to what is wanted; nil is none.
func (u *unit) stepBalancer(now time.Time, want *processPlan) (next time.Time) {
	for {
		if u.balancer != nil && !u.balancer.on && u.balancer.stopped() {
			u.balancer = nil
		}
		if u.balancer == nil {
			if want == nil {
				return time.Time{}
			}
			u.balancer = &group{on: true, processes: []*process{newProcess(want)}}
		}
		if has := u.balancer.main().plan; want == nil || has == nil || has.hash != want.hash {
			u.balancer.on = false
		}
		next = u.balancer.step(now, u.starter(u.balancer))
		if u.balancer.on || !u.balancer.stopped() {
			return next
		}
	}
}

// clean removes what is left of a Component that has no processes.
func (h *Host) clean(k key) error {
	namespace := filepath.Join(h.dir, k.namespace)
	if err := os.RemoveAll(filepath.Join(namespace, k.name)); err != nil {
		return err
	}
	// Other Components may be left in the namespace.
	if err := os.Remove(namespace); err != nil && !errors.Is(err, os.ErrExist) && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return h.book.free(k)
}

// earliest is the earlier of two times; zero is never.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
