package etcd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/marina-dev/marina/pkg/pki"
)

// TestWhoMayConnect tries every certificate that somebody may have at every port that
// asks for one.
func TestWhoMayConnect(t *testing.T) {
	w := sharedWorld(t)
	tenant := w.addTenant(t, "e")
	t.Cleanup(func() { w.removeTenant(t, tenant) })
	ofCluster := func(what string) *pki.KeyPair {
		pair, _ := w.pair(t, secretKey(cluster, what))
		return &pair
	}
	tenantPair := w.tenantPair(t, tenant)

	// Somebody else's CA of the same name, which signs whatever one likes.
	forged, err := pki.NewCA("etcd-default-ca", time.Now(), 0)
	if err != nil {
		t.Fatal(err)
	}
	forgedRoot, err := forged.Issue(pki.Request{CommonName: "root", Usage: pki.ClientAuth}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	// The right CA, but a day late.
	ca, _ := w.pair(t, secretKey(cluster, "ca"))
	expired, err := ca.Issue(pki.Request{CommonName: "root", Usage: pki.ClientAuth, Validity: time.Hour}, time.Now().Add(-25*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	// What a tenant's API server serves with is of another CA as well; a server's
	// certificate of this one is for serving only.
	serving, err := ca.Issue(pki.Request{CommonName: "root", Usage: pki.ServerAuth, IPs: []netip.Addr{netip.MustParseAddr("127.0.0.1")}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}

	for name, tc := range map[string]struct {
		pair         *pki.KeyPair
		client, peer bool
	}{
		"NoCertificate":  {pair: nil},
		"AnotherCA":      {pair: &forgedRoot},
		"Expired":        {pair: &expired},
		"ForServingOnly": {pair: &serving},
		"OfTheServer":    {pair: ofCluster("server")},
		"OfAPeer":        {pair: ofCluster("peer"), peer: true},
		"OfATenant":      {pair: &tenantPair, client: true},
		"OfRoot":         {pair: ofCluster("root"), client: true},
	} {
		t.Run(name, func(t *testing.T) {
			config := &tls.Config{InsecureSkipVerify: true}
			if tc.pair != nil {
				pair, err := tls.X509KeyPair(tc.pair.CertPEM, tc.pair.KeyPEM)
				if err != nil {
					t.Fatal(err)
				}
				// Presented whatever CAs the server says it accepts: Go would hold it back.
				config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
			}
			for i, member := range w.runner.addresses.Replicas {
				for port, may := range map[string]bool{"client": tc.client, "peer": tc.peer} {
					address := fmt.Sprintf("%s:%d", member[port].Host, member[port].Port)
					var err error
					switch port {
					case "client":
						err = speakHTTP2(config, address)
					case "peer":
						err = get(soon(t), config, "https://"+address+"/version")
					}
					switch {
					case may && err != nil:
						t.Errorf("member %d, port %s: %v, want to be let in", i, port, err)
					case !may && !refusedByTLS(err):
						t.Errorf("member %d, port %s: %v, want to be refused in the handshake", i, port, err)
					}
				}
			}
		})
	}
}

// TestPortsServeNothingElse: HTTP is not on the client port, and no port has the
// JSON gateway, which acts with the server's own certificate.
func TestPortsServeNothingElse(t *testing.T) {
	w := sharedWorld(t)
	root, _ := w.pair(t, secretKey(cluster, "root"))
	pair, err := tls.X509KeyPair(root.CertPEM, root.KeyPEM)
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{InsecureSkipVerify: true, Certificates: []tls.Certificate{pair}}
	at := func(port, path string) string {
		member := w.runner.addresses.Replicas[0][port]
		scheme := map[string]string{"client": "https", "metrics": "http"}[port]
		return fmt.Sprintf("%s://%s:%d%s", scheme, member.Host, member.Port, path)
	}
	for _, path := range []string{"/livez", "/readyz", "/health", "/metrics"} {
		if err := get(soon(t), config, at("metrics", path)); err != nil {
			t.Errorf("metrics port: GET %s: %v", path, err)
		}
		if err := get(soon(t), config, at("client", path)); err == nil {
			t.Errorf("client port: GET %s is answered: large answers would starve watches", path)
		}
	}
	for _, path := range []string{"/v3/kv/range", "/v3/maintenance/status", "/debug/pprof/", "/debug/vars", "/config/local/log"} {
		if err := get(soon(t), config, at("metrics", path)); err == nil || !strings.Contains(err.Error(), "404") {
			t.Errorf("metrics port: GET %s: %v, want 404", path, err)
		}
	}
}

// speakHTTP2 succeeds when the server answers the first words of gRPC.
func speakHTTP2(config *tls.Config, address string) error {
	config = config.Clone()
	config.NextProtos = []string{"h2"}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	// With TLS 1.3 a client learns only from its first read that it is refused.
	emptySettings := "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	if _, err := conn.Write([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + emptySettings)); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 1))
	return err
}

// refusedByTLS reports whether the other side refused the certificate, rather than
// the connection having failed in some other way.
func refusedByTLS(err error) bool {
	var alert tls.AlertError
	return errors.As(err, &alert) || err != nil && strings.Contains(err.Error(), "remote error: tls: ")
}
