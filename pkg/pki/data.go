package pki

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
