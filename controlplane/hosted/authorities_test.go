package hosted

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/marina-dev/marina/pkg/pki"
)

// TestTheLifeOfACA of ten years. It is never replaced by itself, and nothing that it
// signed outlives it.
func TestTheLifeOfACA(t *testing.T) {
	p := newPlane(t)
	p.mustPass()
	roots := p.secrets()
	const end = "2036-05-29T12:00:00Z"
	for _, step := range []struct {
		name   string
		now    string
		status string
		reason string
		says   []string
		not    string
	}{
		{name: "at first", now: "2026-06-01T12:00:00Z", status: "True", reason: "AsExpected", says: []string{"all 5 certificates are valid; the next is renewed by 2027-01-30T20:00:00Z"}, not: "rotation"},
		{name: "before it was made", now: "2026-05-31T12:00:00Z", status: "False", reason: "CANotYetValid", says: []string{"2026-06-01T11:55:00Z", "clock"}},
		{name: "after five years", now: "2031-06-01T12:00:00Z", status: "True", reason: "AsExpected", not: "rotation"},
		{name: "a second before two thirds are over", now: "2033-01-28T19:59:59Z", status: "True", reason: "AsExpected", not: "rotation"},
		{name: "when two thirds are over", now: "2033-01-28T20:00:00Z", status: "True", reason: "AsExpected", says: []string{
			"all 5 certificates are valid", "the CA in Secret ca expires at " + end + " and needs rotation", "the CA in Secret front-proxy-ca expires at " + end}},
		{name: "in its last hour", now: "2036-05-29T11:30:00Z", status: "True", reason: "AsExpected", says: []string{"expires at " + end}},
		{name: "at its end", now: end, status: "False", reason: "CAUnusable", says: []string{"Secret marina-shop-0d8ec3f1/", "expired at " + end, "rotate"}},
	} {
		now, err := time.Parse(time.RFC3339, step.now)
		if err != nil {
			t.Fatal(err)
		}
		p.now = now
		p.mustPass()
		c := p.condition()
		if string(c.Status) != step.status || c.Reason != step.reason {
			t.Errorf("%s: %s, %s, %q; want %s, %s", step.name, c.Status, c.Reason, c.Message, step.status, step.reason)
		}
		for _, part := range step.says {
			if !strings.Contains(c.Message, part) {
				t.Errorf("%s: %q, want it to say %q", step.name, c.Message, part)
			}
		}
		if step.not != "" && strings.Contains(c.Message, step.not) {
			t.Errorf("%s: %q, want no word of %q", step.name, c.Message, step.not)
		}
		for name, cert := range p.certificates() {
			ca := certificateIn(roots["ca"].Data)
			if cert.NotAfter.After(ca.NotAfter) {
				t.Errorf("%s: %s ends at %s, after its CA at %s", step.name, name, cert.NotAfter, ca.NotAfter)
			}
			// The last ones may be due within the second.
			if at := pki.RenewAt(cert); step.status == "True" && p.now.Add(p.again).After(at.Add(time.Second)) {
				t.Errorf("%s: it looks again after %s, when %s is due at %s", step.name, p.again, name, at)
			}
		}
	}
	for _, name := range []string{"ca", "front-proxy-ca"} {
		if diff := cmp.Diff(roots[name], p.secrets()[name]); diff != "" {
			t.Errorf("Secret %s was written:\n%s", name, diff)
		}
	}
}

// TestACAThatIsLost stops what it signs, and not what the other one signs.
func TestACAThatIsLost(t *testing.T) {
	for name, tc := range map[string]struct {
		runs   bool
		spoil  func(data map[string][]byte)
		reason string
		says   string
	}{
		"its key is gone":         {runs: true, spoil: func(data map[string][]byte) { delete(data, "tls.key") }, reason: "SecretLost", says: "restore it from a backup"},
		"its certificate is junk": {runs: true, spoil: func(data map[string][]byte) { data["tls.crt"] = []byte("junk") }, reason: "CAUnusable", says: "restore it from a backup"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlane(t)
			p.mustPass()
			hcp := p.hcp()
			hcp.Status.Version = hcp.Spec.Version
			if err := p.api.Status().Update(t.Context(), hcp); err != nil {
				t.Fatal(err)
			}
			ca := p.secrets()["ca"]
			tc.spoil(ca.Data)
			p.update(ca)
			first := p.certificates()
			p.now = noon.Add(twoThirds)
			p.mustPass()
			if c := p.condition(); c.Status != "False" || c.Reason != tc.reason || !strings.Contains(c.Message, tc.says) {
				t.Errorf("condition %s, %s, %q; want False, %s, and it to say %q", c.Status, c.Reason, c.Message, tc.reason, tc.says)
			}
			var want []string
			if tc.reason == "CAUnusable" {
				want = []string{"front-proxy-client"}
			}
			if diff := cmp.Diff(want, p.replaced(first)); diff != "" {
				t.Errorf("replaced (-want +got):\n%s", diff)
			}
		})
	}
}
