package pki

import (
	"crypto/x509"
	"net/netip"
	"testing"
	"time"
)

// day0 is when everything in these tests is made. It has no part below a second, because certificates
// have none.
var day0 = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

func mustCA(t testing.TB, name string, now time.Time, validity time.Duration) KeyPair {
	t.Helper()
	ca, err := NewCA(name, now, validity)
	if err != nil {
		t.Fatalf("NewCA: %v", err)
	}
	return ca
}

func mustIssue(t testing.TB, ca KeyPair, req Request, now time.Time) KeyPair {
	t.Helper()
	pair, err := ca.Issue(req, now)
	if err != nil {
		t.Fatalf("Issue: %v", err)
	}
	return pair
}

func mustCert(t testing.TB, pair KeyPair) *x509.Certificate {
	t.Helper()
	cert, err := pair.Certificate()
	if err != nil {
		t.Fatalf("Certificate: %v", err)
	}
	return cert
}

// serving is a request as an API server's, with both names and addresses.
func serving() Request {
	return Request{
		CommonName:   "kube-apiserver",
		Organization: []string{"marina", "apiservers"},
		DNSNames:     []string{"kubernetes", "kubernetes.default.svc", "*.example.org"},
		IPs:          []netip.Addr{netip.MustParseAddr("10.96.0.1"), netip.MustParseAddr("fd00::1")},
		Usage:        ServerAuth,
	}
}

// client is a request as an administrator's.
func client() Request {
	return Request{CommonName: "admin", Organization: []string{"system:masters"}, Usage: ClientAuth}
}
