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
	// outgoing are the ports that the kernel gives to outgoing connections, unless
	// they are among those that are reserved, as the kernel writes these.
	outgoing PortRange
	reserved string
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
	// The kernel writes a tab between the two.
	_ = l.outgoing.Set(strings.Join(strings.Fields(readSysctlText(sysctlOutgoing)), "-"))
	l.reserved = readSysctlText(sysctlReserved)
	return l, nil
}

// readSysctl is zero if the kernel does not tell.
func readSysctl(name string) uint64 {
	n, _ := strconv.ParseUint(readSysctlText(name), 10, 64)
	return n
}

// readSysctlText is empty if the kernel does not tell.
func readSysctlText(name string) string {
	data, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(name, ".", "/"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
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

// warnPorts says that the kernel may give a port of the clusters to an outgoing
// connection while its process is being restarted; empty if it does not.
func (l limits) warnPorts(ports PortRange) string {
	if l.outgoing == (PortRange{}) || !ports.overlaps(l.outgoing) || l.reserves(ports) {
		return ""
	}
	reserved := ports.String()
	if l.reserved != "" {
		reserved = l.reserved + "," + reserved
	}
	return fmt.Sprintf("--port-range %s overlaps %s (%s): an outgoing connection of any program may take the port of a process that is being restarted: choose another range, such as %s, or run %s",
		ports, l.outgoing, sysctlOutgoing, defaultTenants, setSysctl(sysctlReserved, reserved))
}

// reserves reports whether all ports that the kernel could give away are reserved.
func (l limits) reserves(ports PortRange) bool {
	first, last := max(ports.First, l.outgoing.First), min(ports.Last, l.outgoing.Last)
	for _, text := range strings.Split(l.reserved, ",") {
		from, to, isRange := strings.Cut(text, "-")
		if !isRange {
			to = from
		}
		a, errA := strconv.Atoi(from)
		b, errB := strconv.Atoi(to)
		if errA == nil && errB == nil && a <= first && last <= b {
			return true
		}
	}
	return false
}

const (
	sysctlInstances = "fs.inotify.max_user_instances"
	sysctlWatches   = "fs.inotify.max_user_watches"
	sysctlOutgoing  = "net.ipv4.ip_local_port_range"
	sysctlReserved  = "net.ipv4.ip_local_reserved_ports"
)

func setSysctl(name string, value any) string {
	return fmt.Sprintf("'sudo sysctl -w %s=%v'", name, value)
}
