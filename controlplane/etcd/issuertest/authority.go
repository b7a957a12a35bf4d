package issuertest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"time"
)

// Authority is a CA with those that signed it.
type Authority struct {
	key *ecdsa.PrivateKey
	// chain begins with the authority's own certificate and ends with the root.
	chain []*x509.Certificate
}

// NewRoot is an authority that is signed by nobody else.
func NewRoot(name string, now time.Time) (*Authority, error) { return newAuthority(name, nil, now) }

// Sub is an authority that this one has signed.
func (a *Authority) Sub(name string, now time.Time) (*Authority, error) {
	return newAuthority(name, a, now)
}

func newAuthority(name string, parent *Authority, now time.Time) (*Authority, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	a := &Authority{key: key}
	if parent == nil {
		parent = a
	}
	cert, err := parent.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(20, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}, &key.PublicKey)
	if err != nil {
		return nil, err
	}
	a.chain = []*x509.Certificate{cert}
	if parent != a {
		a.chain = append(a.chain, parent.chain...)
	}
	return a, nil
}

// sign signs a certificate; an authority without one signs its own.
func (a *Authority) sign(template *x509.Certificate, key *ecdsa.PublicKey) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	template.SerialNumber = serial
	parent := template
	if len(a.chain) > 0 {
		parent = a.chain[0]
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key, a.key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// Client is a client certificate of the authority with its key, both PEM.
func (a *Authority) Client(name string, now time.Time) (certPEM, keyPEM []byte, err error) {
	key, err := newKey()
	if err != nil {
		return nil, nil, err
	}
	cert, err := a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Minute), NotAfter: now.Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, &key.PublicKey)
	if err != nil {
		return nil, nil, err
	}
	keyPEM, err = encodeKey(key)
	return encode(append([]*x509.Certificate{cert}, a.chain...)...), keyPEM, err
}

// authorityIn is the authority in a Secret, with what is under ca.crt at the end.
func authorityIn(data map[string][]byte) (*Authority, error) {
	key, err := decodeKey(data["tls.key"])
	if err != nil {
		return nil, err
	}
	a := &Authority{key: key, chain: append(decode(data["tls.crt"]), decode(data["ca.crt"])...)}
	if len(a.chain) == 0 || !a.chain[0].IsCA {
		return nil, errors.New("there is no CA")
	}
	return a, nil
}

// bundle is what cert-manager stores under tls.crt and ca.crt: the chain without its root,
// and the highest certificate that it knows.
func (a *Authority) bundle(cert *x509.Certificate) (chain, ca []byte) {
	certs, highest := []*x509.Certificate{cert}, cert
	for _, c := range a.chain {
		if highest.Equal(c) {
			continue
		}
		if highest = c; !bytes.Equal(c.RawIssuer, c.RawSubject) {
			certs = append(certs, c)
		}
	}
	return encode(certs...), encode(highest)
}

func newKey() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) }

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), err
}

func decodeKey(data []byte) (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, errors.New("there is no key")
	}
	return x509.ParseECPrivateKey(block.Bytes)
}

func encode(certs ...*x509.Certificate) []byte {
	var all []byte
	for _, c := range certs {
		all = append(all, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return all
}

func decode(data []byte) (certs []*x509.Certificate) {
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if cert, err := x509.ParseCertificate(block.Bytes); err == nil {
			certs = append(certs, cert)
		}
	}
	return certs
}
