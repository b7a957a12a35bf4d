package hosted

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/pki"
)

// servingHost says where API servers are.
type servingHost struct {
	idleHost
	at []component.HostPort
}

func (h servingHost) Status(context.Context, string, string) (component.Status, error) {
	return component.Status{Replicas: 3, Ready: len(h.at), Serving: h.at, Message: "one starts"}, nil
}

// metricsOf starts an API server that presents a certificate for names, and tells its number.
func metricsOf(t *testing.T, ca pki.KeyPair, number int, names ...string) component.HostPort {
	t.Helper()
	pair, err := ca.Issue(pki.Request{CommonName: "kube-apiserver", DNSNames: names, Usage: pki.ServerAuth, Validity: time.Hour}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	cert, err := tls.X509KeyPair(pair.CertPEM, pair.KeyPEM)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/metrics" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprintf(w, "replica %d", number)
	}))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	s.StartTLS()
	t.Cleanup(s.Close)
	at := s.Listener.Addr().(*net.TCPAddr)
	return component.HostPort{Host: at.IP.String(), Port: at.Port}
}

// Each API server has metrics of its own: to know what is in use all are to be read, and to be
// sure that they are the tenant's, they have to show its certificate.
func TestMetricsAreOfEveryAPIServer(t *testing.T) {
	ca, err := pki.NewCA("tenant", time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	const namespace = "marina-shop-0d8ec3f1"
	read := func(at ...component.HostPort) (said []string, err error) {
		r := &Reconciler{Host: servingHost{at: at}, tenants: newTenants(logr.Discard())}
		r.tenants.byKey[client.ObjectKey{Namespace: namespace, Name: v1alpha1.NameHostedControlPlane}] = &tenant{
			config: &rest.Config{TLSClientConfig: rest.TLSClientConfig{CAData: ca.CertPEM}}}
		err = r.Metrics(t.Context(), namespace, func(text io.Reader) error {
			all, err := io.ReadAll(text)
			said = append(said, string(all))
			return err
		})
		return said, err
	}
	good := func(number int) component.HostPort {
		return metricsOf(t, ca, number, "kubernetes", "kubernetes.default.svc")
	}
	if said, err := read(good(1), good(2), good(3)); err != nil || !slices.Equal(said, []string{"replica 1", "replica 2", "replica 3"}) {
		t.Errorf("read %q, %v", said, err)
	}
	if _, err := read(good(1), good(2)); err == nil || !strings.Contains(err.Error(), "2 of 3 API servers are ready: one starts") {
		t.Errorf("with one that is not ready: %v", err)
	}
	if _, err := read(good(1), good(2), metricsOf(t, ca, 3, "somebody-else")); err == nil {
		t.Error("what shows the certificate of somebody else was believed")
	}
}
