package hosted

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/controlplane/join"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/pki"
)

// twoThirds of the year that a certificate lives.
const twoThirds = 5840 * time.Hour

// TestCertificatesOverTwoYears walks through two years week by week.
func TestCertificatesOverTwoYears(t *testing.T) {
	p := newPlane(t)
	p.mustPass()
	if got := p.told(); len(got) > 0 || p.hcp().Status.Certificates.RenewedAt != nil {
		t.Errorf("told of the first ones, which replace nothing: %q", got)
	}
	roots := p.secrets()
	renewals := map[string]int{}
	for week := range 104 {
		before := p.certificates()
		p.now = noon.Add(time.Duration(week) * 7 * 24 * time.Hour)
		p.mustPass()
		var want []string
		for _, name := range leafNames {
			cert := before[name]
			if !p.now.Before(cert.NotAfter) {
				t.Fatalf("week %d: %s had expired at %s", week, name, cert.NotAfter)
			}
			if due := pki.RenewAt(cert); !p.now.Before(due) {
				renewals[name]++
				want = append(want, name+": ExpiresSoon: the certificate expires at "+cert.NotAfter.Format(time.RFC3339)+", its renewal is due since "+due.Format(time.RFC3339))
			}
		}
		status := p.hcp().Status.Certificates
		if replaced := p.replaced(before); len(replaced) != len(want) {
			t.Fatalf("week %d: replaced %q, due were %q", week, replaced, want)
		}
		if len(want) > 0 && (!status.RenewedAt.Time.Equal(p.now) || status.Renewed != strings.Join(want, "; ")) {
			t.Errorf("week %d: status tells %q at %s", week, status.Renewed, status.RenewedAt)
		}
		for i := range want {
			want[i] = "Normal CertificateRenewed " + want[i]
		}
		if diff := cmp.Diff(want, p.told()); diff != "" {
			t.Errorf("week %d: Events (-want +got):\n%s", week, diff)
		}
		for name, cert := range p.certificates() {
			if due := pki.RenewAt(cert); p.again <= 0 || p.now.Add(p.again).After(due) || status.RenewAt.After(due) {
				t.Fatalf("week %d: it looks again after %s, and says %s, when %s is due at %s", week, p.again, status.RenewAt, name, due)
			}
		}
		hcp, secrets := p.hcp(), p.secrets()
		p.mustPass()
		if diff := cmp.Diff(hcp, p.hcp()); diff != "" {
			t.Fatalf("week %d: a second pass at the same time wrote:\n%s", week, diff)
		}
		if diff := cmp.Diff(secrets, p.secrets()); diff != "" {
			t.Fatalf("week %d: a second pass at the same time wrote:\n%s", week, diff)
		}
	}
	// Eight months each: in the 35th week, the 70th, ...
	for _, name := range leafNames {
		if renewals[name] != 2 {
			t.Errorf("%s was renewed %d times in two years, want 2", name, renewals[name])
		}
	}
	for _, name := range []string{"ca", "front-proxy-ca", "service-account", "encryption"} {
		if diff := cmp.Diff(roots[name], p.secrets()[name]); diff != "" {
			t.Errorf("Secret %s was written:\n%s", name, diff)
		}
	}
}

// TestAClockThatJumps by a day, and back.
func TestAClockThatJumps(t *testing.T) {
	p := newPlane(t)
	p.mustPass()
	first := p.certificates()

	p.now = noon.Add(24 * time.Hour)
	p.mustPass()
	if got := p.replaced(first); len(got) > 0 {
		t.Errorf("a day later %q were replaced: they are good for a year", got)
	}
	p.ask(p.now)
	p.mustPass()
	if got := p.replaced(first); !slices.Equal(got, leafNames) {
		t.Fatalf("on request %q were replaced, want all", got)
	}
	if got := p.hcp().Status.Certificates.NotBefore; got != nil {
		t.Errorf("done for %s, and there is no certificate for etcd yet", got)
	}
	p.told()

	p.now = noon
	ahead := p.certificates()
	p.mustPass()
	if got := p.replaced(ahead); !slices.Equal(got, leafNames) {
		t.Errorf("back again, %q were replaced; want all, as none is valid yet", got)
	}
	for _, event := range p.told() {
		if !strings.Contains(event, ": NotYetValid: the certificate is valid from 2026-06-02T11:55:00Z only, now it is 2026-06-01T12:00:00Z") {
			t.Errorf("Event %q does not tell why", event)
		}
	}
	// What was asked for lies in the future now: it is done when its time has come.
	again := p.certificates()
	p.mustPass()
	if got := p.replaced(again); len(got) > 0 || p.again > 24*time.Hour {
		t.Errorf("the next pass replaced %q, looks again after %s; want nothing, within a day", got, p.again)
	}
	p.now = noon.Add(24 * time.Hour)
	p.mustPass()
	if got := p.replaced(again); !slices.Equal(got, leafNames) {
		t.Errorf("a day later %q were replaced, want all: they were asked for", got)
	}
}

