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

// EnsureSecretData returns what a Secret should hold for a certificate: the stored pair if the leaf
// policies find it good, and a new one otherwise; renewAt is when it falls due. ca is the data of the
// CA's own Secret: whom the holder trusts is what stands there under CAKey. Errors are those of Load.
func EnsureSecretData(stored, ca map[string][]byte, req Request, now time.Time) (data map[string][]byte, renewAt time.Time, err error) {
	signer, trusted := FromSecretData(ca)
	pair, _ := FromSecretData(stored)
	in, err := Load(pair, signer.CertPEM, req, now)
	if err != nil {
		return nil, time.Time{}, err
	}
	if _, _, violated := Evaluate(LeafPolicies(), in); !violated {
		return SecretData(pair, trusted), RenewAt(in.Cert), nil
	}
	if pair, err = signer.Issue(req, now); err != nil {
		return nil, time.Time{}, err
	}
	cert, err := pair.Certificate()
	if err != nil {
		return nil, time.Time{}, err
	}
	return SecretData(pair, trusted), RenewAt(cert), nil
}
