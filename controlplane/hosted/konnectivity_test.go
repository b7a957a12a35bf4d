package hosted

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/pki"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// throughAgents is a scope whose API servers reach nodes through Konnectivity.
func throughAgents(t testing.TB) *scope {
	t.Helper()
	s := testScope()
	s.hcp.Spec.NodeAccess = v1alpha1.NodeAccessKonnectivity
	api := s.addresses[component.NameAPIServer]
	api.Exposed = map[string]component.HostPort{
		component.PortHTTPS: {Host: "203.0.113.7", Port: 6443}, component.PortKonnectivity: {Host: "agents.example.org", Port: 8132},
	}
	api.Internal = map[string]component.HostPort{
		component.PortHTTPS: {Host: "kube-apiserver.ns.svc", Port: 6443}, component.PortKonnectivity: {Host: "konnectivity.ns.svc", Port: 8132},
		component.AddressAnyAPIServer: {Host: "kube-apiserver-any.ns.svc", Port: 6443},
	}
	s.addresses[component.NameAPIServer] = api
	ca, err := pki.NewCA("kubernetes", noon, 0)
	if err != nil {
		t.Fatal(err)
	}
	s.secrets = map[string]map[string][]byte{v1alpha1.SecretCA: pki.SecretData(ca, ca.CertPEM)}
	return s
}

// The konnectivity server reads its pair only when it starts: it must outlive the
// process by far, since nobody restarts that for it.
func TestTheKonnectivityPair(t *testing.T) {
	s := throughAgents(t)
	all, err := certificates(s.hcp, s.addresses[component.NameAPIServer])
	if err != nil {
		t.Fatal(err)
	}
	bySecret := map[string]pki.Request{}
	for _, c := range all {
		bySecret[c.secret] = c.request
	}
	pair := bySecret["konnectivity-server"]
	if want := []string{"agents.example.org", "konnectivity.ns.svc"}; !slices.Equal(pair.DNSNames, want) {
		t.Errorf("it serves as %q, want %q", pair.DNSNames, want)
	}
	if pair.CommonName != "system:konnectivity-server" || pair.Validity < 9*365*24*time.Hour {
		t.Errorf("it is %q's for %s, want as long as a CA lives", pair.CommonName, pair.Validity)
	}
	if !slices.Contains(bySecret["kube-apiserver-serving"].DNSNames, "kube-apiserver-any.ns.svc") {
		t.Error("the API server does not serve under the name that the konnectivity server calls it by")
	}
	s.hcp.Spec.NodeAccess = v1alpha1.NodeAccessDirect
	if all, err = certificates(s.hcp, s.addresses[component.NameAPIServer]); err != nil || slices.ContainsFunc(all, func(c certificate) bool { return c.secret == "konnectivity-server" }) {
		t.Errorf("a pair for Konnectivity where nodes are reached directly (%v)", err)
	}
}

// A running server never presents a pair other than the one that it has read: one that is
// issued anew restarts it, years before the old one ends. A rotation on request restarts
// nothing, so that it leaves the pair alone, and is done without it.
func TestTheKonnectivityPairIsRenewedByARoll(t *testing.T) {
	s := throughAgents(t)
	front, err := pki.NewCA("front-proxy", noon, 0)
	if err != nil {
		t.Fatal(err)
	}
	roots := secrets{v1alpha1.SecretCA: s.secrets[v1alpha1.SecretCA], v1alpha1.SecretFrontProxyCA: pki.SecretData(front, front.CertPEM)}
	stored := secrets{}
	pass := func(now time.Time) (hash string) {
		t.Helper()
		leaves, err := s.leafSecrets(roots, stored, now)
		if err != nil {
			t.Fatal(err)
		}
		for name, leaf := range leaves {
			stored[name] = leaf.Data
		}
		s.etcd = &v1alpha1.EtcdTenant{}
		// Any certificate of that time will do for the one that etcd's controller makes.
		s.reportCertificates(roots, leaves, stored[v1alpha1.SecretAPIServerServing], now)
		s.secrets[v1alpha1.SecretKonnectivityServer] = stored[v1alpha1.SecretKonnectivityServer]
		return s.konnectivityHash()
	}
	first := pass(noon)
	if pass(noon.Add(time.Hour)) != first {
		t.Error("a pass that renews nothing restarts the API servers")
	}
	asked := noon.Add(2 * time.Hour)
	s.hcp.Spec.CertificatesNotBefore = &metav1.Time{Time: asked}
	if pass(asked.Add(time.Minute)) != first {
		t.Error("a rotation of certificates on request restarts the API servers")
	}
	if got := s.hcp.Status.Certificates.NotBefore; got == nil || !got.Time.Equal(asked) {
		t.Errorf("done for %v, want %s: nobody asks for the pair of Konnectivity", got, asked)
	}
	const year = 365 * 24 * time.Hour
	if pass(noon.Add(6*year)) != first {
		t.Error("the pair is replaced before its time")
	}
	if pass(noon.Add(7*year)) == first {
		t.Error("the pair is replaced and running servers go on with the old one until they are refused")
	}
}

