package pki

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestNewCA(t *testing.T) {
	cert := mustCert(t, mustCA(t, "kubernetes", day0, 0))

	if !cert.IsCA || cert.MaxPathLen != 0 || !cert.MaxPathLenZero {
		t.Errorf("IsCA=%v MaxPathLen=%d: want a CA that signs leaves only", cert.IsCA, cert.MaxPathLen)
	}
	if want := x509.KeyUsageCertSign | x509.KeyUsageCRLSign; cert.KeyUsage != want {
		t.Errorf("KeyUsage = %v, want %v", cert.KeyUsage, want)
	}
	if want := day0.Add(-5 * time.Minute); !cert.NotBefore.Equal(want) {
		t.Errorf("NotBefore = %s, want %s: clocks differ", cert.NotBefore, want)
	}
	if want := day0.Add(87_600 * time.Hour); !cert.NotAfter.Equal(want) {
		t.Errorf("NotAfter = %s, want ten years later, %s", cert.NotAfter, want)
	}
	if len(cert.SubjectKeyId) != 20 || !bytes.Equal(cert.SubjectKeyId, cert.AuthorityKeyId) {
		t.Errorf("SubjectKeyId %x, AuthorityKeyId %x: want the same 20 bytes", cert.SubjectKeyId, cert.AuthorityKeyId)
	}
}

func TestIssue(t *testing.T) {
	ca := mustCA(t, "kubernetes", day0, 0)
	caCert := mustCert(t, ca)
	cases := map[string]struct {
		req      Request
		wantEKU  []x509.ExtKeyUsage
		wantDNS  []string
		wantIPs  []string
		wantLife time.Duration
	}{
		"AServer": {
			req:      serving(),
			wantEKU:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
			wantDNS:  []string{"kubernetes", "kubernetes.default.svc", "*.example.org"},
			wantIPs:  []string{"10.96.0.1", "fd00::1"},
			wantLife: 8_760 * time.Hour,
		},
		"AClient": {
			req:      client(),
			wantEKU:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
			wantLife: 8_760 * time.Hour,
		},
		"AnEtcdPeerIsBoth": {
			req: Request{
				CommonName: "etcd-0", DNSNames: []string{"etcd-0"}, Usage: ServerAuth | ClientAuth, Validity: time.Hour,
			},
			wantEKU:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
			wantDNS:  []string{"etcd-0"},
			wantLife: time.Hour,
		},
		"DuplicatesAreDropped": {
			req: Request{
				CommonName: "s", DNSNames: []string{"a", "b", "a"}, Usage: ServerAuth,
				IPs: []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("::ffff:10.0.0.1")},
			},
			wantEKU:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
			wantDNS:  []string{"a", "b"},
			wantIPs:  []string{"10.0.0.1"},
			wantLife: 8_760 * time.Hour,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			pair := mustIssue(t, ca, tc.req, day0)
			cert := mustCert(t, pair)

			if cert.Subject.CommonName != tc.req.CommonName {
				t.Errorf("CommonName = %q, want %q", cert.Subject.CommonName, tc.req.CommonName)
			}
			if diff := cmp.Diff(set(tc.req.Organization), set(cert.Subject.Organization)); diff != "" {
				t.Errorf("Organization (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.wantEKU, cert.ExtKeyUsage); diff != "" {
				t.Errorf("ExtKeyUsage (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.wantDNS, cert.DNSNames); diff != "" {
				t.Errorf("DNSNames (-want +got):\n%s", diff)
			}
			var ips []string
			for _, ip := range cert.IPAddresses {
				ips = append(ips, ip.String())
			}
			if diff := cmp.Diff(tc.wantIPs, ips); diff != "" {
				t.Errorf("IPAddresses (-want +got):\n%s", diff)
			}
			if cert.IsCA || cert.KeyUsage != x509.KeyUsageDigitalSignature {
				t.Errorf("IsCA=%v KeyUsage=%v: want a leaf for digital signatures only", cert.IsCA, cert.KeyUsage)
			}
			if want := day0.Add(-5 * time.Minute); !cert.NotBefore.Equal(want) {
				t.Errorf("NotBefore = %s, want %s: clocks differ", cert.NotBefore, want)
			}
			if want := day0.Add(tc.wantLife); !cert.NotAfter.Equal(want) {
				t.Errorf("NotAfter = %s, want %s", cert.NotAfter, want)
			}
			if len(cert.SubjectKeyId) != 20 || !bytes.Equal(cert.AuthorityKeyId, caCert.SubjectKeyId) {
				t.Errorf("SubjectKeyId %x, AuthorityKeyId %x: want one of 20 bytes, and the CA's %x",
					cert.SubjectKeyId, cert.AuthorityKeyId, caCert.SubjectKeyId)
			}
			if key, ok := cert.PublicKey.(*ecdsa.PublicKey); !ok || key.Curve != elliptic.P256() {
				t.Errorf("the key is %T, want ECDSA P-256", cert.PublicKey)
			}
		})
	}
}

