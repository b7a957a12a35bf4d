package local

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/go-logr/logr"
	"k8s.io/utils/clock"
)

// Options is what a Host needs.
type Options struct {
	// Dir is the folder that everything is kept below. It is made if it is missing,
	// readable by its owner only.
	Dir string
	// BinDir holds the programs: kubernetes/<version>/<program>, etcd/<version>/etcd.
	BinDir string
	// Self is the path of the marina binary, which is the balancer too.
	Self string
	// Address is the IP address that everything listens on; 127.0.0.1 if empty.
	Address string
	// Exposed is the IP address that balanced ports listen on, and by which tenants and
	// their nodes reach them; Address if empty. It must be one of this machine.
	Exposed string
	// FirstPort and LastPort are the range that ports are taken from; if zero, 21000
	// to 30999, which is below what the kernel gives to outgoing connections.
	FirstPort, LastPort int
	// Files gives the content of Mounts.
	Files Files
	Log   logr.Logger
	// Clock is for tests; the real one if nil. It times restarts, hold-backs and grace
	// periods. Readiness probes always run in real time: they are real requests.
	Clock clock.Clock
}

// complete fills in defaults and makes paths absolute.
func (o *Options) complete() error {
	if o.Dir == "" || o.BinDir == "" || o.Files == nil {
		return errors.New("local host: Dir, BinDir and Files are required")
	}
	if o.Address == "" {
		o.Address = "127.0.0.1"
	}
	if o.Exposed == "" {
		o.Exposed = o.Address
	}
	if o.FirstPort == 0 && o.LastPort == 0 {
		o.FirstPort, o.LastPort = 21000, 30999
	}
	if o.FirstPort < 1 || o.LastPort < o.FirstPort || o.LastPort > 65535 {
		return fmt.Errorf("local host: %d-%d is no range of ports", o.FirstPort, o.LastPort)
	}
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	if o.Log.GetSink() == nil {
		o.Log = logr.Discard()
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return fmt.Errorf("local host: %w", err)
	}
	for _, path := range []*string{&o.Dir, &o.BinDir, &o.Self} {
		absolute, err := filepath.Abs(*path)
		if err != nil {
			return fmt.Errorf("local host: %w", err)
		}
		*path = absolute
	}
	// Processes are recognised by this path: it must be the same however it is reached.
	resolved, err := filepath.EvalSymlinks(o.Dir)
	if err != nil {
		return fmt.Errorf("local host: %w", err)
	}
	o.Dir = resolved
	return nil
}
