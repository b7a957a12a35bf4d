package kubernetes

import (
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

const (
	// holdBack is how long the first replica may keep the others of its Component
	// waiting, and how long a Component that comes up those of others. It is long: where
	// many control planes begin together, to start more of them would make it worse.
	holdBack = 2 * time.Minute
	// growingPerNode is how many Components may start the replicas besides their first at
	// the same time, for each node of the management cluster, and growingBeside how many
	// while there are first replicas that start. Of ten clusters that were applied at once
	// on a node of two cores thirty API servers took each other's CPU, until none became
	// ready any more (docs/reference/performance.md).
	growingPerNode, growingBeside = 2, 1
)

// growth lets Components start the replicas besides their first, a few at a time and in
// the order in which they asked. First replicas wait for nobody. It lives in memory: a
// manager that has started anew lets a few more begin.
type growth struct {
	// nodes counts the nodes, and notify wakes a Component whose turn it is.
	nodes  func() int
	notify func(types.NamespacedName)
	// after is time.AfterFunc.
	after func(time.Duration, func()) *time.Timer

	mu      sync.Mutex
	coming  map[types.NamespacedName]*coming
	waiting []types.NamespacedName
}

// coming is a Component that comes up.
type coming struct {
	timer *time.Timer
	// late is true after holdBack: nobody waits for it any more.
	late bool
	// grows is true when it is about more than the first replica.
	grows bool
}

func newGrowth(nodes func() int, notify func(types.NamespacedName)) *growth {
	return &growth{nodes: nodes, notify: notify, after: time.AfterFunc, coming: map[types.NamespacedName]*coming{}}
}

// begin is said of a Component whose first replica is not ready yet.
func (g *growth) begin(key types.NamespacedName) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.unqueue(key)
	if g.coming[key] == nil {
		g.start(key, false)
	}
}

// grows is said of a Component of which all replicas have been asked for, by whomever.
func (g *growth) grows(key types.NamespacedName) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.unqueue(key)
}

func (g *growth) unqueue(key types.NamespacedName) {
	g.waiting = slices.DeleteFunc(g.waiting, func(k types.NamespacedName) bool { return k == key })
}

// ask reports whether a Component may grow now. Otherwise it is woken when it may.
func (g *growth) ask(key types.NamespacedName) bool {
	nodes := max(1, g.nodes())
	g.mu.Lock()
	defer g.mu.Unlock()
	if c := g.coming[key]; c != nil && c.grows {
		return true
	}
	g.end(key)
	if !slices.Contains(g.waiting, key) {
		g.waiting = append(g.waiting, key)
	}
	g.admit(nodes)
	return g.coming[key] != nil
}

// waits reports whether a Component waits for its turn.
func (g *growth) waits(key types.NamespacedName) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Contains(g.waiting, key)
}

// done is said of a Component that has grown, or is gone.
func (g *growth) done(key types.NamespacedName) {
	nodes := max(1, g.nodes())
	g.mu.Lock()
	defer g.mu.Unlock()
	g.unqueue(key)
	g.end(key)
	g.admit(nodes)
}

func (g *growth) start(key types.NamespacedName, grows bool) {
	c := &coming{grows: grows}
	c.timer = g.after(holdBack, func() {
		nodes := max(1, g.nodes())
		g.mu.Lock()
		defer g.mu.Unlock()
		c.late = true
		g.admit(nodes)
	})
	g.coming[key] = c
}

func (g *growth) end(key types.NamespacedName) {
	if c := g.coming[key]; c != nil {
		c.timer.Stop()
		delete(g.coming, key)
	}
}

// admit lets those grow that have waited longest.
func (g *growth) admit(nodes int) {
	places, growing := nodes*growingPerNode, 0
	for _, c := range g.coming {
		switch {
		case c.late:
		case c.grows:
			growing++
		default:
			places = nodes * growingBeside
		}
	}
	for ; len(g.waiting) > 0 && growing < places; growing++ {
		next := g.waiting[0]
		g.waiting = g.waiting[1:]
		g.start(next, true)
		g.notify(next)
	}
}
