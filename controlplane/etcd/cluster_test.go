package etcd

import (
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/controlplane/host"
	"github.com/marina-dev/marina/pkg/pki"
)

// day0 is the time of the tests that have a clock.
var day0 = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

// stillHost is a host whose members never start.
type stillHost struct {
	hostname string
	applied  []component.Component
	gone     bool
}

func (h *stillHost) Reserve(_ context.Context, r host.Reservation) (a component.Addresses, err error) {
	for i := range r.Replicas {
		at := component.HostPort{Host: fmt.Sprintf(h.hostname, i), Port: 1}
		a.Replicas = append(a.Replicas, map[string]component.HostPort{"client": at, "peer": at, "metrics": at})
	}
	return a, nil
}

func (h *stillHost) Apply(_ context.Context, c component.Component) error {
	h.applied = append(h.applied, c)
	return nil
}

func (h *stillHost) Status(_ context.Context, _, name string) (component.Status, error) {
	if name != component.EtcdName(cluster) {
		return component.Status{Gone: true}, nil
	}
	return component.Status{Replicas: 3, Gone: len(h.applied) == 0, Message: "connection refused"}, nil
}

func (h *stillHost) Delete(context.Context, string, string) (bool, error) { return h.gone, nil }
func (h *stillHost) Subscribe(func(namespace, name string))               {}

// still is an EtcdCluster on a stillHost.
type still struct {
	testing.TB
	api  client.WithWatch
	host *stillHost
	now  time.Time

	events *events.FakeRecorder
	// again is when the last pass wanted to look again.
	again time.Duration
}

func newStill(t testing.TB, objects ...client.Object) *still {
	return &still{TB: t, api: newAPI(append(objects, newCluster())...), host: &stillHost{hostname: "127.0.0.%d"}, now: day0, events: events.NewFakeRecorder(100)}
}

// pass reconciles once, with whatever client.
func (s *still) pass(api client.Client) {
	s.Helper()
	pool := &Pool{}
	defer pool.Close()
	r := &ClusterReconciler{Client: api, Live: api, Host: s.host, Pool: pool, Now: func() time.Time { return s.now }, events: s.events}
	result, err := r.Reconcile(context.Background(), requestFor(newCluster()))
	if err != nil {
		s.Fatal(err)
	}
	s.again = result.RequeueAfter
}

func (s *still) secrets() map[string]*corev1.Secret {
	s.Helper()
	list := &corev1.SecretList{}
	if err := s.api.List(context.Background(), list, client.InNamespace("marina-system")); err != nil {
		s.Fatal(err)
	}
	secrets := map[string]*corev1.Secret{}
	for i := range list.Items {
		secrets[list.Items[i].Name] = &list.Items[i]
	}
	return secrets
}

func (s *still) condition(conditionType string) metav1.Condition {
	s.Helper()
	c := newCluster()
	if err := s.api.Get(context.Background(), client.ObjectKeyFromObject(c), c); err != nil {
		s.Fatal(err)
	}
	if found := meta.FindStatusCondition(c.Status.Conditions, conditionType); found != nil {
		return *found
	}
	return metav1.Condition{}
}

// want compares a condition.
func (s *still) want(conditionType, status, reason, says string) {
	s.Helper()
	c := s.condition(conditionType)
	if string(c.Status) != status || c.Reason != reason || !strings.Contains(c.Message, says) {
		s.Errorf("condition %s: %s, %s, %q; want %s, %s, and it to say %q", conditionType, c.Status, c.Reason, c.Message, status, reason, says)
	}
}

func TestClusterCertificates(t *testing.T) {
	s := newStill(t)
	s.host.hostname = "etcd-default-%d.etcd"
	s.pass(s.api)
	got := map[string]string{}
	for name, secret := range s.secrets() {
		pair, ca := pki.FromSecretData(secret.Data)
		cert, err := pair.Certificate()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var uses []string
		for _, u := range cert.ExtKeyUsage {
			uses = append(uses, map[x509.ExtKeyUsage]string{x509.ExtKeyUsageServerAuth: "server", x509.ExtKeyUsageClientAuth: "client"}[u])
		}
		got[name] = strings.TrimSpace(fmt.Sprintf("%s by %s %s %s", cert.Subject.CommonName, cert.Issuer.CommonName, strings.Join(uses, "+"), strings.Join(cert.DNSNames, ",")))
		if len(ca) == 0 || secret.Labels["marina.dev/shard"] != "default" || secret.Type != corev1.SecretTypeTLS {
			t.Errorf("%s: ca.crt %q, labels %v, type %s", name, ca, secret.Labels, secret.Type)
		}
		if len(secret.OwnerReferences) > 0 {
			t.Errorf("%s has an owner: a deletion in the foreground would take it from running members", name)
		}
	}
	names := "etcd-default-0.etcd,etcd-default-1.etcd,etcd-default-2.etcd"
	want := map[string]string{
		"etcd-default-ca":      "etcd-default-ca by etcd-default-ca",
		"etcd-default-peer-ca": "etcd-default-peer-ca by etcd-default-peer-ca",
		"etcd-default-server":  "etcd-default by etcd-default-ca server " + names,
		"etcd-default-root":    "root by etcd-default-ca client",
		"etcd-default-peer":    "etcd-default by etcd-default-peer-ca server+client " + names,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("certificates (-want +got):\n%s", diff)
	}
	s.want("Ready", "Unknown", "NoQuorum", "0 of 3 members are ready: etcd-default-0, etcd-default-1, etcd-default-2: connection refused; 2 are needed")
	s.want("SpecAccepted", "True", "AsExpected", "")
}

