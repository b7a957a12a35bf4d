// Package readyz asks one server on one port whether it is ready, many times. It
// keeps the connection, since a TLS handshake costs both sides more than the answer
// does, and asks on a fresh one when the kept one fails.
//
// It knows neither processes nor what an answer leads to.
package readyz

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

// Target is what is asked.
type Target struct {
	// Address is host:port, and Path that of the GET.
	Address, Path string
	// Plain asks over HTTP, and otherwise it is HTTPS.
	Plain bool
	// Timeout of one question, the handshake included.
	Timeout time.Duration
}

// Asker asks one Target. It holds at most one connection.
type Asker struct {
	url       string
	timeout   time.Duration
	transport *http.Transport
}

// New returns an Asker, to be closed when it is no longer used.
func New(t Target) *Asker {
	dialer := &net.Dialer{Timeout: t.Timeout}
	scheme := "https://"
	if t.Plain {
		scheme = "http://"
	}
	tlsConfig := &tls.Config{
		MinVersion: tls.VersionTLS12,
		// The question goes to an address that we have given to the server ourselves,
		// carries no secret, and its answer is only believed for "may this address get
		// traffic": whoever could forge it could as well take the traffic.
		InsecureSkipVerify: true, //nolint:gosec // see above
	}
	return &Asker{
		url:     scheme + t.Address + "/" + strings.TrimPrefix(t.Path, "/"),
		timeout: t.Timeout,
		transport: &http.Transport{
			// No proxy, whatever the environment says: the address is of this machine.
			DialContext:         dialer.DialContext,
			TLSClientConfig:     tlsConfig,
			TLSHandshakeTimeout: t.Timeout,
			MaxIdleConnsPerHost: 1,
			DisableCompression:  true,
			// A fleet has thousands of these and each answer is a few bytes.
			ReadBufferSize:  1 << 10,
			WriteBufferSize: 1 << 10,
		},
	}
}

// Close drops the connection.
func (a *Asker) Close() { a.transport.CloseIdleConnections() }

// NotReadyError is an answer other than 200: the server lives.
type NotReadyError struct {
	Status int
	// Detail is the first check that the answer calls failed, or its first line.
	Detail string
}

func (e *NotReadyError) Error() string {
	if e.Detail == "" {
		return fmt.Sprintf("status %d", e.Status)
	}
	return fmt.Sprintf("status %d: %s", e.Status, e.Detail)
}

// IsTimeout reports whether err means that nothing answered in time, as opposed to
// an answer and to a connection that was refused or broken.
func IsTimeout(err error) bool {
	var netErr net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.As(err, &netErr) && netErr.Timeout()
}

// Ask returns nil when the answer is 200, and a *NotReadyError when it is another.
func (a *Asker) Ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := a.transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	// The body is read to its end, or the connection could not be used again.
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return err
	}
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	return &NotReadyError{Status: resp.StatusCode, Detail: detail(string(body))}
}

// detail picks the line that says most: kube-apiserver and etcd list every check,
// the failed ones with a leading "[-]".
func detail(body string) string {
	first := ""
	for line := range strings.Lines(body) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[-]") {
			first = line
			break
		}
		if first == "" {
			first = line
		}
	}
	const most = 120
	if len(first) > most {
		first = strings.ToValidUTF8(first[:most], "") + "…"
	}
	return first
}
