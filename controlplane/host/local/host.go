package local

import (
	"context"
	"fmt"
	"sync"

	"github.com/go-logr/logr"
	"k8s.io/utils/clock"

	"github.com/marina-dev/marina/controlplane/host"
)

// Host runs Components as processes of this machine.
type Host struct {
	dir     string
	files   Files
	clock   clock.Clock
	log     logr.Logger
	book    *addressBook
	planner planner
	lock    *dirLock

	// adopts is true if processes ran when the Host began.
	adopts bool

	// ctx ends when the Host stops supervising; wg counts its goroutines.
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu sync.Mutex
	// units are the Components that something was asked of since the Host began.
	units map[key]*unit
	// found are the processes of the others that ran when the Host began.
	found map[key][]found
	// ended is true once the Host is being stopped.
	ended       bool
	subscribers []func(namespace, name string)
}

var _ host.Host = (*Host)(nil)

// New returns a Host, which finds out what already runs and does nothing more. There
// can be one at a time for a folder.
func New(o Options) (*Host, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	lock, err := lockDir(o.Dir)
	if err != nil {
		return nil, err
	}
	h, err := newHost(o, lock)
	if err != nil {
		lock.release()
		return nil, err
	}
	return h, nil
}

func newHost(o Options, lock *dirLock) (*Host, error) {
	book, err := openAddressBook(o)
	if err != nil {
		return nil, err
	}
	running, err := scan(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("local host: looking for processes: %w", err)
	}
	h := &Host{
		dir: o.Dir, files: o.Files, clock: o.Clock, log: o.Log, book: book, lock: lock,
		planner: planner{dir: o.Dir, address: o.Address, programs: programs{dir: o.BinDir, self: o.Self}},
		units:   map[key]*unit{},
		found:   map[key][]found{},
	}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	for _, f := range running {
		h.found[f.id.key] = append(h.found[f.id.key], f)
	}
	h.adopts = len(running) > 0
	if h.adopts {
		h.log.Info("Found processes that run from before", "processes", len(running), "components", len(h.found))
	}
	return h, nil
}

// Adopts reports whether processes of an earlier Host ran when this one began.
func (h *Host) Adopts() bool { return h.adopts }

// Subscribe implements host.Host.
func (h *Host) Subscribe(notify func(namespace, name string)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.subscribers = append(h.subscribers, notify)
}

func (h *Host) notify(k key) {
	h.mu.Lock()
	// Only ever appended to: the part that is read here does not change.
	subscribers := h.subscribers
	h.mu.Unlock()
	for _, notify := range subscribers {
		notify(k.namespace, k.name)
	}
}

// beginLocked begins a unit with what ran before the Host began; init sets what it is
// for before its first step.
func (h *Host) beginLocked(k key, init func(*unit)) *unit {
	u := newUnit(h, k, h.found[k])
	delete(h.found, k)
	init(u)
	u.leaving.Store(u.goal != run)
	h.units[k] = u
	h.wg.Go(func() { u.loop(h.ctx) })
	return u
}

// forget is called by a unit that has nothing more to do.
func (h *Host) forget(u *unit) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.units[u.key] == u {
		delete(h.units, u.key)
	}
}
