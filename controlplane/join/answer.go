package join

import (
	"context"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// open tells whether a request waits for an answer of ours.
func open(csr *certificatesv1.CertificateSigningRequest) bool {
	return !settled(csr) && (Request{Signer: csr.Spec.SignerName}).ours()
}

// handle decides about one request and answers it, or notes it for later.
func (s *session) handle(ctx context.Context, csr *certificatesv1.CertificateSigningRequest) {
	s.claims.note(csr, time.Now())
	if !open(csr) {
		s.pending.remove(csr.Name)
		return
	}
	log := s.Log.WithValues("csr", csr.Name, "user", csr.Spec.Username)
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()

	decision, reason, message, err := s.decide(ctx, csr)
	if err == nil && (decision == Approve || decision == Deny) {
		err = s.answer(ctx, csr, decision, reason, message)
	}
	switch {
	case apierrors.IsNotFound(err):
		s.pending.remove(csr.Name)
	case err != nil:
		log.Info("could not answer a certificate signing request, trying again", "error", err.Error())
		s.pending.postpone(csr.Name, time.Now())
	case decision == Wait:
		log.V(1).Info("a certificate signing request waits", "reason", reason, "message", message)
		s.pending.postpone(csr.Name, time.Now())
	default:
		log.Info("answered a certificate signing request", "decision", decision.String(), "reason", reason, "message", message)
		s.pending.remove(csr.Name)
	}
}

// answer writes the decision. It is refused when the request has changed since it was
// read, for instance because a person has been faster.
func (s *session) answer(ctx context.Context, csr *certificatesv1.CertificateSigningRequest, d Decision, reason, message string) error {
	condition := certificatesv1.CertificateSigningRequestCondition{
		Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue,
		Reason: reason, Message: message, LastUpdateTime: metav1.Now(),
	}
	if d == Deny {
		condition.Type = certificatesv1.CertificateDenied
	}
	answered := csr.DeepCopy()
	answered.Status.Conditions = append(answered.Status.Conditions, condition)
	_, err := s.Client.CertificatesV1().CertificateSigningRequests().UpdateApproval(ctx, csr.Name, answered, metav1.UpdateOptions{FieldManager: v1alpha1.FieldOwner})
	if err == nil {
		// Now, and not with the event: the next request may be handled before that comes.
		s.claims.note(answered, time.Now())
	}
	return err
}
