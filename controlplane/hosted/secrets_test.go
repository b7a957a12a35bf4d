package hosted

import (
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/pki"
	"github.com/marina-dev/marina/pkg/reconcile"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

func testScope() *scope {
	replica := func(port int) map[string]component.HostPort {
		return map[string]component.HostPort{component.PortHTTPS: {Host: "127.0.0.1", Port: port}}
	}
	return &scope{
		hcp: &v1alpha1.HostedControlPlane{
			ObjectMeta: metav1.ObjectMeta{Namespace: "marina-shop-0d8ec3f1", Name: v1alpha1.NameHostedControlPlane},
			Spec: v1alpha1.HostedControlPlaneSpec{
				ClusterRef: v1alpha1.ClusterReference{Namespace: "default", Name: "shop", UID: "0d8ec3f1"},
				Version:    "1.37.1-1",
				Network:    v1alpha1.NetworkSpec{PodCIDR: "10.244.0.0/16", ServiceCIDR: "10.96.0.0/16", DNSDomain: "cluster.local"},
			},
		},
		addresses: map[string]component.Addresses{
			component.NameAPIServer: {
				Exposed:  map[string]component.HostPort{component.PortHTTPS: {Host: "192.0.2.7", Port: 21000}},
				Internal: map[string]component.HostPort{component.PortHTTPS: {Host: "192.0.2.7", Port: 21000}},
				Replicas: []map[string]component.HostPort{replica(21001), replica(21002), replica(21003)},
			},
		},
	}
}

func mustSecrets(t *testing.T, s *scope, stored secrets, now time.Time) (secrets, time.Time) {
	t.Helper()
	got, err := s.rootSecrets(stored, now)
	if err != nil {
		t.Fatalf("rootSecrets: %v", err)
	}
	leaves, err := s.leafSecrets(got, stored, now)
	if err != nil {
		t.Fatalf("leafSecrets: %v", err)
	}
	var renewAt time.Time
	for name, leaf := range leaves {
		got[name] = leaf.Data
		if renewAt.IsZero() || leaf.RenewAt.Before(renewAt) {
			renewAt = leaf.RenewAt
		}
	}
	return got, renewAt
}

// changed are the names of the Secrets that differ.
func changed(a, b secrets) map[string]bool {
	out := map[string]bool{}
	for name := range b {
		if !cmp.Equal(a[name], b[name]) {
			out[name] = true
		}
	}
	return out
}

func TestSecretsAreMadeOnce(t *testing.T) {
	first, renewAt := mustSecrets(t, testScope(), nil, noon)
	second, _ := mustSecrets(t, testScope(), first, noon.Add(24*time.Hour))
	if diff := changed(first, second); len(diff) != 0 {
		t.Errorf("a second pass made %v anew: a pass over an unchanged object must write nothing", diff)
	}
	// Two thirds of a year: a third of a leaf's life is left.
	if want := noon.Add(8 * 30 * 24 * time.Hour); renewAt.Before(want) || renewAt.After(want.Add(10*24*time.Hour)) {
		t.Errorf("first renewal at %s, want about %s", renewAt, want)
	}
}

func TestSecretsAreRenewed(t *testing.T) {
	first, renewAt := mustSecrets(t, testScope(), nil, noon)
	leaves := map[string]bool{
		v1alpha1.SecretAPIServerServing: true, v1alpha1.SecretAPIServerKubeletClient: true, v1alpha1.SecretFrontProxyClient: true,
		v1alpha1.SecretControllerManagerClient: true, v1alpha1.SecretSchedulerClient: true,
	}
	t.Run("when they fall due, leaves are and CAs and keys are not", func(t *testing.T) {
		later, _ := mustSecrets(t, testScope(), first, renewAt.Add(time.Minute))
		if diff := cmp.Diff(leaves, changed(first, later)); diff != "" {
			t.Errorf("renewed (-want +got):\n%s", diff)
		}
	})
	t.Run("when a name is added, only the API server's is", func(t *testing.T) {
		s := testScope()
		s.hcp.Spec.CertSANs = []string{"api.shop.example", "192.0.2.99"}
		later, _ := mustSecrets(t, s, first, noon)
		if diff := cmp.Diff(map[string]bool{v1alpha1.SecretAPIServerServing: true}, changed(first, later)); diff != "" {
			t.Errorf("renewed (-want +got):\n%s", diff)
		}
		pair, _ := pki.FromSecretData(later[v1alpha1.SecretAPIServerServing])
		cert, err := pair.Certificate()
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"api.shop.example", "192.0.2.99", "192.0.2.7", "127.0.0.1", "10.96.0.1", "kubernetes.default.svc.cluster.local"} {
			if err := cert.VerifyHostname(name); err != nil {
				t.Errorf("the API server's certificate is not valid for %s: %v", name, err)
			}
		}
	})
}

// Nodes, tokens and encrypted data depend on these keys: making new ones for a
// control plane that has run would lose everything that the old ones protect.
func TestLostKeysAreNotReplacedOnceTheControlPlaneHasRun(t *testing.T) {
	first, _ := mustSecrets(t, testScope(), nil, noon)
	for _, name := range []string{v1alpha1.SecretCA, v1alpha1.SecretFrontProxyCA, v1alpha1.SecretServiceAccount, v1alpha1.SecretEncryption} {
		t.Run(name, func(t *testing.T) {
			stored := maps.Clone(first)
			delete(stored, name)
			s := testScope()
			s.hcp.Status.Version = "1.37.1-1"
			_, err := s.rootSecrets(stored, noon)
			if e := reconcile.As(err); e == nil || e.Kind != reconcile.KindUser || e.Reason != "SecretLost" {
				t.Fatalf("got %v, want the user error SecretLost", err)
			}
			s.hcp.Status.Version = ""
			if _, err := s.rootSecrets(stored, noon); err != nil {
				t.Errorf("a control plane that never ran: %v, want a new key", err)
			}
		})
	}
}

func TestEveryTenantHasKeysOfItsOwn(t *testing.T) {
	a, _ := mustSecrets(t, testScope(), nil, noon)
	b, _ := mustSecrets(t, testScope(), nil, noon)
	for name := range a {
		if cmp.Equal(a[name], b[name]) {
			t.Errorf("%s is equal in two tenants", name)
		}
	}
}
