package up

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"

	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/controlplane/host/local"
)

// preflight checks all that would make a start fail later and less clearly, and
// returns everything that is wrong at once. The data directory is held already.
func preflight(o Options) (kubernetes string, err error) {
	l, err := readLimits()
	if err != nil {
		return "", err
	}
	errs := l.check()
	for _, warning := range []string{l.warn(), l.warnPorts(o.Tenants)} {
		if warning != "" && o.Controllers {
			o.Log.Warn(warning)
		}
	}
	kubernetes, err = findPrograms(o.BinDir)
	d := dataDir(o.DataDir)
	errs = append(errs, err, checkEtcdData(d), checkPort(o.Port, d), checkExposed(o.ExposeAddress))
	return kubernetes, errors.Join(errs...)
}

// checkPort refuses the port of the management API if somebody else listens there.
// Our own API server does when Marina was killed.
func checkPort(port int, d dataDir) error {
	listener, err := net.Listen("tcp", net.JoinHostPort(address, strconv.Itoa(port)))
	switch {
	case err == nil:
		return listener.Close()
	case !errors.Is(err, syscall.EADDRINUSE):
		return failure.New("choose another --port", "cannot listen on port %d: %v", port, err)
	}
	own, err := ownServer(port, d)
	if err == nil && !own {
		err = portTaken(port)
	}
	return err
}

// checkExposed refuses an address that this machine does not have.
func checkExposed(address string) error {
	listener, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		return failure.New("give an address that 'ip address' shows, or leave out --expose-address", "cannot listen on the address %s: %v", address, err)
	}
	return listener.Close()
}

// ownServer reports whether an API server of an earlier run has a port. Asking it
// would not tell: without its etcd it listens for long before it answers.
func ownServer(port int, d dataDir) (bool, error) {
	running, err := local.Running(d.management())
	if err != nil {
		return false, err
	}
	pid, ok := running[managementNamespace+"/"+programAPIServer+"/0/"+programAPIServer]
	if !ok {
		return false, nil
	}
	commandLine, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if errors.Is(err, os.ErrNotExist) {
		// It has ended meanwhile, and leaves the port.
		return true, nil
	}
	return bytes.Contains(commandLine, fmt.Appendf(nil, "\x00--secure-port=%d\x00", port)), err
}

func portTaken(port int) error {
	return failure.New(
		fmt.Sprintf("choose another one with --port, or stop the program that 'ss -ltnp sport = :%d' shows", port),
		"port %d of %s is taken by another program", port, address)
}
