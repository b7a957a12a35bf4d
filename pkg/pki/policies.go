package pki

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

// Reasons that the policies give.
const (
	ReasonMissing          = "Missing"
	ReasonNotDecodable     = "NotDecodable"
	ReasonKeyMismatch      = "KeyMismatch"
	ReasonOtherCA          = "OtherCA"
	ReasonOtherSubject     = "OtherSubject"
	ReasonSANsMissing      = "SANsMissing"
	ReasonOtherUsages      = "OtherUsages"
	ReasonNotYetValid      = "NotYetValid"
	ReasonExpiresSoon      = "ExpiresSoon"
	ReasonExpired          = "Expired"
	ReasonRenewalRequested = "RenewalRequested"
	ReasonReissued         = "Reissued"
	ReasonNotACA           = "NotACA"
	ReasonNotVerified      = "NotVerified"
)

// Missing is violated when the certificate or the key is not there.
func Missing(in Input) (reason, message string, violated bool) {
	switch {
	case len(in.Stored.CertPEM) == 0:
		return ReasonMissing, "there is no certificate", true
	case len(in.Stored.KeyPEM) == 0:
		return ReasonMissing, "there is no private key", true
	}
	return "", "", false
}

// NotDecodable is violated when the certificate or the key cannot be read, or the key is not ECDSA
// P-256.
func NotDecodable(in Input) (reason, message string, violated bool) {
	switch {
	case in.Cert == nil:
		return ReasonNotDecodable, "the certificate cannot be decoded", true
	case in.Key == nil:
		return ReasonNotDecodable, "the private key cannot be decoded as ECDSA P-256", true
	}
	return "", "", false
}

// KeyMismatch is violated when the private key is not the certificate's.
func KeyMismatch(in Input) (reason, message string, violated bool) {
	if in.Cert == nil || in.Key == nil || in.Key.PublicKey.Equal(in.Cert.PublicKey) {
		return "", "", false
	}
	return ReasonKeyMismatch, "the private key is not the certificate's", true
}

// OtherCA is violated when the certificate is not signed by the CA that would sign now. The names are
// compared as well as the signature: TLS finds the issuer by its name.
func OtherCA(in Input) (reason, message string, violated bool) {
	if in.Cert == nil {
		return "", "", false
	}
	if bytes.Equal(in.Cert.RawIssuer, in.CA.RawSubject) && in.Cert.CheckSignatureFrom(in.CA) == nil {
		return "", "", false
	}
	return ReasonOtherCA, fmt.Sprintf("the certificate is signed by %q, key %x, and not by the current CA %q, key %x",
		in.Cert.Issuer.CommonName, in.Cert.AuthorityKeyId, in.CA.Subject.CommonName, in.CA.SubjectKeyId), true
}

// OtherSubject is violated when the certificate names another user or other groups. The groups are
// compared as a set: DER sorts them, so the order of the request is lost.
func OtherSubject(in Input) (reason, message string, violated bool) {
	if in.Cert == nil {
		return "", "", false
	}
	got, want := in.Cert.Subject, in.Request
	if got.CommonName != want.CommonName {
		return ReasonOtherSubject, fmt.Sprintf("the certificate names %q, wanted is %q", got.CommonName, want.CommonName), true
	}
	if gotOrg, wantOrg := set(got.Organization), set(want.Organization); !slices.Equal(gotOrg, wantOrg) {
		return ReasonOtherSubject, fmt.Sprintf("the certificate names the organizations %q, wanted are %q", gotOrg, wantOrg), true
	}
	return "", "", false
}

// SANsMissing is violated when a wanted name or address is not in the certificate. One too many is no
// reason: it does no harm until the next renewal drops it, and issuing again would.
func SANsMissing(in Input) (reason, message string, violated bool) {
	if in.Cert == nil {
		return "", "", false
	}
	var missing []string
	for _, name := range in.Request.dnsNames() {
		if !slices.Contains(in.Cert.DNSNames, name) {
			missing = append(missing, name)
		}
	}
	for _, ip := range in.Request.netIPs() {
		if !slices.ContainsFunc(in.Cert.IPAddresses, func(have net.IP) bool { return have.Equal(ip) }) {
			missing = append(missing, ip.String())
		}
	}
	if len(missing) == 0 {
		return "", "", false
	}
	return ReasonSANsMissing, "the certificate lacks " + strings.Join(missing, ", "), true
}

