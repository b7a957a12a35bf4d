package local

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

func TestRestarts(t *testing.T) {
	m := start(t)
	c := create(t, m, "lasting")
	check(t, awaitAvailable(t.Context(), m, c.Name))
	api, config := tenant(t, m, c.Name)
	_, err := api.CoreV1().ConfigMaps("default").Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "kept"}}, metav1.CreateOptions{})
	check(t, err)

	t.Run("killed: tenants live on and are adopted", func(t *testing.T) {
		before := tenantProcesses(m)
		// Three of each component, three members of etcd, the balancer.
		if len(before) < 13 {
			t.Fatalf("found %d processes of tenants: %v", len(before), before)
		}
		since := readySince(t, m, c.Name)
		check(t, m.Kill())
		if _, err := api.CoreV1().ConfigMaps("default").Get(t.Context(), "kept", metav1.GetOptions{}); err != nil {
			t.Errorf("while marina up is down: %v", err)
		}
		check(t, m.Start(t.Context()))
		// A name that the certificate gets proves that the new one is at work, and that
		// the API servers take the certificate without a restart.
		const name = "api.lasting.example"
		patch := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"access":{"certSANs":["`+name+`"]}}}`))
		check(t, m.Client.Patch(t.Context(), newCluster(c.Name, ""), patch))
		check(t, harness.Await(t.Context(), 2*time.Minute, func(ctx context.Context) error {
			return servedFor(ctx, config, name)
		}))
		check(t, awaitAvailable(t.Context(), m, c.Name))
		if diff := cmp.Diff(before, tenantProcesses(m)); diff != "" {
			t.Errorf("processes changed:\n%s", diff)
		}
		if now := readySince(t, m, c.Name); !now.Equal(&since) {
			t.Errorf("Ready changed at %s although the cluster has served all the time since %s", now, since)
		}
	})

	t.Run("stopped: everything comes back from the data directory", func(t *testing.T) {
		check(t, m.Stop())
		if left := m.Processes(); len(left) > 0 {
			t.Fatalf("processes left after a clean stop: %v", left)
		}
		check(t, m.Start(t.Context()))
		// With the same kubeconfig, which means at the same address.
		check(t, harness.Await(t.Context(), time.Minute, func(ctx context.Context) error {
			_, err := api.CoreV1().ConfigMaps("default").Get(ctx, "kept", metav1.GetOptions{})
			return err
		}))
		check(t, awaitAvailable(t.Context(), m, c.Name))
	})
}

// readySince is when the condition Ready of a cluster last changed; it must be true.
func readySince(t *testing.T, m *harness.Marina, name string) metav1.Time {
	t.Helper()
	c, err := getCluster(t.Context(), m, name)
	check(t, err)
	ready := meta.FindStatusCondition(c.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil || ready.Status != metav1.ConditionTrue {
		t.Fatalf("cluster %s is not ready: %v", name, ready)
	}
	return ready.LastTransitionTime
}

// servedFor succeeds when an API server presents a certificate for a name.
func servedFor(ctx context.Context, config *rest.Config, name string) error {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(config.CAData)
	dialer := tls.Dialer{Config: &tls.Config{RootCAs: roots, ServerName: name, MinVersion: tls.VersionTLS12}}
	conn, err := dialer.DialContext(ctx, "tcp", strings.TrimPrefix(config.Host, "https://"))
	if err != nil {
		return err
	}
	return conn.Close()
}
