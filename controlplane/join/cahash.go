package join

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/marina-dev/marina/pkg/pki"
)

// CACertHash is what "kubeadm join --discovery-token-ca-cert-hash" takes: with it a
// joining node knows the cluster that it talks to, and not only somebody who knows its
// token. Of several certificates it is the first one's.
func CACertHash(caPEM []byte) (string, error) {
	cert, err := pki.KeyPair{CertPEM: caPEM}.Certificate()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}
