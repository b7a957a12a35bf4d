package pki

import (
	"crypto/ecdsa"
	"crypto/x509"
	"time"
)

// Input is what a Policy looks at: a stored pair and what is wanted in its place. Load makes it, so
// that each part is parsed once however many policies there are.
type Input struct {
	// Stored is the pair as it was found.
	Stored KeyPair
	// Cert and Key are Stored's parts. Each is nil when it is missing or cannot be decoded.
	Cert *x509.Certificate
	Key  *ecdsa.PrivateKey
	// CA is the certificate that would sign now.
	CA *x509.Certificate
	// Request is what the certificate is wanted for.
	Request Request
	Now     time.Time
}

// Policy is one reason for replacing a certificate. The reason is a CamelCase word for conditions and
// events, the message a sentence for people, without secrets. A policy that cannot judge, because what
// it looks at is nil, is not violated: NotDecodable has the say then.
type Policy func(Input) (reason, message string, violated bool)

// Load prepares the decision whether the stored pair still serves. A pair that is missing or spoilt is
// no error but a reason for renewal. Errors mean that issuing again is impossible too: a *RequestError,
// or one with ErrCA in its chain.
//
// The first certificate in caPEM is the CA that signs; others, which the holder merely trusts while a
// CA is rotated, are passed over. Whether the stored ca.crt is still the wanted one is for the caller
// to compare: updating it needs no new certificate.
func Load(stored KeyPair, caPEM []byte, req Request, now time.Time) (Input, error) {
	if err := req.Validate(); err != nil {
		return Input{}, err
	}
	ca, err := parseCA(caPEM)
	if err != nil {
		return Input{}, err
	}
	in := parseInput(stored)
	in.CA, in.Request, in.Now = ca, req, now
	return in, nil
}

// parseInput parses a pair.
func parseInput(stored KeyPair) Input {
	in := Input{Stored: stored}
	if cert, err := stored.Certificate(); err == nil {
		in.Cert = cert
	}
	if key, err := stored.PrivateKey(); err == nil {
		in.Key = key
	}
	return in
}

// Evaluate asks the policies in turn. The first that is violated says why the pair must be issued
// again; when none is, the pair stays.
func Evaluate(chain []Policy, in Input) (reason, message string, violated bool) {
	for _, policy := range chain {
		if reason, message, violated = policy(in); violated {
			return reason, message, true
		}
	}
	return "", "", false
}

// usePolicies say what makes a certificate useless whenever it was issued.
func usePolicies() []Policy {
	return []Policy{
		Missing,
		NotDecodable,
		KeyMismatch,
		OtherCA,
		OtherSubject,
		SANsMissing,
		OtherUsages,
		NotYetValid,
	}
}

// LeafPolicies is the chain for certificates that a CA of ours issues. It goes from "there is nothing"
// by "it is another one" to "its time has come" and "somebody wants it", so that the reason given is the
// root of the matter.
func LeafPolicies() []Policy {
	return append(usePolicies(), ExpiresSoon, RenewalRequested)
}

// AdoptionPolicies is the chain for certificates that somebody else issues in the name of a CA of ours.
// When to renew them is theirs to say, so that only what makes one useless is a reason against it.
func AdoptionPolicies() []Policy {
	return append(usePolicies(), HasExpired, NotVerified)
}

// RenewAt is when a certificate falls due: when a third of its life is left. Looking again at that
// moment finds ExpiresSoon violated. A third leaves months to notice a renewal that fails, where a
// fixed number of days would be too many for a short-lived certificate.
//
// Its life is counted from IssuedAt. Counted from NotBefore, a certificate whose CA ends within minutes
// would be due as soon as it is issued, again and again.
func RenewAt(cert *x509.Certificate) time.Time {
	life := max(0, cert.NotAfter.Sub(IssuedAt(cert)))
	return cert.NotAfter.Add(-life / 3)
}

// IssuedAt is when a certificate of ours was issued, to the second: ClockSkew after NotBefore.
func IssuedAt(cert *x509.Certificate) time.Time { return cert.NotBefore.Add(ClockSkew) }