func TestIssueNeverOutlivesTheCA(t *testing.T) {
	ca := mustCA(t, "short", day0, 24*time.Hour)
	cert := mustCert(t, mustIssue(t, ca, client(), day0))
	if caEnd := mustCert(t, ca).NotAfter; !cert.NotAfter.Equal(caEnd) {
		t.Errorf("NotAfter = %s, want the CA's %s", cert.NotAfter, caEnd)
	}
}

func TestIssueDrawsSerialsAndKeysAnew(t *testing.T) {
	ca := mustCA(t, "kubernetes", day0, 0)
	serials, keys := map[string]bool{}, map[string]bool{}
	const n = 50
	long := false
	for range n {
		pair := mustIssue(t, ca, client(), day0)
		cert := mustCert(t, pair)
		if cert.SerialNumber.Sign() <= 0 || cert.SerialNumber.BitLen() > 128 {
			t.Fatalf("serial %x: want a positive number of 128 bits", cert.SerialNumber)
		}
		long = long || cert.SerialNumber.BitLen() > 120
		serials[cert.SerialNumber.String()] = true
		keys[string(pair.KeyPEM)] = true
	}
	if len(serials) != n || len(keys) != n || !long {
		t.Errorf("%d serials and %d keys of %d, long ones: %v; want all different and drawn from 128 bits",
			len(serials), len(keys), n, long)
	}
}

func TestIssueRefusesRequests(t *testing.T) {
	cases := map[string]struct {
		change func(*Request)
		field  string
	}{
		"NoName":            {change: func(r *Request) { r.CommonName = " " }, field: "CommonName"},
		"NoUsage":           {change: func(r *Request) { r.Usage = 0 }, field: "Usage"},
		"AnUnknownUsage":    {change: func(r *Request) { r.Usage = 1 << 5 }, field: "Usage"},
		"NegativeValidity":  {change: func(r *Request) { r.Validity = -time.Hour }, field: "Validity"},
		"AServerWithoutSAN": {change: func(r *Request) { r.DNSNames, r.IPs = nil, nil }, field: "DNSNames"},
		"AnAddressAsName":   {change: func(r *Request) { r.DNSNames = []string{"10.0.0.1"} }, field: "DNSNames"},
		"AnIPv6AsName":      {change: func(r *Request) { r.DNSNames = []string{"fd00::1"} }, field: "DNSNames"},
		"AnEmptyName":       {change: func(r *Request) { r.DNSNames = []string{""} }, field: "DNSNames"},
		"UpperCase":         {change: func(r *Request) { r.DNSNames = []string{"API.example.org"} }, field: "DNSNames"},
		"ASpaceInAName":     {change: func(r *Request) { r.DNSNames = []string{"a b"} }, field: "DNSNames"},
		"AnInnerWildcard":   {change: func(r *Request) { r.DNSNames = []string{"a.*.org"} }, field: "DNSNames"},
		"AnInvalidAddress":  {change: func(r *Request) { r.IPs = []netip.Addr{{}} }, field: "IPs"},
		"AnAddressWithZone": {change: func(r *Request) { r.IPs = []netip.Addr{netip.MustParseAddr("fe80::1%eth0")} }, field: "IPs"},
	}
	ca := mustCA(t, "kubernetes", day0, 0)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			req := serving()
			tc.change(&req)
			_, err := ca.Issue(req, day0)
			var reqErr *RequestError
			if !errors.As(err, &reqErr) || reqErr.Field != tc.field {
				t.Errorf("Issue: %v; want a *RequestError about %s", err, tc.field)
			}
		})
	}
}

func TestIssueRefusesABrokenCA(t *testing.T) {
	ca, other := mustCA(t, "kubernetes", day0, time.Hour), mustCA(t, "kubernetes", day0, time.Hour)
	cases := map[string]struct {
		ca  KeyPair
		now time.Time
	}{
		"Empty":         {ca: KeyPair{}, now: day0},
		"NoKey":         {ca: KeyPair{CertPEM: ca.CertPEM}, now: day0},
		"AnothersKey":   {ca: KeyPair{CertPEM: ca.CertPEM, KeyPEM: other.KeyPEM}, now: day0},
		"NotACA":        {ca: mustIssue(t, ca, client(), day0), now: day0},
		"Expired":       {ca: ca, now: day0.Add(2 * time.Hour)},
		"ExpiresNow":    {ca: ca, now: day0.Add(time.Hour)},
		"NoCertificate": {ca: KeyPair{CertPEM: []byte("junk"), KeyPEM: ca.KeyPEM}, now: day0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if _, err := tc.ca.Issue(client(), tc.now); !errors.Is(err, ErrCA) {
				t.Errorf("Issue: %v; want ErrCA, so that nobody tries again in vain", err)
			}
		})
	}
}

func TestSplitHosts(t *testing.T) {
	names, ips := SplitHosts([]string{"api.example.org", "10.0.0.1", "::ffff:10.0.0.2", "fd00::1", "localhost"})
	if diff := cmp.Diff([]string{"api.example.org", "localhost"}, names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	var got []string
	for _, ip := range ips {
		got = append(got, ip.String())
	}
	if diff := cmp.Diff([]string{"10.0.0.1", "10.0.0.2", "fd00::1"}, got); diff != "" {
		t.Errorf("ips (-want +got):\n%s", diff)
	}
}
