// Package balancer is the one address of a replica set on a machine: a TCP proxy,
// run as a process of its own, that sends each connection to a replica that says it
// is ready. It reads nothing of what it carries.
//
// A replica is asked over HTTPS, every quarter of a second:
//
//   - it answers 200: it gets new connections;
//   - it answers anything else, or refuses: no new ones, and those it has go on, for
//     it may be shutting down in good order;
//   - it does not answer in time: no new ones, and at the second time in a row those
//     it has are closed. A stopped process or a lost machine would hold them for
//     ever, and its clients only try elsewhere once they are told.
//
// It knows nothing of Components, hosts or Kubernetes.
package balancer

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/pflag"
)

// Options is what a balancer needs.
type Options struct {
	// Listen is the address that clients use, host:port.
	Listen string
	// Backends are the addresses of the replicas, host:port.
	Backends []string
	// ReadyPath is the path of the HTTPS GET that a backend answers with 200 when it
	// may get connections.
	ReadyPath string
	// Drain is how long open connections may go on once the balancer is told to end.
	Drain time.Duration
	// Log gets changes of state only, never one line per connection.
	Log logr.Logger
}

// Defaults of what a flag may leave out.
const (
	defaultReadyPath = "/readyz"
	defaultDrain     = 5 * time.Second
)

// AddFlags adds the flags that Args writes.
func (o *Options) AddFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.Listen, "listen", o.Listen, "Address to listen on, host:port.")
	flags.StringSliceVar(&o.Backends, "backend", o.Backends, "Address of a replica, host:port. Repeat it for each.")
	flags.StringVar(&o.ReadyPath, "ready-path", defaultReadyPath, "Path of the HTTPS GET that a replica answers with 200 when it is ready.")
	flags.DurationVar(&o.Drain, "drain", defaultDrain, "How long open connections may go on after SIGTERM.")
}

// Args returns the command line of o, for the flags of AddFlags.
func (o *Options) Args() []string {
	args := []string{"--listen=" + o.Listen}
	for _, b := range o.Backends {
		args = append(args, "--backend="+b)
	}
	if o.ReadyPath != "" {
		args = append(args, "--ready-path="+o.ReadyPath)
	}
	if o.Drain != 0 {
		args = append(args, "--drain="+o.Drain.String())
	}
	return args
}

// validate returns what is wrong with o.
func (o *Options) validate() error {
	if o.Listen == "" {
		return errors.New("no address to listen on: give --listen host:port")
	}
	if len(o.Backends) == 0 {
		return errors.New("no backend: give --backend host:port at least once")
	}
	for _, address := range append([]string{o.Listen}, o.Backends...) {
		if _, _, err := net.SplitHostPort(address); err != nil {
			return fmt.Errorf("%q is not host:port: %w", address, err)
		}
	}
	return nil
}
