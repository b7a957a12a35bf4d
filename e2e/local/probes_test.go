package local

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/controlplane/host/local/readyz"
	"github.com/marina-dev/marina/e2e/harness"
)

// What a tenant does to the rights in its cluster must not look like a fault of its API
// servers: probes come from strangers, and a wrong answer ends a process.
func TestProbesDoNotDependOnTheTenantsRights(t *testing.T) {
	const binding = "system:public-info-viewer"
	for name := range clusters {
		t.Run(name, func(t *testing.T) {
			c, _ := tenant(t, shared, name)
			bindings := c.RbacV1().ClusterRoleBindings()
			found, err := bindings.Get(t.Context(), binding, metav1.GetOptions{})
			check(t, err)
			check(t, bindings.Delete(t.Context(), binding, metav1.DeleteOptions{}))
			t.Cleanup(func() {
				found.ResourceVersion, found.UID = "", ""
				_, err := bindings.Create(context.Background(), found, metav1.CreateOptions{})
				check(t, err)
			})
			cluster, err := getCluster(t.Context(), shared, name)
			check(t, err)
			for _, r := range replicas(t, shared, cluster.Status.Namespace) {
				paths := []string{"/healthz"}
				if r.component == "kube-apiserver" {
					// This one nobody asks for: it shows that the API server knows that the
					// binding is gone.
					check(t, harness.Await(t.Context(), time.Minute, func(ctx context.Context) error {
						var refused *readyz.NotReadyError
						if err := r.health(ctx, "/healthz"); !errors.As(err, &refused) || refused.Status != http.StatusForbidden {
							return fmt.Errorf("%s: /healthz without the binding: %w, want 403", r.name, err)
						}
						return nil
					}))
					paths = []string{"/livez", "/readyz"}
				}
				for _, path := range paths {
					if err := r.health(t.Context(), path); err != nil {
						t.Errorf("%s: %s: %v", r.name, path, err)
					}
				}
			}
		})
	}
}

// health asks a replica as a probe does.
func (r replica) health(ctx context.Context, path string) error {
	asker := readyz.New(readyz.Target{Address: net.JoinHostPort(r.flags["bind-address"], r.flags["secure-port"]), Path: path, Timeout: 10 * time.Second})
	defer asker.Close()
	return asker.Ask(ctx)
}
