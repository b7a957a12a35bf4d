package kubeconfig

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/marina-dev/marina/pkg/pki"
)

// now is the wall clock for the tests that make real TLS connections, which look at it themselves.
var now = time.Now()

func mustCA(t testing.TB) pki.KeyPair {
	t.Helper()
	ca, err := pki.NewCA("kubernetes", now, 0)
	if err != nil {
		t.Fatalf("NewCA: %v", err)
	}
	return ca
}

func mustIssue(t testing.TB, ca pki.KeyPair, req pki.Request) pki.KeyPair {
	t.Helper()
	pair, err := ca.Issue(req, now)
	if err != nil {
		t.Fatalf("Issue: %v", err)
	}
	return pair
}

func admin() pki.Request {
	return pki.Request{CommonName: "admin", Organization: []string{"system:masters"}, Usage: pki.ClientAuth}
}

// startServer answers each request with the name in the client's certificate, or with its
// Authorization header if it has none.
func startServer(t testing.TB, ca pki.KeyPair) (url string) {
	t.Helper()
	pair := mustIssue(t, ca, pki.Request{
		CommonName: "kube-apiserver", IPs: []netip.Addr{netip.MustParseAddr("127.0.0.1")}, Usage: pki.ServerAuth,
	})
	cert, err := tls.X509KeyPair(pair.CertPEM, pair.KeyPEM)
	if err != nil {
		t.Fatal(err)
	}
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM(ca.CertPEM)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TLS.PeerCertificates) > 0 {
			_, _ = fmt.Fprint(w, r.TLS.PeerCertificates[0].Subject.CommonName)
			return
		}
		_, _ = fmt.Fprint(w, r.Header.Get("Authorization"))
	}))
	server.TLS = &tls.Config{
		Certificates: []tls.Certificate{cert}, ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: clients,
		MinVersion: tls.VersionTLS12,
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL
}

// connect loads the kubeconfig at path as every component does.
func connect(t testing.TB, path string) (client *http.Client, url string) {
	t.Helper()
	cfg, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatalf("load %s: %v", path, err)
	}
	client, err = rest.HTTPClientFor(cfg)
	if err != nil {
		t.Fatalf("client: %v", err)
	}
	t.Cleanup(client.CloseIdleConnections)
	return client, cfg.Host
}

// ask returns the server's answer.
func ask(t testing.TB, client *http.Client, url string) string {
	t.Helper()
	answer, err := get(client, url)
	if err != nil {
		t.Fatalf("GET %s: %v", url, err)
	}
	return answer
}

func get(client *http.Client, url string) (answer string, err error) {
	response, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

func writeFiles(t testing.TB, dir string, files map[string][]byte) {
	t.Helper()
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
