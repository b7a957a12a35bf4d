package balancer

import (
	"sync"
	"sync/atomic"

	"github.com/go-logr/logr"
)

// backend is one replica.
type backend struct {
	address string
	log     logr.Logger
	// ready says whether it gets new connections.
	ready atomic.Bool
	// open counts its connections, those being dialled included.
	open atomic.Int64

	mu    sync.Mutex
	links map[*link]struct{}
	// ended refuses further links.
	ended bool
	// told is false until the first state is logged.
	told bool
}

func newBackend(address string, log logr.Logger) *backend {
	return &backend{address: address, log: log.WithValues("backend", address), links: map[*link]struct{}{}}
}

// set records whether the backend is ready, and why not, and logs a change.
func (b *backend) set(ready bool, reason error) {
	b.mu.Lock()
	changed := b.ready.Swap(ready) != ready || !b.told
	b.told = true
	b.mu.Unlock()
	switch {
	case !changed:
	case ready:
		b.log.Info("Ready")
	default:
		b.log.Info("Not ready", "reason", reason.Error())
	}
}

// add records a link that close is to find.
func (b *backend) add(l *link) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		l.reset()
	}
	b.links[l] = struct{}{}
}

// remove takes back what add and connect did.
func (b *backend) remove(l *link) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.links, l)
	b.open.Add(-1)
}

// close closes the connections and returns how many there were.
func (b *backend) close() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closeLocked()
}

// end is close, for those as well that are still being dialled.
func (b *backend) end() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
	return b.closeLocked()
}

func (b *backend) closeLocked() int {
	for l := range b.links {
		l.reset()
	}
	return len(b.links)
}
