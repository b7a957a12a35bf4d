package pki

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"time"
)

// Refusal says why a pair that somebody else has issued is not used. It has the form of a Policy's.
type Refusal struct{ Reason, Message string }

func (e *Refusal) Error() string { return e.Reason + ": " + e.Message }

// AdoptSecretData is EnsureSecretData where somebody else issues and renews: issued is the data of the
// Secret that they write, and stored that of ours. Only the first certificate is taken, since the holder
// of ca needs no other to verify it. Whom they say to trust is not looked at: that may be an authority
// far above ca, and trusting it would mean trusting all that it has ever signed.
//
// What is issued and no good is a *Refusal. Data is then what is stored, if anything is: it serves on.
func AdoptSecretData(stored, issued, ca map[string][]byte, req Request, now time.Time) (Ensured, error) {
	signer, trusted := FromSecretData(ca)
	have, _ := FromSecretData(stored)
	in, err := loadIssued(issued, signer, req, now)
	if err != nil {
		return Ensured{}, err
	}
	if reason, message, violated := Evaluate(AdoptionPolicies(), in); violated {
		if len(have.CertPEM) == 0 {
			return Ensured{}, &Refusal{reason, message}
		}
		return Ensured{Data: SecretData(have, trusted)}, &Refusal{reason, message}
	}
	return adopted(have, in, trusted), nil
}

// AdoptCA is AdoptSecretData for a CA, which its holders trust as it is, and not those that signed it.
// One that is stored is replaced only by one with the same name and key, by which all that it signed
// stays valid.
func AdoptCA(stored, issued map[string][]byte, now time.Time) (Ensured, error) {
	have, _ := FromSecretData(stored)
	in := parseInput(first(issued))
	in.Now = now
	if reason, message, violated := Evaluate([]Policy{Missing, NotDecodable, KeyMismatch, NotACA, NotYetValid, HasExpired}, in); violated {
		return Ensured{Data: stored}, &Refusal{reason, message}
	}
	if known, err := parseCA(have.CertPEM); err == nil && !sameCA(known, in.Cert) {
		return Ensured{Data: stored}, &Refusal{ReasonOtherCA, "it is another CA than the one in use, by its name or its key"}
	}
	return adopted(have, in, in.Stored.CertPEM), nil
}

// SignedBy says whether a stored pair would go on to serve with another certificate of its CA, nil if it
// would. One that has expired, or cannot be read, does not serve anyway.
func SignedBy(stored, ca map[string][]byte, req Request, now time.Time) error {
	signer, _ := FromSecretData(ca)
	in, err := loadIssued(stored, signer, req, now)
	if err != nil || in.Cert == nil {
		return err
	}
	if _, _, expired := HasExpired(in); expired {
		return nil
	}
	if reason, message, violated := Evaluate([]Policy{OtherCA, NotVerified}, in); violated {
		return &Refusal{reason, message}
	}
	return nil
}

func loadIssued(issued map[string][]byte, signer KeyPair, req Request, now time.Time) (Input, error) {
	return Load(first(issued), signer.CertPEM, req, now)
}

// adopted is what to hold of a pair that is good, in place of the one that was stored.
func adopted(have KeyPair, in Input, trusted []byte) Ensured {
	out := Ensured{Data: SecretData(in.Stored, trusted)}
	if len(have.CertPEM) > 0 && !bytes.Equal(have.CertPEM, in.Stored.CertPEM) {
		out.Reason, out.Message = ReasonReissued, "the certificate was issued anew and is valid until "+stamp(in.Cert.NotAfter)
	}
	return out
}

// first is a pair with the first certificate of its chain only. What cannot be read stays for the
// policies to see.
func first(data map[string][]byte) KeyPair {
	pair, _ := FromSecretData(data)
	if cert, err := pair.Certificate(); err == nil {
		pair.CertPEM = pem.EncodeToMemory(&pem.Block{Type: certificateBlock, Bytes: cert.Raw})
	}
	return pair
}

// sameCA reports whether what one CA has signed is signed by the other too.
func sameCA(a, b *x509.Certificate) bool {
	key, ok := a.PublicKey.(*ecdsa.PublicKey)
	return ok && key.Equal(b.PublicKey) && bytes.Equal(a.RawSubject, b.RawSubject)
}