// What makes a running server wrong restarts it.
func TestWhatRestartsKonnectivity(t *testing.T) {
	s := throughAgents(t)
	before := s.konnectivityHash()
	api := s.addresses[component.NameAPIServer]
	api.Exposed[component.PortKonnectivity] = component.HostPort{Host: "198.51.100.1", Port: 8132}
	if s.konnectivityHash() == before {
		t.Error("with another address the servers go on with a certificate that agents refuse")
	}
	if other := throughAgents(t); other.konnectivityHash() == before {
		t.Error("with another CA the servers go on with a certificate that agents refuse")
	}
}

func TestKonnectivityIsOfTheRelease(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	with := &v1alpha1.KubernetesRelease{ObjectMeta: metav1.ObjectMeta{Name: "1.37.1-2"}, Spec: v1alpha1.KubernetesReleaseSpec{Addons: v1alpha1.ReleaseAddons{Konnectivity: "v0.36.0"}}}
	without := &v1alpha1.KubernetesRelease{ObjectMeta: metav1.ObjectMeta{Name: "1.37.1-1"}}
	r := &Reconciler{Client: fake.NewClientBuilder().WithScheme(scheme).WithObjects(with, without).Build()}
	for name, tc := range map[string]struct{ release, want, refusal string }{
		"it names a version":  {"1.37.1-2", "v0.36.0", ""},
		"it names none":       {"1.37.1-1", "", "InvalidRelease"},
		"there is no release": {"1.37.1-3", "", "ReleaseNotFound"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := r.konnectivityVersion(context.Background(), tc.release)
			if got != tc.want || (err != nil) != (tc.refusal != "") {
				t.Fatalf("%q, %v; want %q", got, err, tc.want)
			}
			if e := reconcile.As(err); err != nil && (e.Kind != reconcile.KindUser || e.Reason != tc.refusal) {
				t.Errorf("%v, want %s, for a person to change", err, tc.refusal)
			}
		})
	}
}

// What is not known yet, as just after a start of the manager, changes nothing of what
// is said.
func TestKonnectivityReady(t *testing.T) {
	s := throughAgents(t)
	s.etcd = &v1alpha1.EtcdTenant{}
	steps := []struct {
		name   string
		access v1alpha1.NodeAccess
		agents *agents
		want   metav1.ConditionStatus // empty: there is none
	}{
		{"at first", v1alpha1.NodeAccessKonnectivity, nil, "Unknown"},
		{"there is no node", v1alpha1.NodeAccessKonnectivity, &agents{}, "Unknown"},
		{"one agent runs", v1alpha1.NodeAccessKonnectivity, &agents{ready: 1}, "True"},
		{"the manager has just started", v1alpha1.NodeAccessKonnectivity, nil, "True"},
		{"the last node is gone", v1alpha1.NodeAccessKonnectivity, &agents{}, "False"},
		{"nodes are reached directly", v1alpha1.NodeAccessDirect, nil, ""},
	}
	before := s.konnectivityHash()
	for _, step := range steps {
		s.hcp.Spec.NodeAccess, s.facts.agents = step.access, step.agents
		writeStatus(s.hcp, s, nil)
		c := meta.FindStatusCondition(s.hcp.Status.Conditions, "KonnectivityReady")
		switch {
		case (c == nil) != (step.want == ""):
			t.Fatalf("%s: %+v, want %q", step.name, c, step.want)
		case c != nil && c.Status != step.want:
			t.Errorf("%s: %s, want %s", step.name, c.Status, step.want)
		case c != nil && step.agents != nil && step.agents.ready == 0 && !strings.Contains(c.Message, "konnectivity-agent"):
			t.Errorf("%s: %q does not say where to look", step.name, c.Message)
		}
		// API servers that start wait for an agent if there are any, and none is restarted for that.
		files := desiredConfigMaps(s)[v1alpha1.ConfigMapKonnectivity]
		if _, wait := files[v1alpha1.KeyAgents]; wait != (step.want == metav1.ConditionTrue) {
			t.Errorf("%s: API servers that start wait for an agent: %t", step.name, wait)
		}
		if now := s.konnectivityHash(); now != before {
			t.Errorf("%s: the API servers are replaced", step.name)
		}
	}
}
