package pki

import (
	"bytes"
	"crypto/aes"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/util/keyutil"
)

func TestCertificatesAreAccepted(t *testing.T) {
	ca := mustCA(t, "kubernetes", day0, 0)
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca.CertPEM) {
		t.Fatal("the CA is no root")
	}
	cases := map[string]struct {
		req   Request
		name  string
		usage x509.ExtKeyUsage
		bad   bool
	}{
		"AServerByName":     {req: serving(), name: "kubernetes.default.svc", usage: x509.ExtKeyUsageServerAuth},
		"AServerByWildcard": {req: serving(), name: "x.example.org", usage: x509.ExtKeyUsageServerAuth},
		"AServerByAddress":  {req: serving(), name: "10.96.0.1", usage: x509.ExtKeyUsageServerAuth},
		"AServerByIPv6":     {req: serving(), name: "[fd00::1]", usage: x509.ExtKeyUsageServerAuth},
		"AServerUnderOther": {req: serving(), name: "example.com", usage: x509.ExtKeyUsageServerAuth, bad: true},
		"AServerAsClient":   {req: serving(), usage: x509.ExtKeyUsageClientAuth, bad: true},
		"AClient":           {req: client(), usage: x509.ExtKeyUsageClientAuth},
		"AClientAsServer":   {req: client(), usage: x509.ExtKeyUsageServerAuth, bad: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			pair := mustIssue(t, ca, tc.req, day0)
			if _, err := tls.X509KeyPair(pair.CertPEM, pair.KeyPEM); err != nil {
				t.Fatalf("crypto/tls, with which Kubernetes and etcd load it: %v", err)
			}
			_, err := mustCert(t, pair).Verify(x509.VerifyOptions{
				Roots: roots, DNSName: tc.name, CurrentTime: day0, KeyUsages: []x509.ExtKeyUsage{tc.usage},
			})
			if (err != nil) != tc.bad {
				t.Errorf("Verify: %v, want an error: %v", err, tc.bad)
			}
		})
	}
}

func TestACAMayNotSignAnother(t *testing.T) {
	root := mustCA(t, "root", day0, 0)
	rootKey, err := root.PrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	lower := mustCA(t, "lower", day0, 0)
	lowerCert := mustCert(t, lower)
	lowerKey, err := lower.PrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	signed, err := sign(lowerCert, mustCert(t, root), lowerKey, rootKey, lower.KeyPEM)
	if err != nil {
		t.Fatal(err)
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(mustCert(t, root))
	between.AddCert(mustCert(t, signed))
	_, err = mustCert(t, mustIssue(t, signed, client(), day0)).Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: between, CurrentTime: day0, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err == nil {
		t.Error("a chain over an intermediate CA verified: the path length must be 0")
	}
}

// TestKubernetesReadsTheKeys uses the readers behind the flags of the API server and the
// controller-manager.
func TestKubernetesReadsTheKeys(t *testing.T) {
	private, public, err := NewSigningKey()
	if err != nil {
		t.Fatal(err)
	}
	key, err := keyutil.ParsePrivateKeyPEM(private)
	if err != nil {
		t.Fatalf("--service-account-signing-key-file: %v", err)
	}
	signer, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		t.Fatalf("--service-account-signing-key-file: %T", key)
	}
	// The private file must serve as a public one too: see newKey.
	for name, data := range map[string][]byte{"public": public, "private": private} {
		keys, err := keyutil.ParsePublicKeysPEM(data)
		if err != nil || len(keys) != 1 {
			t.Errorf("--service-account-key-file with the %s key: %d keys, %v", name, len(keys), err)
			continue
		}
		if !signer.PublicKey.Equal(keys[0].(*ecdsa.PublicKey)) {
			t.Errorf("--service-account-key-file with the %s key: it is another key", name)
		}
	}
}

func TestNewEncryptionKey(t *testing.T) {
	a, b := NewEncryptionKey(), NewEncryptionKey()
	if len(a) != 32 || bytes.Equal(a, b) {
		t.Fatalf("%d bytes, repeated: %v; want 32 bytes, each time others", len(a), bytes.Equal(a, b))
	}
	if _, err := aes.NewCipher(a); err != nil {
		t.Errorf("aescbc: %v", err)
	}
}

func TestSecretData(t *testing.T) {
	ca := mustCA(t, "kubernetes", day0, 0)
	pair := mustIssue(t, ca, client(), day0)
	cases := map[string]struct {
		pair KeyPair
		ca   []byte
		want map[string][]byte
	}{
		"APairWithItsCA": {pair: pair, ca: ca.CertPEM, want: map[string][]byte{
			"tls.crt": pair.CertPEM, "tls.key": pair.KeyPEM, "ca.crt": ca.CertPEM,
		}},
		"WhatIsEmptyIsLeftOut": {pair: KeyPair{CertPEM: pair.CertPEM}, want: map[string][]byte{"tls.crt": pair.CertPEM}},
		"Nothing":              {want: map[string][]byte{}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			data := SecretData(tc.pair, tc.ca)
			if diff := cmp.Diff(tc.want, data); diff != "" {
				t.Errorf("SecretData (-want +got):\n%s", diff)
			}
			gotPair, gotCA := FromSecretData(data)
			if !bytes.Equal(gotPair.CertPEM, tc.pair.CertPEM) || !bytes.Equal(gotPair.KeyPEM, tc.pair.KeyPEM) || !bytes.Equal(gotCA, tc.ca) {
				t.Error("FromSecretData does not give back what SecretData took")
			}
		})
	}
}

func TestKeyPairPrintsWithoutItsKey(t *testing.T) {
	pair := mustIssue(t, mustCA(t, "kubernetes", day0, 0), client(), day0)
	asJSON, err := json.Marshal(pair)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		fmt.Sprint(pair), fmt.Sprintf("%+v", pair), fmt.Sprintf("%#v", pair), (&pair).String(), fmt.Sprint(KeyPair{}),
		fmt.Sprintf("%v", struct{ Pair KeyPair }{pair}),
	} {
		if !strings.Contains(text, "key pair") {
			t.Errorf("%q: want the description", text)
		}
		assertNoKey(t, text, pair.KeyPEM)
	}
	if strings.Contains(string(asJSON), "Key") {
		t.Errorf("JSON %s: want no key", asJSON)
	}
}
