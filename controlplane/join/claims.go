package join

import (
	"crypto/sha256"
	"maps"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
)

const (
	// claimTime is for how long a node name counts as given away after a certificate for
	// it was approved. A kubelet registers its Node within seconds; from then on the
	// Node speaks for itself. It is short, because a machine that is set up again comes
	// with another key and would have to wait.
	claimTime = 5 * time.Minute
	// maxClaims bounds what one tenant can make us remember.
	maxClaims = 1000
)

// claims are the node names that tokens have just got certificates for. Between the
// certificate and the Node nothing else tells two machines of the same name apart,
// which is what cloned machines have.
type claims map[string]claim

type claim struct {
	csr   string
	key   [sha256.Size]byte
	until time.Time
}

// note remembers the name that an approved request of a token is for.
func (c claims) note(csr *certificatesv1.CertificateSigningRequest, now time.Time) {
	at, approved := approvedAt(csr)
	until := at.Add(claimTime)
	if !approved || until.Before(now) || csr.Spec.SignerName != certificatesv1.KubeAPIServerClientKubeletSignerName {
		return
	}
	r, err := ParseRequest(csr)
	if err != nil {
		return
	}
	name, isNode := r.node()
	if _, byToken := r.token(); !byToken || !isNode {
		return
	}
	if len(c) >= maxClaims {
		maps.DeleteFunc(c, func(_ string, old claim) bool { return old.until.Before(now) })
	}
	if len(c) < maxClaims {
		c[name] = claim{csr: csr.Name, key: r.key(), until: until}
	}
}

// against is the name of the request by which another machine has got the name.
func (c claims) against(r Request, now time.Time) string {
	name, _ := r.node()
	claim, exists := c[name]
	if !exists || claim.key == r.key() || claim.until.Before(now) {
		return ""
	}
	return claim.csr
}

// drop frees the name that a request had claimed: somebody has deleted it.
func (c claims) drop(csr string) {
	maps.DeleteFunc(c, func(_ string, old claim) bool { return old.csr == csr })
}

// approvedAt is when a request was approved, whoever did it.
func approvedAt(csr *certificatesv1.CertificateSigningRequest) (at time.Time, approved bool) {
	for _, c := range csr.Status.Conditions {
		if c.Type == certificatesv1.CertificateApproved {
			return c.LastUpdateTime.Time, true
		}
	}
	return time.Time{}, false
}
