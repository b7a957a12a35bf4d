// Package preflight finds out what in a tenant stands against an upgrade: which kubelets it
// has, and which APIs are in use that are about to end. It reads and judges nothing.
package preflight

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/marina-dev/marina/pkg/release"
)

const (
	// timeout of all questions together.
	timeout = 30 * time.Second
	// page is how many nodes are read at once: one with many images takes 20 KiB.
	page = 100
)

// finding is what was found in a tenant.
type finding struct {
	kubelets   map[string]string
	deprecated []release.DeprecatedAPI
}

// In looks into the tenant whose control plane is in a management namespace; metrics reads
// those of each of its API servers, and is asked only for the APIs. Kubelets are the versions that nodes report, by the name of
// the node. Deprecated are the APIs that end, and that somebody has asked one of the API servers
// for since that one was started. An error is of a tenant that cannot be asked.
func In(
	tenants func(namespace string) (kubernetes.Interface, bool),
	metrics func(ctx context.Context, namespace string, read func(io.Reader) error) error,
) func(ctx context.Context, namespace string, apis bool) (kubelets map[string]string, deprecated []release.DeprecatedAPI, err error) {
	return func(ctx context.Context, namespace string, apis bool) (map[string]string, []release.DeprecatedAPI, error) {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		f := finding{kubelets: map[string]string{}}
		tenant, ok := tenants(namespace)
		if !ok {
			return nil, nil, errors.New("there is no connection to the cluster's API server")
		}
		// This first: where an API server is not ready it is known without asking anybody.
		if apis {
			if err := metrics(ctx, namespace, f.readMetrics); err != nil {
				return nil, nil, fmt.Errorf("reading the metrics of the API servers: %w", err)
			}
		}
		if err := f.readNodes(ctx, tenant); err != nil {
			return nil, nil, fmt.Errorf("listing the nodes: %w", err)
		}
		return f.kubelets, f.deprecated, nil
	}
}

func (f *finding) readNodes(ctx context.Context, tenant kubernetes.Interface) error {
	for from := ""; ; {
		list, err := tenant.CoreV1().Nodes().List(ctx, metav1.ListOptions{Limit: page, Continue: from})
		if err != nil {
			return err
		}
		for _, n := range list.Items {
			f.kubelets[n.Name] = n.Status.NodeInfo.KubeletVersion
		}
		if from = list.Continue; from == "" {
			return nil
		}
	}
}
