package hosted

import (
	"crypto/x509"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/pki"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// etcdClientLate is when to look again whether the certificate for etcd, which is
// its controller's to renew, has been renewed: nobody tells.
const etcdClientLate = time.Minute

// reportRenewals tells of certificates that were replaced, with the reason, once
// they have been written.
func (r *Reconciler) reportRenewals(hcp *v1alpha1.HostedControlPlane, leaves map[string]pki.Ensured, written []string, now time.Time) {
	var renewed []string
	for _, name := range written {
		leaf := leaves[name]
		if leaf.Reason == "" {
			continue
		}
		renewed = append(renewed, fmt.Sprintf("%s: %s: %s", name, leaf.Reason, leaf.Message))
		// The Secret is part of the Event, because Events are merged that differ only in
		// their words.
		secret := &corev1.Secret{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}, ObjectMeta: metav1.ObjectMeta{Namespace: hcp.Namespace, Name: name}}
		r.events.Eventf(hcp, secret, corev1.EventTypeNormal, "CertificateRenewed", "Renew", "%s", renewed[len(renewed)-1])
	}
	if len(renewed) == 0 {
		return
	}
	status := certificatesStatus(hcp)
	status.RenewedAt = stamp(now)
	status.Renewed = strings.Join(renewed, "; ")
}

// reportCertificates sums up the certificates after all that a CA of the control
// plane signs have been found good or been issued, and looks again when the first
// falls due. etcdClient is the Secret for etcd, nil while there is none.
func (s *scope) reportCertificates(roots secrets, leaves map[string]pki.Ensured, etcdClient map[string][]byte, now time.Time) {
	s.lookAgain(leaves, now)
	var certs []*x509.Certificate
	// Who asks for new ones does not mean this one, see konnectivityRequest.
	konnectivity := certificateIn(leaves[v1alpha1.SecretKonnectivityServer].Data)
	for _, leaf := range leaves {
		certs = append(certs, certificateIn(leaf.Data))
	}
	etcd := certificateIn(etcdClient)
	if etcd != nil {
		certs = append(certs, etcd)
	}
	asked := askedSince(s.hcp)
	satisfied, renewAt := etcd != nil, time.Time{}
	for _, cert := range certs {
		satisfied = satisfied && (cert.Equal(konnectivity) || !pki.IssuedAt(cert).Before(asked))
		if at := pki.RenewAt(cert); renewAt.IsZero() || at.Before(renewAt) {
			renewAt = at
		}
	}

	status := certificatesStatus(s.hcp)
	status.RenewAt = stamp(renewAt)
	switch {
	case asked.IsZero():
		status.NotBefore = nil
	case satisfied:
		status.NotBefore = s.hcp.Spec.CertificatesNotBefore.DeepCopy()
	case s.etcd.Status.ObservedGeneration == s.etcd.Generation && !now.Before(asked):
		// Its controller has done it, and the cache is behind.
		s.again = reconcile.Earliest(s.again, time.Second)
	}
	if etcd != nil {
		if due := pki.RenewAt(etcd).Sub(now); due > 0 {
			s.again = reconcile.Earliest(s.again, due)
		} else {
			s.again = reconcile.Earliest(s.again, etcdClientLate)
		}
	}

	done := fmt.Sprintf("all %d certificates are valid; the next is renewed by %s", len(certs), rfc3339(renewAt))
	var invalid error
	for _, name := range []string{v1alpha1.SecretCA, v1alpha1.SecretFrontProxyCA} {
		ca := certificateIn(roots[name])
		due := pki.RenewAt(ca)
		switch {
		case now.Before(ca.NotBefore):
			invalid = reconcile.UserError("CANotYetValid", "Secret %s/%s: the CA is valid from %s only, now it is %s: set the clock right",
				s.hcp.Namespace, name, rfc3339(ca.NotBefore), rfc3339(now))
		case now.Before(due):
			s.again = reconcile.Earliest(s.again, max(due.Sub(now), time.Second))
		default:
			done += fmt.Sprintf("; the CA in Secret %s expires at %s and needs rotation, no certificate outlives it", name, rfc3339(ca.NotAfter))
		}
	}
	if invalid == nil && etcd != nil && now.After(etcd.NotAfter) {
		invalid = reconcile.UserError("EtcdClientExpired", "Secret %s/%s: the certificate expired at %s: the conditions of the EtcdTenant tell why it was not renewed",
			s.hcp.Namespace, v1alpha1.SecretEtcdClient, rfc3339(etcd.NotAfter))
	}
	reconcile.SetCondition(&s.hcp.Status.Conditions, v1alpha1.ConditionCertificatesValid, s.hcp.Generation, invalid, done)
}

// certificatesFailed tells why a certificate cannot be issued, if that is for a
// person to change. What may pass by itself is tried again, months before it matters.
func (s *scope) certificatesFailed(err error) {
	if userError(err) != nil {
		reconcile.SetCondition(&s.hcp.Status.Conditions, v1alpha1.ConditionCertificatesValid, s.hcp.Generation, err, "")
	}
}

// lookAgain looks again when the first certificate falls due.
func (s *scope) lookAgain(leaves map[string]pki.Ensured, now time.Time) {
	for _, leaf := range leaves {
		s.again = reconcile.Earliest(s.again, max(leaf.RenewAt.Sub(now), time.Second))
	}
}

// certificatesStatus is the part of the status that is about certificates.
func certificatesStatus(hcp *v1alpha1.HostedControlPlane) *v1alpha1.CertificatesStatus {
	if hcp.Status.Certificates == nil {
		hcp.Status.Certificates = &v1alpha1.CertificatesStatus{}
	}
	return hcp.Status.Certificates
}

// certificateIn is the certificate in a Secret, nil if there is none that can be read.
func certificateIn(data map[string][]byte) *x509.Certificate {
	pair, _ := pki.FromSecretData(data)
	cert, err := pair.Certificate()
	if err != nil {
		return nil
	}
	return cert
}

// stamp is a time as the API keeps it: to the second.
func stamp(at time.Time) *metav1.Time { return new(metav1.NewTime(at).Rfc3339Copy()) }

func rfc3339(at time.Time) string { return at.UTC().Format(time.RFC3339) }
