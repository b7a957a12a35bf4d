package up

import (
	"errors"
	"os"

	"github.com/marina-dev/marina/pkg/pki"
)

// nextSuffix is of a certificate whose key is about to be written.
const nextSuffix = ".next"

func (s keyStore) readPair(name string) (pki.KeyPair, error) {
	if err := s.finishPair(name); err != nil {
		return pki.KeyPair{}, err
	}
	cert, certErr := s.read(name + ".crt")
	key, keyErr := s.read(name + ".key")
	return pki.KeyPair{CertPEM: cert, KeyPEM: key}, errors.Join(certErr, keyErr)
}

// writePair replaces a pair, which is two files. The certificate is on the disk before
// its key is: whoever is killed in between leaves the old pair, or all that finishPair
// needs.
func (s keyStore) writePair(name string, pair pki.KeyPair) error {
	if err := s.write(name+".crt"+nextSuffix, pair.CertPEM); err != nil {
		return err
	}
	if err := s.write(name+".key", pair.KeyPEM); err != nil {
		return err
	}
	return s.finishPair(name)
}

// finishPair takes a certificate that waits for its key, if that is there.
func (s keyStore) finishPair(name string) error {
	next := s.certFile(name) + nextSuffix
	cert, err := s.read(name + ".crt" + nextSuffix)
	if err != nil || cert == nil {
		return err
	}
	key, err := s.read(name + ".key")
	if err != nil {
		return err
	}
	if matches(pki.KeyPair{CertPEM: cert, KeyPEM: key}) {
		return os.Rename(next, s.certFile(name))
	}
	return os.Remove(next)
}

// matches reports whether a pair is whole, and its key is the certificate's.
func matches(pair pki.KeyPair) bool {
	in := pki.Input{Stored: pair}
	in.Cert, _ = pair.Certificate()
	in.Key, _ = pair.PrivateKey()
	_, _, differs := pki.Evaluate([]pki.Policy{pki.Missing, pki.NotDecodable, pki.KeyMismatch}, in)
	return !differs
}
