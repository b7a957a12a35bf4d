package pki

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// lower is a CA that another one has signed, with a key of its own or a given one.
func lower(t testing.TB, upper KeyPair, key []byte, change func(*x509.Certificate)) KeyPair {
	t.Helper()
	if key == nil {
		key = mustCA(t, "key", day0, 0).KeyPEM
	}
	holder := KeyPair{KeyPEM: key}
	own, err := holder.PrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	upperKey, err := upper.PrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "etcd"}, NotBefore: day0.Add(-time.Hour), NotAfter: day0.AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	if change != nil {
		change(template)
	}
	pair, err := sign(template, mustCert(t, upper), own, upperKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// chained is what cert-manager stores: the chain, and a root.
func chained(pair KeyPair, above ...KeyPair) map[string][]byte {
	data := SecretData(pair, above[len(above)-1].CertPEM)
	for _, a := range above {
		data[CertKey] = append(bytes.Clone(data[CertKey]), a.CertPEM...)
	}
	return data
}

// refusalOf is the reason of a Refusal, empty for no error.
func refusalOf(t testing.TB, err error) string {
	t.Helper()
	var r *Refusal
	if err != nil && (!errors.As(err, &r) || r.Message == "") {
		t.Fatalf("error %v, want a Refusal that says why", err)
	}
	if r == nil {
		return ""
	}
	return r.Reason
}

func TestAdoptCA(t *testing.T) {
	company := mustCA(t, "company", day0, 0)
	used := lower(t, company, nil, nil)
	renewed := lower(t, mustCA(t, "elsewhere", day0, 0), used.KeyPEM, func(c *x509.Certificate) { c.NotAfter = day0.AddDate(2, 0, 0) })
	inUse := SecretData(used, used.CertPEM)
	half := chained(used, company)
	delete(half, PrivateKeyKey)

	for name, tc := range map[string]struct {
		stored, issued map[string][]byte
		now            time.Time
		want           map[string][]byte
		refused        string
		replaced       bool
	}{
		"the first one, without those above it":          {issued: chained(used, company), want: inUse},
		"the same one":                                   {stored: inUse, issued: chained(used, company), want: inUse},
		"with the same key, signed by somebody else":     {stored: inUse, issued: chained(renewed, company), want: SecretData(renewed, renewed.CertPEM), replaced: true},
		"one that is junk is no reason against a better": {stored: map[string][]byte{CertKey: []byte("junk")}, issued: chained(used, company), want: inUse, replaced: true},
		"with another key":                               {stored: inUse, issued: chained(lower(t, company, nil, nil), company), want: inUse, refused: "OtherCA"},
		"with another name": {stored: inUse, refused: "OtherCA", want: inUse,
			issued: chained(lower(t, company, used.KeyPEM, func(c *x509.Certificate) { c.Subject.Organization = []string{"x"} }), company)},
		"none yet":          {refused: "Missing"},
		"gone":              {stored: inUse, want: inUse, refused: "Missing"},
		"half of it":        {stored: inUse, issued: half, want: inUse, refused: "Missing"},
		"no CA":             {issued: chained(mustIssue(t, company, client(), day0), company), refused: "NotACA"},
		"it may not sign":   {issued: chained(lower(t, company, nil, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature }), company), refused: "NotACA"},
		"it has expired":    {issued: chained(used, company), now: day0.AddDate(2, 0, 0), refused: "Expired"},
		"it is not yet one": {issued: chained(used, company), now: day0.AddDate(-1, 0, 0), refused: "NotYetValid"},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.now.IsZero() {
				tc.now = day0
			}
			got, err := AdoptCA(tc.stored, tc.issued, tc.now)
			if reason := refusalOf(t, err); reason != tc.refused {
				t.Errorf("refused for %q, want %q", reason, tc.refused)
			}
			if diff := cmp.Diff(tc.want, got.Data); diff != "" {
				t.Errorf("what to hold (-want +got):\n%s", diff)
			}
			if (got.Reason == "Reissued") != tc.replaced {
				t.Errorf("replaced for %q, want it replaced: %v", got.Reason, tc.replaced)
			}
		})
	}
}