// OtherUsages is violated when the certificate may be used for more or for less than is wanted. More
// counts too: a server certificate that is also a client's is an identity nobody asked for.
func OtherUsages(in Input) (reason, message string, violated bool) {
	if in.Cert == nil {
		return "", "", false
	}
	got, want := set(in.Cert.ExtKeyUsage), set(in.Request.extKeyUsage())
	if slices.Equal(got, want) && len(in.Cert.UnknownExtKeyUsage) == 0 {
		return "", "", false
	}
	return ReasonOtherUsages, fmt.Sprintf("the certificate is for %v, wanted is %v", got, want), true
}

// NotYetValid is violated when the certificate's time has not begun: it was issued by a machine whose
// clock is ahead by more than ClockSkew.
func NotYetValid(in Input) (reason, message string, violated bool) {
	if in.Cert == nil || !in.Now.Before(in.Cert.NotBefore) {
		return "", "", false
	}
	return ReasonNotYetValid, fmt.Sprintf("the certificate is valid from %s only, now it is %s",
		stamp(in.Cert.NotBefore), stamp(in.Now)), true
}

// ExpiresSoon is violated from RenewAt on. Once the certificate has expired the reason is
// ReasonExpired.
func ExpiresSoon(in Input) (reason, message string, violated bool) {
	if in.Cert == nil || in.Now.Before(RenewAt(in.Cert)) {
		return "", "", false
	}
	if in.Now.After(in.Cert.NotAfter) {
		return ReasonExpired, "the certificate expired at " + stamp(in.Cert.NotAfter), true
	}
	return ReasonExpiresSoon, fmt.Sprintf("the certificate expires at %s, its renewal is due since %s",
		stamp(in.Cert.NotAfter), stamp(RenewAt(in.Cert))), true
}

// HasExpired is violated when the certificate's time is over.
func HasExpired(in Input) (reason, message string, violated bool) {
	if in.Cert == nil || !in.Now.After(in.Cert.NotAfter) {
		return "", "", false
	}
	return ReasonExpired, "the certificate expired at " + stamp(in.Cert.NotAfter), true
}

// NotACA is violated when the certificate may not sign others.
func NotACA(in Input) (reason, message string, violated bool) {
	if in.Cert == nil || in.Cert.IsCA && (in.Cert.KeyUsage == 0 || in.Cert.KeyUsage&x509.KeyUsageCertSign != 0) {
		return "", "", false
	}
	return ReasonNotACA, "the certificate may not sign others", true
}

// NotVerified is violated when who trusts the CA, and nobody else, would not take the certificate for
// one of the usages that are wanted: the CA has expired, or may not sign such a one.
func NotVerified(in Input) (reason, message string, violated bool) {
	if in.Cert == nil {
		return "", "", false
	}
	roots := x509.NewCertPool()
	roots.AddCert(in.CA)
	for _, usage := range in.Request.extKeyUsage() {
		options := x509.VerifyOptions{Roots: roots, CurrentTime: in.Now, KeyUsages: []x509.ExtKeyUsage{usage}}
		if _, err := in.Cert.Verify(options); err != nil {
			return ReasonNotVerified, fmt.Sprintf("who trusts the CA %q does not take it: %v", in.CA.Subject.CommonName, err), true
		}
	}
	return "", "", false
}

// RenewalRequested is violated when the certificate was issued before the time that is asked for. A time
// that is still to come, as after a clock was set back, is waited for: a certificate issued now would
// not be good enough either, and be replaced on every pass.
func RenewalRequested(in Input) (reason, message string, violated bool) {
	since := in.Request.IssuedSince.Truncate(time.Second)
	if in.Cert == nil || since.IsZero() || in.Now.Before(since) || !IssuedAt(in.Cert).Before(since) {
		return "", "", false
	}
	return ReasonRenewalRequested, fmt.Sprintf("the certificate was issued at %s, asked for is one issued at %s or later",
		stamp(IssuedAt(in.Cert)), stamp(since)), true
}
