package pki

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
)

// encryptionKeySize is in bytes. Secretbox takes exactly 32; aescbc and aesgcm take it as AES-256.
const encryptionKeySize = 32

// NewSigningKey makes the key that signs service account tokens, both halves PEM: private for
// --service-account-signing-key-file of the API server and --service-account-private-key-file of the
// controller-manager, public for --service-account-key-file of the API server, whose file may hold
// several during a rotation. Tokens are signed with ES256.
func NewSigningKey() (private, public []byte, err error) {
	key, private, err := newKey()
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, nil, fmt.Errorf("encode public key: %w", err)
	}
	return private, pem.EncodeToMemory(&pem.Block{Type: publicKeyBlock, Bytes: der}), nil
}

// NewEncryptionKey makes a 32-byte key for encryption at rest, for the providers secretbox, aescbc and
// aesgcm. It is raw; an EncryptionConfiguration wants it in base64.
func NewEncryptionKey() []byte {
	key := make([]byte, encryptionKeySize)
	// Read never returns an error: it ends the process when the system has no randomness to give.
	_, _ = rand.Read(key)
	return key
}