// TestClusterCertificatesAreRenewed, each in place, when a third of its year is
// left, and a CA never. Members restart for none of it.
func TestClusterCertificatesAreRenewed(t *testing.T) {
	s := newStill(t)
	again := 365 * 24 * time.Hour * 2 / 3
	s.pass(s.api)
	first := s.secrets()
	s.now = day0.Add(again - time.Minute)
	s.pass(s.api)
	if diff := cmp.Diff(first, s.secrets()); diff != "" {
		t.Errorf("a minute before its time something was renewed:\n%s", diff)
	}
	s.now = day0.Add(again + time.Second)
	s.pass(s.api)
	var renewed []string
	for name, secret := range s.secrets() {
		if !cmp.Equal(first[name].Data, secret.Data) {
			renewed = append(renewed, name)
		}
	}
	slices.Sort(renewed)
	want := []string{"etcd-default-peer", "etcd-default-root", "etcd-default-server"}
	if !slices.Equal(renewed, want) {
		t.Errorf("renewed %v, want %v", renewed, want)
	}
	if diff := cmp.Diff(s.host.applied[0], s.host.applied[len(s.host.applied)-1]); diff != "" {
		t.Errorf("the members would restart for it:\n%s", diff)
	}
}

func TestClusterThatMovesGetsCertificatesForItsNewAddresses(t *testing.T) {
	s := newStill(t)
	s.pass(s.api)
	first := s.secrets()
	s.host.hostname = "127.0.1.%d"
	s.pass(s.api)
	for name, same := range map[string]bool{
		"etcd-default-ca": true, "etcd-default-peer-ca": true, "etcd-default-root": true,
		"etcd-default-server": false, "etcd-default-peer": false,
	} {
		if cmp.Equal(first[name].Data, s.secrets()[name].Data) != same {
			t.Errorf("%s: unchanged is %v, want %v", name, !same, same)
		}
	}
}

// TestLostCAIsNotMadeAgain: another CA would lock every tenant out.
func TestLostCAIsNotMadeAgain(t *testing.T) {
	for _, what := range []string{"ca", "peer-ca"} {
		t.Run(what, func(t *testing.T) {
			s := newStill(t)
			s.pass(s.api)
			lost := s.secrets()["etcd-default-"+what]
			if err := s.api.Delete(context.Background(), lost); err != nil {
				t.Fatal(err)
			}
			before := s.secrets()
			s.pass(s.api)
			s.want("SpecAccepted", "False", "CALost", "marina-system/etcd-default-"+what)
			if diff := cmp.Diff(before, s.secrets()); diff != "" {
				t.Errorf("Secrets changed:\n%s", diff)
			}
			// Restored, it goes on.
			lost.ResourceVersion = ""
			if err := s.api.Create(context.Background(), lost); err != nil {
				t.Fatal(err)
			}
			s.pass(s.api)
			s.want("SpecAccepted", "True", "AsExpected", "")
		})
	}
}

// TestClusterIsMadeWhateverCrashes: a CA that has been made must be the one that
// everything is signed by, whenever the controller dies.
func TestClusterIsMadeWhateverCrashes(t *testing.T) {
	for after := 1; ; after++ {
		s := newStill(t)
		c := &crash{after: after}
		r := &ClusterReconciler{Client: c.api(s.api), Host: s.host, Pool: &Pool{}, Now: func() time.Time { return day0 }}
		_, _ = r.Reconcile(context.Background(), requestFor(newCluster()))
		s.pass(s.api)
		secrets := s.secrets()
		for _, a := range authorities("default", component.Addresses{}) {
			ca, _ := pki.FromSecretData(secrets["etcd-default-"+a.what].Data)
			authority, err := ca.Certificate()
			if err != nil {
				t.Fatal(err)
			}
			for name := range a.leaves {
				pair, _ := pki.FromSecretData(secrets["etcd-default-"+name].Data)
				if cert, err := pair.Certificate(); err != nil || cert.CheckSignatureFrom(authority) != nil {
					t.Errorf("after a crash at call %d (%v): %s is not signed by the CA that is stored", after, c.calls, name)
				}
			}
		}
		s.want("SpecAccepted", "True", "AsExpected", "")
		if !c.dead {
			if len(c.calls) != 7 {
				t.Errorf("%d writes for a new EtcdCluster, want 7, the finalizer, five Secrets and status: %v", len(c.calls), c.calls)
			}
			return
		}
	}
}

func TestClusterDeletionWaitsForTenants(t *testing.T) {
	tenant := newTenant("x")
	tenant.Status.EtcdCluster = cluster
	s := newStill(t, tenant)
	s.pass(s.api)
	if err := s.api.Delete(context.Background(), newCluster()); err != nil {
		t.Fatal(err)
	}
	applied := len(s.host.applied)
	s.pass(s.api)
	s.want("Deleting", "Unknown", "TenantsPlaced", "(1): marina-x/tenant")
	if len(s.host.applied) == applied || len(s.secrets()) != 5 {
		t.Error("with a tenant on it, it must be looked after as before")
	}

	if err := s.api.Delete(context.Background(), tenant); err != nil {
		t.Fatal(err)
	}
	s.pass(s.api)
	s.want("Deleting", "Unknown", "StoppingMembers", "waiting for the members to stop")
	s.want("Ready", "False", "Deleting", "waiting for the members to stop")
	if len(s.secrets()) != 5 {
		t.Error("members that still run need their Secrets")
	}

	s.host.gone = true
	s.pass(s.api)
	if left := s.secrets(); len(left) > 0 {
		t.Errorf("Secrets left: %v", left)
	}
	if err := s.api.Get(context.Background(), client.ObjectKeyFromObject(newCluster()), newCluster()); !apierrors.IsNotFound(err) {
		t.Errorf("still there: %v", err)
	}
	s.pass(s.api)
}