func TestAdoptSecretData(t *testing.T) {
	company := mustCA(t, "company", day0, 0)
	own := lower(t, company, nil, nil)
	ca := SecretData(own, own.CertPEM)
	first := mustIssue(t, own, serving(), day0)
	second := mustIssue(t, own, serving(), day0.Add(time.Minute))
	inUse := SecretData(first, own.CertPEM)
	clientsOnly := lower(t, company, nil, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
	fewer := serving()
	fewer.IPs = nil

	for name, tc := range map[string]struct {
		stored, issued, ca map[string][]byte
		now                time.Time
		want               map[string][]byte
		refused            string
		replaced           bool
	}{
		"the first one, and trust in our CA only": {issued: chained(first, own, company), want: inUse},
		"the same one":                              {stored: inUse, issued: chained(first, own, company), want: inUse},
		"a renewed one":                             {stored: inUse, issued: chained(second, own, company), want: SecretData(second, own.CertPEM), replaced: true},
		"whom to trust is not what is stored":       {stored: SecretData(first, company.CertPEM), issued: chained(first, own, company), want: inUse},
		"none yet":                                  {refused: "Missing"},
		"one of those above our CA":                 {issued: chained(mustIssue(t, company, serving(), day0), company), refused: "OtherCA"},
		"the same, while another serves":            {stored: inUse, issued: chained(mustIssue(t, company, serving(), day0), company), want: inUse, refused: "OtherCA"},
		"for somebody else":                         {issued: chained(mustIssue(t, own, client(), day0), own, company), refused: "OtherSubject"},
		"without an address":                        {issued: chained(mustIssue(t, own, fewer, day0), own, company), refused: "SANsMissing"},
		"one that is over":                          {issued: chained(first, own, company), now: day0.AddDate(1, 0, 1), refused: "Expired"},
		"a CA that may not sign such a certificate": {ca: SecretData(clientsOnly, nil), issued: chained(mustIssue(t, clientsOnly, serving(), day0), company), refused: "NotVerified"},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.now.IsZero() {
				tc.now = day0
			}
			if tc.ca == nil {
				tc.ca = ca
			}
			got, err := AdoptSecretData(tc.stored, tc.issued, tc.ca, serving(), tc.now)
			if reason := refusalOf(t, err); reason != tc.refused {
				t.Errorf("refused for %q (%v), want %q", reason, err, tc.refused)
			}
			if diff := cmp.Diff(tc.want, got.Data); diff != "" {
				t.Errorf("what to hold (-want +got):\n%s", diff)
			}
			if (got.Reason == "Reissued") != tc.replaced {
				t.Errorf("replaced for %q, want it replaced: %v", got.Reason, tc.replaced)
			}
		})
	}
	if _, err := AdoptSecretData(inUse, inUse, nil, serving(), day0); !errors.Is(err, ErrCA) {
		t.Errorf("without a CA: %v, want ErrCA", err)
	}
}

func TestSignedBy(t *testing.T) {
	company := mustCA(t, "company", day0, 0)
	own := lower(t, company, nil, nil)
	leaf := SecretData(mustIssue(t, own, serving(), day0), own.CertPEM)
	junk := maps.Clone(leaf)
	junk[CertKey] = bytes.ToUpper(junk[CertKey])
	for name, tc := range map[string]struct {
		leaf map[string][]byte
		ca   KeyPair
		now  time.Time
		want string
	}{
		"its own":                   {leaf: leaf, ca: own},
		"its own, signed elsewhere": {leaf: leaf, ca: lower(t, mustCA(t, "elsewhere", day0, 0), own.KeyPEM, nil)},
		"another":                   {leaf: leaf, ca: lower(t, company, nil, nil), want: "OtherCA"},
		"its own, which now signs clients only": {leaf: leaf, want: "NotVerified",
			ca: lower(t, company, own.KeyPEM, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })},
		"it is over anyway":  {leaf: leaf, ca: lower(t, company, nil, nil), now: day0.AddDate(1, 0, 1)},
		"it is junk anyway":  {leaf: junk, ca: lower(t, company, nil, nil)},
		"it is gone already": {ca: own},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.now.IsZero() {
				tc.now = day0
			}
			if got := refusalOf(t, SignedBy(tc.leaf, SecretData(tc.ca, nil), serving(), tc.now)); got != tc.want {
				t.Errorf("SignedBy = %q, want %q", got, tc.want)
			}
		})
	}
}
