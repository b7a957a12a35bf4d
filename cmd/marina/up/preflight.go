package up

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"time"

	"github.com/marina-dev/marina/cmd/marina/cli/failure"
)

// preflight checks all that would make a start fail later and less clearly, and
// returns everything that is wrong at once. The data directory is held already.
func preflight(o Options) (kubernetes string, err error) {
	l, err := readLimits()
	if err != nil {
		return "", err
	}
	errs := l.check()
	if warning := l.warn(); warning != "" && o.Controllers {
		o.Log.Warn(warning)
	}
	kubernetes, err = findPrograms(o.BinDir)
	errs = append(errs, err, checkPort(o.Port, keyStore{dir: dataDir(o.DataDir).pki()}))
	return kubernetes, errors.Join(errs...)
}

// checkPort refuses the port of the management API if somebody else listens there.
// Our own API server does when Marina was killed: it is known by its certificate.
func checkPort(port int, keys keyStore) error {
	listener, err := net.Listen("tcp", net.JoinHostPort(address, strconv.Itoa(port)))
	switch {
	case err == nil:
		return listener.Close()
	case !errors.Is(err, syscall.EADDRINUSE):
		return failure.New("choose another --port", "cannot listen on port %d: %v", port, err)
	}
	ca, err := keys.read("ca.crt")
	if err != nil {
		return err
	}
	if ca == nil || !presentsCertificateOf(ca, port) {
		return portTaken(port)
	}
	return nil
}

func portTaken(port int) error {
	return failure.New(
		fmt.Sprintf("choose another one with --port, or stop the program that 'ss -ltnp sport = :%d' shows", port),
		"port %d of %s is taken by another program", port, address)
}

// presentsCertificateOf reports whether who listens on a port is known to a CA.
func presentsCertificateOf(caPEM []byte, port int) bool {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(caPEM) {
		return false
	}
	// Long, because ours may have to share the machine with many others.
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	connection, err := tls.DialWithDialer(dialer, "tcp", net.JoinHostPort(address, strconv.Itoa(port)),
		&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12})
	if err != nil {
		return false
	}
	return connection.Close() == nil
}
