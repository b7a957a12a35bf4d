package local

import (
	"fmt"
	"hash/fnv"
	"net/netip"
	"slices"
	"sync"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/controlplane/host"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// reservation is what one Component holds. It is kept in a file.
type reservation struct {
	// Balanced is the balancer's port, zero without one.
	Balanced int `json:"balanced,omitempty"`
	// Replicas are the ports of each replica, by name.
	Replicas []map[string]int `json:"replicas,omitempty"`
}

func (r reservation) ports() []int {
	var all []int
	if r.Balanced != 0 {
		all = append(all, r.Balanced)
	}
	for _, replica := range r.Replicas {
		for _, port := range replica {
			all = append(all, port)
		}
	}
	return all
}

// addressBook keeps which ports are whose, in files: they must stay the same when the
// Host begins anew, since kubeconfigs and certificates name them.
type addressBook struct {
	dir         string
	address     netip.Addr
	exposed     netip.Addr // that of balanced ports
	first, last int

	mu sync.Mutex
	// held are the reservations by <namespace>/<component>.
	held  map[string]reservation
	taken map[int]bool
	// next is where the search for a free port goes on.
	next int
}

// openAddressBook reads the book, if there is one.
func openAddressBook(o Options) (*addressBook, error) {
	address, err := netip.ParseAddr(o.Address)
	if err != nil {
		return nil, fmt.Errorf("local host: address: %w", err)
	}
	exposed, err := netip.ParseAddr(o.Exposed)
	if err != nil {
		return nil, fmt.Errorf("local host: exposed address: %w", err)
	}
	b := &addressBook{
		dir:     o.Dir,
		address: address,
		exposed: exposed,
		first:   o.FirstPort,
		last:    o.LastPort,
		held:    map[string]reservation{},
		taken:   map[int]bool{},
	}
	// Hosts of other folders may use the same range, and a port that is reserved there
	// but not used yet looks free: each begins elsewhere, so that they rarely meet.
	h := fnv.New32a()
	h.Write([]byte(o.Dir))
	b.next = b.first + int(h.Sum32())%b.size()

	if err := b.load(o.Log); err != nil {
		return nil, err
	}
	return b, nil
}

func (b *addressBook) size() int { return b.last - b.first + 1 }

// reserve returns the addresses of a Component. What it already has stays, even what
// is not asked for any more: a replica that goes may still listen there.
func (b *addressBook) reserve(k key, r host.Reservation) (component.Addresses, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	held, had := b.held[k.String()]
	got := reservation{Balanced: held.Balanced, Replicas: slices.Clone(held.Replicas)}
	var picked []int
	pick := func(address netip.Addr) (int, error) {
		port, err := b.pick(address)
		if err == nil {
			picked = append(picked, port)
		}
		return port, err
	}
	err := got.extend(r, func() (int, error) { return pick(b.exposed) }, func() (int, error) { return pick(b.address) })
	// Also one without ports is written down: where there are Components, and no book, it
	// was lost.
	if err == nil && (len(picked) > 0 || !had) {
		b.held[k.String()] = got
		if err = b.save(); err != nil && had {
			b.held[k.String()] = held
		} else if err != nil {
			delete(b.held, k.String())
		}
	}
	if err != nil {
		for _, port := range picked {
			delete(b.taken, port)
		}
		return component.Addresses{}, err
	}
	return b.addresses(got, r), nil
}

// extend picks the ports that r asks for and that are not held.
func (r *reservation) extend(want host.Reservation, pickBalanced, pick func() (int, error)) (err error) {
	if len(want.Balanced) > 0 && r.Balanced == 0 {
		if r.Balanced, err = pickBalanced(); err != nil {
			return err
		}
	}
	for i := range want.Replicas {
		if i == len(r.Replicas) {
			r.Replicas = append(r.Replicas, nil)
		}
		ports := map[string]int{}
		for name, port := range r.Replicas[i] {
			ports[name] = port
		}
		for _, port := range want.Ports {
			if name := port.Name; ports[name] == 0 {
				if ports[name], err = pick(); err != nil {
					return err
				}
			}
		}
		r.Replicas[i] = ports
	}
	return nil
}

// addresses returns of what is held what is asked for.
func (b *addressBook) addresses(held reservation, want host.Reservation) component.Addresses {
	var a component.Addresses
	for _, balanced := range want.Balanced {
		at := map[string]component.HostPort{balanced.Port: {Host: b.exposed.String(), Port: held.Balanced}}
		a.Exposed, a.Internal = at, at
	}
	for _, replica := range held.Replicas[:want.Replicas] {
		ports := map[string]component.HostPort{}
		for _, port := range want.Ports {
			name := port.Name
			ports[name] = component.HostPort{Host: b.address.String(), Port: replica[name]}
		}
		a.Replicas = append(a.Replicas, ports)
	}
	return a
}

// pick takes a port that nobody has reserved and nobody listens on at the address.
func (b *addressBook) pick(address netip.Addr) (int, error) {
	for range b.size() {
		port := b.next
		if b.next++; b.next > b.last {
			b.next = b.first
		}
		if !b.taken[port] && portFree(address, port) {
			b.taken[port] = true
			return port, nil
		}
	}
	return 0, reconcile.UserError("NoFreePort", "all ports from %d to %d are reserved or in use on this machine: give a larger range", b.first, b.last)
}

// free gives a Component's addresses back.
func (b *addressBook) free(k key) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	held, ok := b.held[k.String()]
	if !ok {
		return nil
	}
	delete(b.held, k.String())
	if err := b.save(); err != nil {
		b.held[k.String()] = held
		return err
	}
	for _, port := range held.ports() {
		delete(b.taken, port)
	}
	return nil
}

// keys lists who has addresses.
func (b *addressBook) keys() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []string
	for k := range b.held {
		all = append(all, k)
	}
	return all
}
