package access

import (
	"errors"
	"fmt"
	"time"

	"github.com/marina-dev/marina/pkg/pki"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// Issue makes a client certificate for a request. notAfter is when it ends: after the
// time asked for, or with the CA if that ends first.
//
// A request that is refused is a reconcile.UserError; so is a CA that cannot sign, with
// pki.ErrCA in its chain.
func Issue(ca pki.KeyPair, req Request, now time.Time) (pair pki.KeyPair, notAfter time.Time, err error) {
	if err := req.Validate(); err != nil {
		return pki.KeyPair{}, time.Time{}, err
	}
	req = req.withDefaults()
	pair, err = ca.Issue(pki.Request{CommonName: req.User, Organization: req.Groups, Usage: pki.ClientAuth, Validity: req.TTL}, now)
	if errors.Is(err, pki.ErrCA) {
		return pki.KeyPair{}, time.Time{}, &reconcile.Error{Kind: reconcile.KindUser, Reason: "CAUnusable",
			Message: "the cluster's CA cannot sign: ask the platform team to restore or rotate it", Err: err}
	}
	if err != nil {
		return pki.KeyPair{}, time.Time{}, err
	}
	cert, err := pair.Certificate()
	if err != nil {
		return pki.KeyPair{}, time.Time{}, fmt.Errorf("reading the certificate just made: %w", err)
	}
	return pair, cert.NotAfter.UTC(), nil
}
