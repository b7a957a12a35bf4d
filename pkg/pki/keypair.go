package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// PEM block types.
const (
	certificateBlock = "CERTIFICATE"
	ecKeyBlock       = "EC PRIVATE KEY"
	pkcs8KeyBlock    = "PRIVATE KEY"
	publicKeyBlock   = "PUBLIC KEY"
)

var (
	errNoCertificate = errors.New("no PEM certificate found")
	errNoKey         = errors.New("no PEM private key of type ECDSA P-256 found")
)

// KeyPair is a certificate with its private key, both PEM. The zero value is no pair.
//
// It prints without the key and leaves the key out of JSON, so that a log line which happens to contain
// a KeyPair gives nothing away. To store one use SecretData.
type KeyPair struct {
	// CertPEM is the certificate. When it holds several, the first counts.
	CertPEM []byte
	// KeyPEM is the private key of the certificate, in SEC 1 ("EC PRIVATE KEY").
	KeyPEM []byte `json:"-"`
}

// Certificate parses the certificate. Nothing is said about its being valid or trusted.
func (p KeyPair) Certificate() (*x509.Certificate, error) { return parseCertificate(p.CertPEM) }

// PrivateKey parses the key. Any key that is not ECDSA P-256 is an error.
func (p KeyPair) PrivateKey() (*ecdsa.PrivateKey, error) { return parseKey(p.KeyPEM) }

// String describes the pair without its key.
func (p KeyPair) String() string {
	cert, err := p.Certificate()
	if err != nil {
		return "key pair without a readable certificate"
	}
	return fmt.Sprintf("key pair of %q", cert.Subject)
}

// GoString is String: %#v would print the key.
func (p KeyPair) GoString() string { return p.String() }

// parseCertificate reads the first certificate among the PEM blocks of data.
func parseCertificate(data []byte) (*x509.Certificate, error) {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == certificateBlock {
			return x509.ParseCertificate(block.Bytes)
		}
	}
	return nil, errNoCertificate
}

// parseKey reads the first private key among the PEM blocks of data. What the parser complains of is
// dropped: nothing derived from a key belongs in an error.
func parseKey(data []byte) (*ecdsa.PrivateKey, error) {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		var key any
		var err error
		switch block.Type {
		case ecKeyBlock:
			key, err = x509.ParseECPrivateKey(block.Bytes)
		case pkcs8KeyBlock:
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		default:
			// openssl writes an "EC PARAMETERS" block before the key.
			continue
		}
		if ec, ok := key.(*ecdsa.PrivateKey); err == nil && ok && ec.Curve == elliptic.P256() {
			return ec, nil
		}
		return nil, errNoKey
	}
	return nil, errNoKey
}

// newKey makes a private key and its PEM.
//
// The format is SEC 1 rather than PKCS#8: Kubernetes reads public keys out of private key files too
// (an API server without --service-account-key-file does so with its serving key), and that reader
// understands ECDSA keys in SEC 1 only (client-go, util/keyutil, parseECPrivateKey).
func newKey() (*ecdsa.PrivateKey, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("generate key: %w", err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("encode key: %w", err)
	}
	return key, pem.EncodeToMemory(&pem.Block{Type: ecKeyBlock, Bytes: der}), nil
}
