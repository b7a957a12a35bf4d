package cluster

import (
	"cmp"
	"context"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/operation"
)

// recordRenewal records certificates that were renewed because they fell due. What an
// Operation has replaced is told by that one.
func (r *Reconciler) recordRenewal(ctx context.Context, s *scope) error {
	at := renewedAt(s.hcp)
	if at == nil || at.Equal(s.cluster.Status.CertificatesRenewedAt) {
		return nil
	}
	now := s.situation(r.Now())
	record := &operation.Wish{Kind: v1alpha1.OperationRenewCertificates, Generation: at.Unix()}
	recorded := func(op *v1alpha1.Operation) bool {
		return replaced(op, at) || op.Name == now.Subject().OperationName(record, 0)
	}
	if !slices.ContainsFunc(s.operations, recorded) {
		op := operation.New(now.Subject(), record, s.operations)
		if err := r.book().Record(ctx, s.cluster, op, now.renewed(), *at); err != nil {
			return err
		}
	}
	s.cluster.Status.CertificatesRenewedAt = at
	return nil
}

// renewedAt is when certificates of a control plane were last replaced, nil for never.
func renewedAt(hcp *v1alpha1.HostedControlPlane) *metav1.Time {
	if hcp == nil || hcp.Status.Certificates == nil {
		return nil
	}
	return hcp.Status.Certificates.RenewedAt
}

// renewed tells which certificates were last replaced, and why.
func (s situation) renewed() string {
	if renewedAt(s.hcp) == nil {
		return "certificates were renewed"
	}
	return cmp.Or(s.hcp.Status.Certificates.Renewed, "certificates were renewed")
}

// replaced reports whether an Operation ran when certificates were replaced.
func replaced(op *v1alpha1.Operation, at *metav1.Time) bool {
	began, ended := op.Status.StartedAt, op.Status.FinishedAt
	return began != nil && !at.Before(began) && (ended == nil || !ended.Before(at))
}
