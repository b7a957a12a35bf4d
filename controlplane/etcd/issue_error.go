package etcd

import (
	"errors"
	"fmt"
	"strings"

	certmanager "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	issuermeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/pki"
	"github.com/marina-dev/marina/pkg/reconcile"
)

const (
	reasonCertificateNotReady = "CertificateNotReady"
	reasonCertificateRefused  = "CertificateRefused"
	reasonRenewalFails        = "RenewalFails"
)

// issueError says what is wrong with a Certificate, in cert-manager's words and in ours:
// refusal is why what it has issued is not used, and used is what serves meanwhile, nil for
// nothing.
func issueError(c *certmanager.Certificate, refusal error, used *corev1.Secret) error {
	at := client.ObjectKeyFromObject(c)
	ready := conditionOf(c, certmanager.CertificateConditionReady)
	look := fmt.Sprintf("see 'kubectl -n %s describe certificate %s' and its issuer, the %s %s", at.Namespace, at.Name, c.Spec.IssuerRef.Kind, c.Spec.IssuerRef.Name)
	switch {
	case refusal != nil && (ready.Status != issuermeta.ConditionTrue || ready.ObservedGeneration < c.Generation || passes(refusal)):
		return reconcile.WaitFor(lookAgain, reasonCertificateNotReady, "waiting for cert-manager to issue Certificate %s: %v%s: %s", at, refusal, said(c), look)
	case refusal != nil && used == nil:
		return reconcile.UserError(reasonCertificateRefused, "what cert-manager has issued for Certificate %s cannot be used: %v: put its issuer right, the %s %s, and delete Secret %s/%s to have it issued again",
			at, refusal, c.Spec.IssuerRef.Kind, c.Spec.IssuerRef.Name, at.Namespace, c.Spec.SecretName)
	case refusal != nil && c.Spec.IsCA:
		return reconcile.UserError(reasonCertificateRefused, "what cert-manager has issued for Certificate %s is not used, and the CA stays that tenants trust: %v: put tls.crt and tls.key of Secret %s back into Secret %s/%s",
			at, refusal, client.ObjectKeyFromObject(used), at.Namespace, c.Spec.SecretName)
	case refusal != nil:
		return reconcile.UserError(reasonCertificateRefused, "what cert-manager has issued for Certificate %s is not used, and what was issued before stays: %v: delete Secret %s/%s to have it issued again",
			at, refusal, at.Namespace, c.Spec.SecretName)
	case c.Status.FailedIssuanceAttempts != nil:
		// Ready stays True until the certificate has expired, months later.
		return reconcile.UserError(reasonRenewalFails, "cert-manager cannot renew Certificate %s, which ends at %s%s: %s", at, end(c), said(c), look)
	}
	return nil
}

// passes reports whether a refusal may be over in a moment: cert-manager has not seen yet
// that somebody has deleted a Secret, or has a clock that is ahead of ours.
func passes(refusal error) bool {
	var why *pki.Refusal
	return errors.As(refusal, &why) && (why.Reason == pki.ReasonMissing || why.Reason == pki.ReasonNotYetValid)
}

// said is what cert-manager says of a Certificate that is not ready, or cannot be renewed.
func said(c *certmanager.Certificate) string {
	var words strings.Builder
	for _, kind := range []certmanager.CertificateConditionType{certmanager.CertificateConditionReady, certmanager.CertificateConditionIssuing} {
		if condition := conditionOf(c, kind); condition.Reason != "" && (kind != certmanager.CertificateConditionReady || condition.Status != issuermeta.ConditionTrue) {
			fmt.Fprintf(&words, ": %s: %s", condition.Reason, condition.Message)
		}
	}
	return words.String()
}

func conditionOf(c *certmanager.Certificate, kind certmanager.CertificateConditionType) certmanager.CertificateCondition {
	for _, condition := range c.Status.Conditions {
		if condition.Type == kind {
			return condition
		}
	}
	return certmanager.CertificateCondition{}
}

// end is when a Certificate ends.
func end(c *certmanager.Certificate) string {
	if c.Status.NotAfter == nil {
		return "a time that is not known"
	}
	return c.Status.NotAfter.UTC().Format("2006-01-02T15:04:05Z")
}
