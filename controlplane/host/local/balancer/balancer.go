package balancer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// dialTimeout is how long a backend may take to accept before the next is tried.
const dialTimeout = time.Second

// keepAlive finds peers that are gone without a word within about half a minute.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}

// Run serves until ctx is done; then it accepts nothing more, lets open connections
// go on for o.Drain, closes them and returns nil. It returns an error when it cannot
// listen.
func Run(ctx context.Context, o Options) error {
	if err := o.validate(); err != nil {
		return err
	}
	config := net.ListenConfig{KeepAliveConfig: keepAlive}
	listener, err := config.Listen(ctx, "tcp", o.Listen)
	if err != nil {
		return fmt.Errorf("listening for clients: %w", err)
	}
	return newBalancer(o).serve(ctx, listener)
}

type balancer struct {
	options  Options
	backends []*backend
	dialer   net.Dialer
	// turn rotates among backends with equally many connections.
	turn atomic.Uint32
}

func newBalancer(o Options) *balancer {
	b := &balancer{options: o, dialer: net.Dialer{Timeout: dialTimeout, KeepAliveConfig: keepAlive}}
	for _, address := range o.Backends {
		b.backends = append(b.backends, newBackend(address, o.Log))
	}
	return b
}

// serve owns the listener. It returns when nothing of it runs any more.
func (b *balancer) serve(ctx context.Context, listener net.Listener) error {
	// Checks go on while connections drain: a backend that hangs then must not hold them.
	checking, stopChecking := context.WithCancel(context.WithoutCancel(ctx))
	var checks, connections sync.WaitGroup
	for _, backend := range b.backends {
		checks.Go(func() { backend.check(checking, b.options.ReadyPath) })
	}
	b.options.Log.Info("Listening", "address", listener.Addr().String(), "backends", b.options.Backends)

	stopAccepting := context.AfterFunc(ctx, func() { listener.Close() })
	err := b.accept(ctx, listener, &connections)
	stopAccepting()
	listener.Close()

	b.drain(&connections)
	stopChecking()
	checks.Wait()
	return err
}

// accept hands out connections until the listener is closed.
func (b *balancer) accept(ctx context.Context, listener net.Listener, connections *sync.WaitGroup) error {
	for {
		conn, err := listener.Accept()
		if err == nil {
			connections.Go(func() { b.handle(ctx, conn.(*net.TCPConn)) })
			continue
		}
		if ctx.Err() != nil {
			return nil //nolint:nilerr // we have closed the listener ourselves
		}
		if errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("accepting clients: %w", err)
		}
		// Out of file descriptors, most likely: it passes when connections end.
		b.options.Log.Error(err, "Cannot accept a client")
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// drain waits for the connections, at most for the time they are given, and closes
// those that are left.
func (b *balancer) drain(connections *sync.WaitGroup) {
	ended := make(chan struct{})
	go func() {
		connections.Wait()
		close(ended)
	}()
	timer := time.NewTimer(b.options.Drain)
	defer timer.Stop()
	select {
	case <-ended:
		return
	case <-timer.C:
	}
	closed := 0
	for _, backend := range b.backends {
		closed += backend.end()
	}
	b.options.Log.Info("Closed the connections that were still open", "connections", closed)
	<-ended
}

// handle carries one client's connection.
func (b *balancer) handle(ctx context.Context, client *net.TCPConn) {
	backend, server := b.connect(context.WithoutCancel(ctx))
	if server == nil {
		client.Close()
		return
	}
	link := &link{client: client, server: server}
	backend.add(link)
	defer backend.remove(link)
	link.carry()
}

// connect dials the backends in order until one accepts, so that a client does not
// see that another did not. The backend it returns counts the connection as open.
func (b *balancer) connect(ctx context.Context) (*backend, *net.TCPConn) {
	for _, backend := range b.order() {
		backend.open.Add(1)
		conn, err := b.dialer.DialContext(ctx, "tcp", backend.address)
		if err == nil {
			return backend, conn.(*net.TCPConn)
		}
		backend.open.Add(-1)
		backend.set(false, err)
	}
	return nil, nil
}

// order lists the backends as they are to be tried: the ready ones by how few
// connections they have; after them the others, which is better than nothing when
// the checks are wrong or late.
func (b *balancer) order() []*backend {
	type candidate struct {
		*backend
		ready bool
		open  int64
	}
	// Ready and open change while we sort: each is read once.
	n, turn := len(b.backends), int(b.turn.Add(1))
	candidates := make([]candidate, 0, n)
	for i := range n {
		be := b.backends[(turn+i)%n]
		candidates = append(candidates, candidate{be, be.ready.Load(), be.open.Load()})
	}
	slices.SortStableFunc(candidates, func(x, y candidate) int {
		if x.ready != y.ready {
			if x.ready {
				return -1
			}
			return 1
		}
		return cmp.Compare(x.open, y.open)
	})
	ordered := make([]*backend, n)
	for i := range candidates {
		ordered[i] = candidates[i].backend
	}
	return ordered
}
