package up

import (
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
)

// Options say what to run, and where.
type Options struct {
	// DataDir holds everything; one Marina at a time uses it.
	DataDir string
	// BinDir holds the programs of others: kubernetes/v*/ and etcd/v*/.
	BinDir string
	// Self is the marina binary, which is also the program of tenants' balancers;
	// that of this process if empty.
	Self string
	// Port of the management API on 127.0.0.1. The following managementPorts - 1
	// belong to the management plane as well.
	Port int
	// Tenants are the ports of tenants' processes; 21000 to 30999 if empty.
	Tenants PortRange
	// ExposeAddress is the IP address of this machine by which users and nodes reach
	// clusters' API servers; 127.0.0.1 if empty.
	ExposeAddress string
	// MetricsAddress is where the controllers' metrics are served; "0" for nowhere.
	MetricsAddress string
	// Cloud is what there is for nodes: CloudSimulator, or CloudNone, which is also the
	// empty one. It takes Controllers.
	Cloud string
	// NodeImages are container images of nodes, as hack/kind builds them, of different
	// versions of Kubernetes: the simulator's servers are then containers of a Docker
	// engine. Without, they are hollow nodes.
	NodeImages []string
	// Controllers tells whether tenants are served: without, there is the API alone.
	Controllers bool
	// Log gets what Marina has to say; nil for nowhere.
	Log *slog.Logger
}

const (
	defaultPort = 7443
	// managementPorts is the number of ports, from Options.Port, that the management
	// plane uses: its API server, controller-manager and etcd, and some to spare.
	managementPorts = 10
	// address is where everything of Marina's own listens. Nobody from outside gets
	// at the management plane.
	address = "127.0.0.1"
)

var defaultTenants = PortRange{First: 21000, Last: 30999}

// defaults are the options without any flag.
func defaults() (Options, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return Options{}, err
	}
	self, err := os.Executable()
	if err != nil {
		return Options{}, err
	}
	o := Options{
		DataDir:        session.DataDir(os.Getenv, home),
		BinDir:         filepath.Dir(self),
		Self:           self,
		Port:           defaultPort,
		Tenants:        defaultTenants,
		MetricsAddress: "0",
		Controllers:    true,
		Cloud:          CloudSimulator,
	}
	err = o.portsFrom(os.Getenv)
	return o, err
}

// Environment variables that stand for flags, so that a second Marina on a machine
// needs no other commands.
const (
	envPort      = "MARINA_PORT"
	envPortRange = "MARINA_PORT_RANGE"
)

// portsFrom takes ports from the environment, where they are given.
func (o *Options) portsFrom(getenv func(string) string) error {
	if value := getenv(envPort); value != "" {
		port, err := strconv.Atoi(value)
		if err != nil {
			return failure.New("correct or unset the variable", "$%s: %q is not a port", envPort, value)
		}
		o.Port = port
	}
	if value := getenv(envPortRange); value != "" {
		if err := o.Tenants.Set(value); err != nil {
			return failure.New("correct or unset the variable", "$%s: %q: %v", envPortRange, value, err)
		}
	}
	return nil
}

// complete fills in what may be left out, checks the rest and makes paths absolute:
// processes run elsewhere.
func (o *Options) complete() error {
	if o.Self == "" {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		o.Self = self
	}
	if o.Tenants == (PortRange{}) {
		o.Tenants = defaultTenants
	}
	for _, path := range []*string{&o.DataDir, &o.BinDir, &o.Self} {
		if *path == "" {
			continue
		}
		absolute, err := filepath.Abs(*path)
		if err != nil {
			return err
		}
		*path = absolute
	}
	if o.DataDir == "" {
		return misused("give --data-dir, or set $"+session.EnvDataDir, "no data directory")
	}
	own := PortRange{First: o.Port, Last: o.Port + managementPorts - 1}
	allowed := PortRange{First: 1, Last: maxPort - managementPorts + 1}
	if own.First < 1 || own.Last > maxPort {
		return misused(fmt.Sprintf("choose a --port from %d to %d", allowed.First, allowed.Last), "--port %d: it and the %d ports after it must be from 1 to %d", o.Port, managementPorts-1, maxPort)
	}
	if own.overlaps(o.Tenants) {
		return misused("choose another --port or --port-range", "--port-range %s contains ports of the management plane, which uses %s", o.Tenants, own)
	}
	if o.Cloud == "" {
		o.Cloud = CloudNone
	}
	if o.Cloud != CloudSimulator && o.Cloud != CloudNone {
		return misused(fmt.Sprintf("choose %s or %s; for a cloud of your own create an Infrastructure", CloudSimulator, CloudNone), "--cloud %q is not known", o.Cloud)
	}
	if o.ExposeAddress == "" {
		o.ExposeAddress = address
	}
	// All addresses at once are none that a certificate or a kubeconfig can name.
	if exposed, err := netip.ParseAddr(o.ExposeAddress); err != nil || exposed.IsUnspecified() {
		return misused("give one IP address of this machine, as 'ip address' shows them", "--expose-address %q is not an address that others can connect to", o.ExposeAddress)
	}
	if len(o.NodeImages) > 0 && o.Cloud != CloudSimulator {
		return misused("leave out --node-image, or give --cloud "+CloudSimulator, "--node-image is for servers of the simulated cloud, and there is none")
	}
	if o.MetricsAddress == "" {
		o.MetricsAddress = "0"
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

// misused is options with which nothing can be tried.
func misused(do, format string, args ...any) error {
	return &failure.Error{Exit: failure.ExitUsage, Message: fmt.Sprintf(format, args...), Do: do}
}

const maxPort = 65535

// PortRange is a range of TCP ports, both ends included. It is a flag's value.
type PortRange struct{ First, Last int }

func (r PortRange) String() string { return fmt.Sprintf("%d-%d", r.First, r.Last) }

// Type is what the help calls the value.
func (r PortRange) Type() string { return "FIRST-LAST" }

// Set reads FIRST-LAST.
func (r *PortRange) Set(s string) error {
	first, last, found := strings.Cut(s, "-")
	a, errA := strconv.Atoi(strings.TrimSpace(first))
	b, errB := strconv.Atoi(strings.TrimSpace(last))
	if !found || errA != nil || errB != nil || a < 1 || b > maxPort || a > b {
		return fmt.Errorf("write FIRST-LAST with ports from 1 to %d, for example %s", maxPort, defaultTenants)
	}
	r.First, r.Last = a, b
	return nil
}

func (r PortRange) overlaps(other PortRange) bool {
	return r.First <= other.Last && other.First <= r.Last
}
