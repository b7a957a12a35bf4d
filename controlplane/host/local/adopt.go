package local

import (
	"cmp"
	"slices"
	"time"
)

// adoptFound takes over what ran when the Host began. It does so at the first step,
// when it is known what is wanted, if anything is.
func (u *unit) adoptFound(now time.Time) {
	running := map[int][]found{}
	for _, f := range u.found {
		running[f.id.ordinal] = append(running[f.id.ordinal], f)
	}
	u.found = nil
	for ordinal, processes := range running {
		if ordinal == balancerOrdinal {
			var want []*processPlan
			if u.desired != nil && u.desired.balancer != nil {
				want = []*processPlan{u.desired.balancer}
			}
			if u.balancer, _ = adopt(processes, want); u.balancer != nil {
				u.watchAll(u.balancer)
			}
			continue
		}
		u.adoptReplica(ordinal, processes, now)
	}
}

func (u *unit) adoptReplica(ordinal int, processes []found, now time.Time) {
	r := &replica{ordinal: ordinal, name: replicaName(u.name, ordinal), began: now, since: now}
	var want *replicaPlan
	var plans []*processPlan
	if u.desired != nil && ordinal < len(u.desired.replicas) {
		want = u.desired.replicas[ordinal]
		plans = want.processes
		// Also one that runs something older is asked, since it may be serving. Ports are
		// reserved for good, so it is at the same address.
		r.target = want.probe
	}
	g, current := adopt(processes, plans)
	if g == nil {
		return
	}
	r.group = *g
	if current {
		r.hash = want.hash
	}
	u.replicas[ordinal] = r
	u.watchAll(&r.group)
}

func (u *unit) watchAll(g *group) {
	for _, p := range g.processes {
		if p.running() {
			u.watch(g, p)
		}
	}
}

// adopt makes a group of processes that run. It is current when they are what is
// wanted, or a part of it: the rest is then started. It is nil when they have all
// ended meanwhile.
func adopt(processes []found, want []*processPlan) (g *group, current bool) {
	handles := map[identity]*handle{}
	for _, f := range processes {
		if h, err := open(f.identity); err == nil {
			handles[f.identity] = h
		}
	}
	processes = slices.DeleteFunc(processes, func(f found) bool { return handles[f.identity] == nil })
	if len(processes) == 0 {
		return nil, false
	}
	g = &group{on: true}
	if matches(processes, want) {
		for _, plan := range want {
			p := newProcess(plan)
			if i := slices.IndexFunc(processes, func(f found) bool { return f.id == plan.id }); i >= 0 {
				p.handle = handles[processes[i].identity]
			}
			g.processes = append(g.processes, p)
		}
		current = true
	} else {
		slices.SortStableFunc(processes, func(a, b found) int { return cmp.Compare(a.order, b.order) })
		for _, f := range processes {
			g.processes = append(g.processes, &process{order: f.order, grace: f.grace, handle: handles[f.identity]})
		}
	}
	return g, current
}

// matches reports whether each process that runs is one that is wanted, once, and runs
// what is wanted.
func matches(processes []found, want []*processPlan) bool {
	seen := map[processID]bool{}
	for _, f := range processes {
		i := slices.IndexFunc(want, func(p *processPlan) bool { return p.id == f.id })
		if i < 0 || want[i].hash != f.hash || seen[f.id] {
			return false
		}
		seen[f.id] = true
	}
	return true
}
