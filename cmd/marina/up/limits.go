package up

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/marina-dev/marina/cmd/marina/cli/failure"
)

// limits are what the system allows a process or a user. Zero is not known.
type limits struct {
	// openFiles is for each process. An API server holds one for each watch.
	openFiles uint64
	// inotifyInstances and inotifyWatches are for all processes of the user
	// together. Each component watches its certificates and its configuration.
	inotifyInstances, inotifyWatches uint64
}

const (
	// minOpenFiles is what an API server with some hundred clients needs.
	minOpenFiles = 4096
	// goodOpenFiles is what is advised where a limit has to be set.
	goodOpenFiles = 65536
)

// The inotify instances that the management plane and one tenant hold: seven for an
// API server, six for a leading controller-manager, one for each of the others.
const (
	managementInotify = 13
	tenantInotify     = 32
)

// What is refused, since not even one tenant would work, and what is advised. The
// kernel's defaults are in between.
const (
	minInotifyInstances  = managementInotify + tenantInotify
	goodInotifyInstances = 8192
	minInotifyWatches    = 1024
	goodInotifyWatches   = 524288
)

// manyTenants is how many one should not have to think about.
const manyTenants = 20

// raiseOpenFiles lets this process, and those that it starts, open as many files
// as they may, and returns how many that is.
func raiseOpenFiles() (uint64, error) {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 0, err
	}
	// The Go runtime has raised its own limit already, but gives the one that it
	// found back to the processes it starts, unless somebody sets one.
	l.Cur = l.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 0, err
	}
	return l.Cur, nil
}

// readLimits raises what can be raised and reads the rest.
func readLimits() (l limits, err error) {
	if l.openFiles, err = raiseOpenFiles(); err != nil {
		return limits{}, fmt.Errorf("raising the number of open files: %w", err)
	}
	l.inotifyInstances = readSysctl(sysctlInstances)
	l.inotifyWatches = readSysctl(sysctlWatches)
	return l, nil
}

// readSysctl is zero if the kernel does not tell.
func readSysctl(name string) uint64 {
	data, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(name, ".", "/"))
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 64)
	return n
}

// check returns one error for each limit with which Marina would not work.
func (l limits) check() []error {
	var errs []error
	if l.openFiles != 0 && l.openFiles < minOpenFiles {
		errs = append(errs, failure.New(
			fmt.Sprintf("run 'ulimit -Hn %d' as root before, or set LimitNOFILE=%d in the systemd unit", goodOpenFiles, goodOpenFiles),
			"a process may open %d files at most ('ulimit -Hn'), and Marina needs %d", l.openFiles, minOpenFiles))
	}
	for _, s := range []struct {
		name             string
		value, min, good uint64
	}{
		{sysctlInstances, l.inotifyInstances, minInotifyInstances, goodInotifyInstances},
		{sysctlWatches, l.inotifyWatches, minInotifyWatches, goodInotifyWatches},
	} {
		if s.value != 0 && s.value < s.min {
			errs = append(errs, failure.New("run "+setSysctl(s.name, s.good), "%s is %d, and Marina needs %d", s.name, s.value, s.min))
		}
	}
	return errs
}

// warn says how far the limits go, if that is not far; empty otherwise.
func (l limits) warn() string {
	if l.inotifyInstances < minInotifyInstances {
		return ""
	}
	tenants := (l.inotifyInstances - managementInotify) / tenantInotify
	if tenants >= manyTenants {
		return ""
	}
	return fmt.Sprintf("%s is %d, which is enough for about %d clusters: for more, run %s",
		sysctlInstances, l.inotifyInstances, tenants, setSysctl(sysctlInstances, goodInotifyInstances))
}

const (
	sysctlInstances = "fs.inotify.max_user_instances"
	sysctlWatches   = "fs.inotify.max_user_watches"
)

func setSysctl(name string, value uint64) string {
	return fmt.Sprintf("'sudo sysctl -w %s=%d'", name, value)
}
