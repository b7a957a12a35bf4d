package join

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"slices"
	"strings"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	bootstrapapi "k8s.io/cluster-bootstrap/token/api"
)

const (
	nodeUserPrefix = "system:node:"
	nodesGroup     = "system:nodes"
)

// Request is what somebody asks to be signed.
type Request struct {
	// Name of the CertificateSigningRequest.
	Name string
	// Signer that is to sign it.
	Signer string
	// User and Groups are who asks, as the API server has authenticated it.
	User   string
	Groups []string
	// Usages that the certificate is to be for.
	Usages []certificatesv1.KeyUsage
	// CSR is the PKCS#10 request: the subject and the names that are asked for.
	CSR *x509.CertificateRequest
}

// ParseRequest reads a CertificateSigningRequest. It returns an error when the PKCS#10
// request in it cannot be read or is not signed by its own key; the other fields are
// set even so.
func ParseRequest(csr *certificatesv1.CertificateSigningRequest) (Request, error) {
	r := Request{
		Name:   csr.Name,
		Signer: csr.Spec.SignerName,
		User:   csr.Spec.Username,
		Groups: csr.Spec.Groups,
		Usages: csr.Spec.Usages,
	}
	block, _ := pem.Decode(csr.Spec.Request)
	if block == nil || block.Type != "CERTIFICATE REQUEST" {
		return r, errors.New("spec.request is not a PEM block of type CERTIFICATE REQUEST")
	}
	parsed, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return r, err
	}
	if err := parsed.CheckSignature(); err != nil {
		return r, err
	}
	r.CSR = parsed
	return r, nil
}

// ours tells whether the signer is one whose requests this package answers.
func (r Request) ours() bool {
	return r.Signer == certificatesv1.KubeAPIServerClientKubeletSignerName || r.Signer == certificatesv1.KubeletServingSignerName
}

// node is the name of the node that the certificate would be for; it returns false when
// the common name is none of a node.
func (r Request) node() (string, bool) {
	name, ok := strings.CutPrefix(r.CSR.Subject.CommonName, nodeUserPrefix)
	return name, ok && len(validation.IsDNS1123Subdomain(name)) == 0
}

// token is the identifier of the bootstrap token that asks, if one does.
func (r Request) token() (string, bool) {
	return strings.CutPrefix(r.User, bootstrapapi.BootstrapUserPrefix)
}

// byNode tells whether a node asks.
func (r Request) byNode() bool {
	return strings.HasPrefix(r.User, nodeUserPrefix) && slices.Contains(r.Groups, nodesGroup)
}

// key tells machines apart: each has its own private key.
func (r Request) key() [sha256.Size]byte { return sha256.Sum256(r.CSR.RawSubjectPublicKeyInfo) }

// settled tells whether there is nothing left to decide.
func settled(csr *certificatesv1.CertificateSigningRequest) bool {
	if len(csr.Status.Certificate) > 0 {
		return true
	}
	for _, c := range csr.Status.Conditions {
		switch c.Type {
		case certificatesv1.CertificateApproved, certificatesv1.CertificateDenied, certificatesv1.CertificateFailed:
			return true
		}
	}
	return false
}
