package pki

import "time"

// Keys of a Secret of type kubernetes.io/tls that holds one pair, and the names of the files that they
// become when it is mounted.
const (
	// CertKey holds the certificate.
	CertKey = "tls.crt"
	// PrivateKeyKey holds the private key.
	PrivateKeyKey = "tls.key"
	// CAKey holds the certificates that the holder trusts. While a CA is rotated there are two.
	CAKey = "ca.crt"
)

// SecretData is what a Secret holds for a pair and the CA certificates that its holder trusts. For a
// CA's own Secret caPEM is its own certificate. What is empty is left out.
func SecretData(pair KeyPair, caPEM []byte) map[string][]byte {
	data := map[string][]byte{}
	for key, value := range map[string][]byte{CertKey: pair.CertPEM, PrivateKeyKey: pair.KeyPEM, CAKey: caPEM} {
		if len(value) > 0 {
			data[key] = value
		}
	}
	return data
}

// FromSecretData is the reverse of SecretData. What is missing is empty and nothing is checked: whether
// the pair is any good is for Evaluate to say.
func FromSecretData(data map[string][]byte) (pair KeyPair, caPEM []byte) {
	return KeyPair{CertPEM: data[CertKey], KeyPEM: data[PrivateKeyKey]}, data[CAKey]
}

// Ensured is what EnsureSecretData has come to.
type Ensured struct {
	// Data is what the Secret should hold.
	Data map[string][]byte
	// RenewAt is when to look again: the certificate is due then, or a renewal that was asked for.
	RenewAt time.Time
	// Reason and Message tell why Data holds a new pair in place of one that is stored. Both are empty when
	// the stored one stays, and when there was none.
	Reason, Message string
}

// EnsureSecretData decides what a Secret should hold for a certificate: the stored pair if the leaf
// policies find it good, and a new one otherwise. ca is the data of the CA's own Secret: whom the holder
// trusts is what stands there under CAKey. Errors are those of Load and Issue.
func EnsureSecretData(stored, ca map[string][]byte, req Request, now time.Time) (Ensured, error) {
	signer, trusted := FromSecretData(ca)
	pair, _ := FromSecretData(stored)
	in, err := Load(pair, signer.CertPEM, req, now)
	if err != nil {
		return Ensured{}, err
	}
	out, cert := Ensured{}, in.Cert
	if reason, message, violated := Evaluate(LeafPolicies(), in); violated {
		if len(pair.CertPEM)+len(pair.KeyPEM) > 0 {
			out.Reason, out.Message = reason, message
		}
		if pair, err = signer.Issue(req, now); err != nil {
			return Ensured{}, err
		}
		if cert, err = pair.Certificate(); err != nil {
			return Ensured{}, err
		}
	}
	out.Data, out.RenewAt = SecretData(pair, trusted), RenewAt(cert)
	if since := req.IssuedSince; since.After(now) && since.Before(out.RenewAt) {
		out.RenewAt = since
	}
	return out, nil
}
