package etcd

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/marina-dev/marina/pkg/pki"
)

func TestIssuedCertificates(t *testing.T) {
	i := newIssuing(t)
	i.pass(i.api)
	i.want("Ready", "Unknown", "CertificateNotReady", "waiting for cert-manager to issue Certificate marina-system/etcd-default-ca: Missing: there is no certificate: see 'kubectl -n marina-system describe certificate etcd-default-ca' and its issuer, the ClusterIssuer platform")
	i.want("CertificatesValid", "Unknown", "CertificateNotReady", "etcd-default-ca")
	i.want("SpecAccepted", "True", "AsExpected", "")
	i.sign()
	i.want("Ready", "Unknown", "CertificateNotReady", "Certificate marina-system/etcd-default-root: ")
	if len(i.host.applied) > 0 {
		t.Error("members were started without certificates")
	}
	i.sign()
	i.want("CertificatesValid", "True", "AsExpected", "")
	i.want("Ready", "Unknown", "NoQuorum", "")
	if got := told(i.events); len(got) > 0 {
		t.Errorf("told of the first ones, which replace nothing: %q", got)
	}

	want := map[string]string{"ca": "ca", "server": "ca", "root": "ca", "peer-ca": "peer-ca", "peer": "peer-ca"}
	ours := i.ours()
	for name, by := range want {
		data := ours[name]
		if string(data[pki.CAKey]) != string(ours[by][pki.CertKey]) || strings.Count(string(data[pki.CAKey]), "BEGIN") != 1 {
			t.Errorf("%s trusts something else than its CA, and nothing but it", name)
		}
		if strings.Count(string(data[pki.CertKey]), "BEGIN") != 1 {
			t.Errorf("%s presents more than its own certificate", name)
		}
		// Otherwise this shows nothing.
		if theirs := i.secrets()["etcd-default-"+name+"-issued"]; strings.HasSuffix(name, "ca") && string(theirs.Data[pki.CAKey]) == string(data[pki.CAKey]) {
			t.Errorf("%s: cert-manager's own ca.crt is not the company's root", name)
		}
	}
}

// TestIssuedAndQuiet: when all is as it is to be, nothing is written.
func TestIssuedAndQuiet(t *testing.T) {
	i := newIssuing(t)
	i.complete()
	c := &crash{after: 1}
	i.pass(c.api(i.api))
	if len(c.calls) > 0 {
		t.Errorf("writes %v", c.calls)
	}
}

// TestIssuedWhateverCrashes: the CA that was taken over is the one that everything is
// signed by, whenever the controller dies.
func TestIssuedWhateverCrashes(t *testing.T) {
	for after := 1; ; after++ {
		i := newIssuing(t)
		c := &crash{after: after}
		r := &ClusterReconciler{Client: c.api(i.api), Live: i.api, Host: i.host, Pool: &Pool{}, Now: func() time.Time { return day0 }, events: i.events}
		for range 3 {
			_, _ = r.Reconcile(context.Background(), requestFor(newCluster()))
			_ = i.signer.Pass(context.Background())
		}
		i.complete()
		if got := told(i.events); len(got) > 0 {
			t.Errorf("after a crash at call %d (%v): something was replaced: %q", after, c.calls, got)
		}
		if !c.dead {
			if len(c.calls) < 15 {
				t.Errorf("only %d writes: the crashes are not where they should be", len(c.calls))
			}
			return
		}
	}
}

// TestAClockOfCertManagerThatIsAhead is waited for.
func TestAClockOfCertManagerThatIsAhead(t *testing.T) {
	i := newIssuing(t)
	i.pass(i.api)
	i.now = day0.Add(10 * time.Second)
	_ = i.signer.Pass(context.Background())
	i.now = day0
	i.pass(i.api)
	i.want("Ready", "Unknown", "CertificateNotReady", "NotYetValid: the certificate is valid from 2026-03-01T12:00:10Z only")
	i.now = day0.Add(10 * time.Second)
	i.complete()
}

// TestIssuedCertificatesAreRenewed, when cert-manager does, in place. Members restart for
// a CA only, which keeps its key.
func TestIssuedCertificatesAreRenewed(t *testing.T) {
	for name, tc := range map[string]struct {
		what     string
		changed  []string
		restarts bool
	}{
		"a leaf": {what: "server", changed: []string{"server"}},
		"a CA":   {what: "ca", changed: []string{"ca", "root", "server"}, restarts: true},
	} {
		t.Run(name, func(t *testing.T) {
			i := newIssuing(t)
			i.complete()
			before, applied := i.ours(), i.host.applied[len(i.host.applied)-1]
			// Marina renews nothing by itself.
			i.now = day0.Add(360 * 24 * time.Hour)
			i.pass(i.api)
			if got := i.changed(before); len(got) > 0 {
				t.Errorf("%v changed, and cert-manager has renewed nothing", got)
			}
			i.signer.Renew("etcd-default-" + tc.what)
			i.sign()
			if diff := cmp.Diff(tc.changed, i.changed(before)); diff != "" {
				t.Errorf("changed (-want +got):\n%s", diff)
			}
			if string(before["ca"][pki.PrivateKeyKey]) != string(i.ours()["ca"][pki.PrivateKeyKey]) {
				t.Error("the CA has another key")
			}
			if restarts := !cmp.Equal(applied, i.host.applied[len(i.host.applied)-1]); restarts != tc.restarts {
				t.Errorf("the members restart: %v, want %v", restarts, tc.restarts)
			}
			i.want("CertificatesValid", "True", "AsExpected", "")
			if got := told(i.events); len(got) != 1 || !strings.HasPrefix(got[0], "Normal CertificateRenewed etcd-default-"+tc.what+": Reissued: ") {
				t.Errorf("Events %q, want one of etcd-default-%s", got, tc.what)
			}
		})
	}
}
