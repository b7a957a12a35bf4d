package pki

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// ErrCA is in the chain of every error of Issue and Load that is the CA's fault: it cannot be read, is
// no CA, or has expired. Issuing again does not help; the CA must be rotated or restored.
var ErrCA = errors.New("certificate authority is unusable")

// NewCA makes a self-signed CA that signs leaf certificates only (its path length is 0). Zero validity
// means CAValidity.
func NewCA(commonName string, now time.Time, validity time.Duration) (KeyPair, error) {
	if commonName == "" {
		return KeyPair{}, &RequestError{"CommonName", "is empty; name the certificate authority"}
	}
	if validity < 0 {
		return KeyPair{}, &RequestError{"Validity", fmt.Sprintf("%s is negative; leave it out for the default", validity)}
	}
	if validity == 0 {
		validity = CAValidity
	}
	template := &x509.Certificate{
		Subject:   pkix.Name{CommonName: commonName},
		NotBefore: now.Add(-ClockSkew).UTC(),
		NotAfter:  now.Add(validity).UTC(),
		KeyUsage:  x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		// Without BasicConstraintsValid neither of the other two is written.
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	key, keyPEM, err := newKey()
	if err != nil {
		return KeyPair{}, err
	}
	return sign(template, template, key, key, keyPEM)
}

// Issue makes a new key and a certificate for it, signed by the CA. NotBefore lies ClockSkew in the
// past; NotAfter is never later than the CA's own, because what is signed ends with its signer.
//
// It returns a *RequestError when the request cannot be met, and an error with ErrCA in its chain when
// the CA cannot sign.
func (p KeyPair) Issue(req Request, now time.Time) (KeyPair, error) {
	if err := req.Validate(); err != nil {
		return KeyPair{}, err
	}
	ca, err := parseCA(p.CertPEM)
	if err != nil {
		return KeyPair{}, err
	}
	caKey, err := p.PrivateKey()
	if err != nil {
		return KeyPair{}, fmt.Errorf("%w: key of %q: %w", ErrCA, ca.Subject.CommonName, err)
	}
	if !caKey.PublicKey.Equal(ca.PublicKey) {
		return KeyPair{}, fmt.Errorf("%w: the key is not that of the certificate %q", ErrCA, ca.Subject.CommonName)
	}
	if !now.Before(ca.NotAfter) {
		return KeyPair{}, fmt.Errorf("%w: %q expired at %s; rotate it", ErrCA, ca.Subject.CommonName, stamp(ca.NotAfter))
	}
	notAfter := now.Add(req.validity()).UTC()
	if notAfter.After(ca.NotAfter) {
		notAfter = ca.NotAfter
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: req.CommonName, Organization: req.Organization},
		DNSNames:              req.dnsNames(),
		IPAddresses:           req.netIPs(),
		NotBefore:             now.Add(-ClockSkew).UTC(),
		NotAfter:              notAfter,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           req.extKeyUsage(),
		BasicConstraintsValid: true,
	}
	key, keyPEM, err := newKey()
	if err != nil {
		return KeyPair{}, err
	}
	return sign(template, ca, key, caKey, keyPEM)
}

// sign completes the template with serial number and key identifier and has parent's key sign it.
func sign(template, parent *x509.Certificate, key, parentKey *ecdsa.PrivateKey, keyPEM []byte) (KeyPair, error) {
	id, err := keyID(&key.PublicKey)
	if err != nil {
		return KeyPair{}, err
	}
	serial, err := newSerial()
	if err != nil {
		return KeyPair{}, err
	}
	template.SubjectKeyId = id
	// A leaf gets its AuthorityKeyId from the parent by itself; a root gets none unless told.
	template.AuthorityKeyId = parent.SubjectKeyId
	template.SerialNumber = serial
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
	if err != nil {
		return KeyPair{}, fmt.Errorf("sign certificate %q: %w", template.Subject.CommonName, err)
	}
	return KeyPair{
		CertPEM: pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: der}),
		KeyPEM:  keyPEM,
	}, nil
}

// newSerial draws a positive number of up to 128 bits: RFC 5280 allows 20 octets and forbids zero, and
// the CA/Browser Forum asks for at least 64 random bits.
func newSerial() (*big.Int, error) {
	limit := new(big.Int).Lsh(big.NewInt(1), 128)
	serial, err := rand.Int(rand.Reader, limit.Sub(limit, big.NewInt(1)))
	if err != nil {
		return nil, fmt.Errorf("draw serial number: %w", err)
	}
	return serial.Add(serial, big.NewInt(1)), nil
}

// keyID is the first 160 bits of the public key's SHA-256 (RFC 7093, method 1).
func keyID(key *ecdsa.PublicKey) ([]byte, error) {
	point, err := key.Bytes()
	if err != nil {
		return nil, fmt.Errorf("encode public key: %w", err)
	}
	sum := sha256.Sum256(point)
	return sum[:20], nil
}

// parseCA reads the first certificate of a bundle, which must be a CA.
func parseCA(caPEM []byte) (*x509.Certificate, error) {
	ca, err := parseCertificate(caPEM)
	if err != nil {
		return nil, fmt.Errorf("%w: certificate: %w", ErrCA, err)
	}
	if !ca.IsCA {
		return nil, fmt.Errorf("%w: the certificate %q is not a CA", ErrCA, ca.Subject.CommonName)
	}
	return ca, nil
}

// stamp writes a time the way it appears in every message.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
