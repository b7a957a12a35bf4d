package readyz

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// serve starts an HTTPS server and returns its host:port and how many connections it
// has got.
func serve(t testing.TB, handler http.HandlerFunc, config *tls.Config) (string, *atomic.Int32) {
	t.Helper()
	var connections atomic.Int32
	s := httptest.NewUnstartedServer(handler)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = config
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String(), &connections
}

func ask(t testing.TB, target Target) *Asker {
	t.Helper()
	a := New(target)
	t.Cleanup(a.Close)
	return a
}

func TestAsk(t *testing.T) {
	address, connections := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			w.WriteHeader(http.StatusNotFound)
		}
	}, nil)
	a := ask(t, Target{Address: address, Path: "/readyz", Timeout: 10 * time.Second})
	for range 3 {
		if err := a.Ask(t.Context()); err != nil {
			t.Fatalf("Ask: %v, want nil when the answer is 200", err)
		}
	}
	if got := connections.Load(); got != 1 {
		t.Errorf("three questions took %d connections, want 1", got)
	}
}

func TestNotReadyKeepsTheConnectionAndTellsWhy(t *testing.T) {
	address, connections := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		io.WriteString(w, "[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed\n")
	}, nil)
	a := ask(t, Target{Address: address, Path: "readyz", Timeout: 10 * time.Second})
	for range 2 {
		err := a.Ask(t.Context())
		var notReady *NotReadyError
		if !errors.As(err, &notReady) || err.Error() != "status 500: [-]etcd failed: reason withheld" {
			t.Errorf("Ask: %v, want the status and the check that failed", err)
		}
		if IsTimeout(err) {
			t.Error("an answer passes for none")
		}
	}
	if got := connections.Load(); got != 1 {
		t.Errorf("two questions took %d connections, want 1", got)
	}
}

func TestNoAnswerIsATimeout(t *testing.T) {
	address, _ := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, nil)
	err := ask(t, Target{Address: address, Path: "/readyz", Timeout: 50 * time.Millisecond}).Ask(t.Context())
	if !IsTimeout(err) {
		t.Errorf("Ask of a server that hangs: %v, want a timeout", err)
	}
}

func TestRefusedIsNoTimeout(t *testing.T) {
	s := httptest.NewServer(nil)
	address := s.Listener.Addr().String()
	s.Close()
	err := ask(t, Target{Address: address, Path: "/readyz", Timeout: 10 * time.Second}).Ask(t.Context())
	if err == nil || IsTimeout(err) {
		t.Errorf("Ask where nobody listens: %v, want an error that is no timeout", err)
	}
}

func TestAClientCertificateIsPresented(t *testing.T) {
	address, _ := serve(t, func(http.ResponseWriter, *http.Request) {}, &tls.Config{ClientAuth: tls.RequireAnyClientCert})
	dir := t.TempDir()
	target := Target{Address: address, Path: "/readyz", Timeout: 10 * time.Second}
	if err := ask(t, target).Ask(t.Context()); err == nil {
		t.Error("Ask without a certificate: want an error from a server that wants one")
	}
	target.CertDir = dir
	a := ask(t, target)
	if err := a.Ask(t.Context()); err == nil {
		t.Error("Ask before the files are there: want an error")
	}
	writePair(t, dir)
	if err := a.Ask(t.Context()); err != nil {
		t.Errorf("Ask with a certificate: %v", err)
	}
}

func TestDetailIsShort(t *testing.T) {
	got := detail(strings.Repeat("é", 500))
	if len(got) > 130 || strings.ContainsRune(got, '\uFFFD') {
		t.Errorf("detail %q: want it short, and cut between letters", got)
	}
}

func writePair(t testing.TB, dir string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"tls.crt": {Type: "CERTIFICATE", Bytes: der}, "tls.key": {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
