package hosted

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// maxMetrics is how much is read of the metrics of one API server, which its administrators
// can make long: those of a busy one are a tenth of it.
const maxMetrics = 64 << 20

// Metrics reads the metrics of every API server of the tenant whose control plane is in a
// management namespace, one after the other. Each has its own, so that all have to be ready.
func (r *Reconciler) Metrics(ctx context.Context, namespace string, read func(io.Reader) error) error {
	r.tenants.mu.Lock()
	known := r.tenants.byKey[client.ObjectKey{Namespace: namespace, Name: v1alpha1.NameHostedControlPlane}]
	r.tenants.mu.Unlock()
	if known == nil {
		return errors.New("there is no connection to the tenant")
	}
	status, err := r.Host.Status(ctx, namespace, component.NameAPIServer)
	if err != nil {
		return err
	}
	if len(status.Serving) < component.HostedReplicas {
		return fmt.Errorf("%d of %d API servers are ready%s", len(status.Serving), component.HostedReplicas, because(status.Message))
	}
	tls := rest.CopyConfig(known.config)
	// The certificate is not of the addresses of replicas, which come and go.
	tls.ServerName = "kubernetes"
	trust, err := rest.TLSConfigFor(tls)
	if err != nil {
		return err
	}
	transport := &http.Transport{TLSClientConfig: trust}
	defer transport.CloseIdleConnections()
	for _, at := range status.Serving {
		if err := readMetrics(ctx, transport, at, read); err != nil {
			return fmt.Errorf("API server %s: %w", at, err)
		}
	}
	return nil
}

func readMetrics(ctx context.Context, through http.RoundTripper, at component.HostPort, read func(io.Reader) error) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at.URL()+"/metrics", nil)
	if err != nil {
		return err
	}
	response, err := through.RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s", response.Status)
	}
	return read(http.MaxBytesReader(nil, response.Body, maxMetrics))
}