// TestTheAdministratorsCertificate of Marina in a tenant lives for a day, so that it
// is the first to be out of its time when a clock jumps.
func TestTheAdministratorsCertificate(t *testing.T) {
	ca, err := pki.NewCA("shop", noon.Add(-time.Hour), 0)
	if err != nil {
		t.Fatal(err)
	}
	tenants := newTenants(logr.Discard())
	t.Cleanup(tenants.cancel)
	ensure := func(now time.Time) *tenant {
		t.Helper()
		// Nobody listens there.
		got, err := tenants.ensure(client.ObjectKey{Name: "shop"}, "https://127.0.0.1:1", ca, join.Reserved{}, now)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	known := ensure(noon)
	for _, step := range []struct {
		name string
		now  time.Time
		anew bool
	}{
		{"at the same time", noon, false},
		{"an hour later", noon.Add(time.Hour), false},
		{"a clock is set back by less than clocks may differ", noon.Add(-4 * time.Minute), false},
		{"a clock jumps forward by a day", noon.Add(24 * time.Hour), true},
		{"and stays there", noon.Add(24 * time.Hour), false},
		{"and goes back: its time has not begun", noon, true},
		{"and stays there", noon, false},
		{"half of its time is over", noon.Add(12 * time.Hour), true},
	} {
		got := ensure(step.now)
		if (got != known) != step.anew {
			t.Errorf("%s: made anew is %v, want %v", step.name, got != known, step.anew)
		}
		known = got
	}
}

// TestCertificatesOnRequest: a request is done when the certificate for etcd, which
// another controller issues, is of its time too.
func TestCertificatesOnRequest(t *testing.T) {
	p := newPlane(t)
	p.mustPass()
	etcd := &v1alpha1.EtcdTenant{}
	p.get(v1alpha1.NameEtcdTenant, etcd)
	etcd.Generation = 1
	p.update(etcd)
	etcdCA, err := pki.NewCA("etcd-default-ca", noon, 0)
	if err != nil {
		t.Fatal(err)
	}
	issue := func() map[string][]byte {
		pair, err := etcdCA.Issue(pki.Request{CommonName: "0d8ec3f1", Usage: pki.ClientAuth}, p.now)
		if err != nil {
			t.Fatal(err)
		}
		return pki.SecretData(pair, etcdCA.CertPEM)
	}
	client := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: p.hcp().Namespace, Name: "etcd-client"}, Data: issue()}
	if err := p.api.Create(context.Background(), client); err != nil {
		t.Fatal(err)
	}
	p.mustPass()
	if c := p.condition(); c.Status != "True" || c.Message != "all 6 certificates are valid; the next is renewed by 2027-01-30T20:00:00Z" {
		t.Errorf("condition %s, %q", c.Status, c.Message)
	}
	if got := p.hcp().Status.Certificates; got.NotBefore != nil {
		t.Errorf("nobody has asked, and the status says that all are of %s", got.NotBefore)
	}

	p.now = noon.Add(time.Hour)
	p.ask(p.now)
	first := p.certificates()
	p.mustPass()
	if got := p.replaced(first); !slices.Equal(got, leafNames) {
		t.Errorf("replaced %q, want all", got)
	}
	status := p.hcp().Status.Certificates
	if status.NotBefore != nil || !strings.Contains(status.Renewed, "kube-apiserver-serving: RenewalRequested: the certificate was issued at 2026-06-01T12:00:00Z") {
		t.Errorf("not before %s, %q; want it not to be done while etcd-client is the old one", status.NotBefore, status.Renewed)
	}
	p.get(v1alpha1.NameEtcdTenant, etcd)
	if asked := etcd.Spec.CertificatesNotBefore; asked == nil || !asked.Time.Equal(p.now) {
		t.Errorf("the EtcdTenant is asked for %s, want %s", asked, p.now)
	}
	p.mustPass()
	if p.again < time.Minute {
		t.Errorf("it looks again after %s, when the EtcdTenant will tell", p.again)
	}
	etcd.Status.ObservedGeneration = 1
	if err := p.api.Status().Update(context.Background(), etcd); err != nil {
		t.Fatal(err)
	}
	p.mustPass()
	if p.again != time.Second {
		t.Errorf("it looks again after %s, when the EtcdTenant has done it and the Secret is not seen yet", p.again)
	}
	p.get("etcd-client", client)
	client.Data = issue()
	p.update(client)
	p.told()
	p.mustPass()
	if status = p.hcp().Status.Certificates; status.NotBefore == nil || !status.NotBefore.Time.Equal(p.now) {
		t.Errorf("not before %s, want %s, now that all are", status.NotBefore, p.now)
	}
	if got := p.told(); len(got) > 0 {
		t.Errorf("told %q, which was no renewal of this pass", got)
	}

	// Without its controller the one for etcd ends, and the condition tells.
	p.now = p.now.Add(366 * 24 * time.Hour)
	p.mustPass()
	if c := p.condition(); c.Status != "False" || c.Reason != "EtcdClientExpired" || p.again > time.Minute {
		t.Errorf("condition %s, %s, %q, looks again after %s; want it to tell of etcd-client and to look soon", c.Status, c.Reason, c.Message, p.again)
	}
}
