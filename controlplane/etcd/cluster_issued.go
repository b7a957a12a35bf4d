package etcd

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/marina-dev/marina/pkg/pki"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// ensureIssued has cert-manager make and renew the certificates, and takes over what it
// has issued. Whatever is wrong with it, members go on with what they have: only what has
// never been there holds up the steps that follow. The rest is told by the condition
// CertificatesValid.
func (r *ClusterReconciler) ensureIssued(ctx context.Context, s *clusterScope) error {
	all := authorities(s.cluster.Name, s.addresses)
	have, err := r.readIssuance(ctx, s.cluster.Name)
	if err := s.tellOf(err); err != nil {
		return err
	}
	if err == nil {
		for _, a := range all {
			if err := s.tellOf(r.ensureIssuedBy(ctx, s, a, have)); err != nil {
				return err
			}
		}
	}
	s.asked = true
	for _, a := range all {
		for _, what := range append(slices.Sorted(maps.Keys(a.leaves)), a.what) {
			if have.secrets[secretKey(s.cluster.Name, what).Name] == nil {
				return s.issueErr
			}
		}
		s.caHash[a.what] = hash(have.secrets[secretKey(s.cluster.Name, a.what).Name].Data[pki.CAKey])
	}
	return nil
}

// tellOf keeps what is to be told by the condition, the first of it, and returns what may
// pass by itself.
func (s *clusterScope) tellOf(err error) error {
	if e := reconcile.As(err); e == nil || e.Kind == reconcile.KindRetry {
		return err
	}
	if s.issueErr == nil {
		s.issueErr = err
	}
	return nil
}

// ensureIssuedBy does so for a CA, and for what it signs once it is there.
func (r *ClusterReconciler) ensureIssuedBy(ctx context.Context, s *clusterScope, a authority, have issuance) error {
	name := s.cluster.Name
	if err := r.keepCertificate(ctx, caCertificate(name, a.what, s.cluster.Spec.Certificates.IssuerRef), have); err != nil {
		return err
	}
	err := r.adopt(ctx, s, a.what, have, func(stored, issued map[string][]byte) (pki.Ensured, error) {
		return r.adoptCA(s, a, have, stored, issued)
	})
	if err := s.tellOf(err); err != nil {
		return err
	}
	ca := have.secrets[secretKey(name, a.what).Name]
	if ca == nil {
		return nil
	}
	if err := r.keepIssuer(ctx, caIssuer(name, a.what), have); err != nil {
		return err
	}
	for _, what := range slices.Sorted(maps.Keys(a.leaves)) {
		request := a.leaves[what]
		if err := r.keepCertificate(ctx, leafCertificate(name, what, a.what, request), have); err != nil {
			return err
		}
		err := r.adopt(ctx, s, what, have, func(stored, issued map[string][]byte) (pki.Ensured, error) {
			return pki.AdoptSecretData(stored, issued, ca.Data, request, r.now())
		})
		if err := s.tellOf(err); err != nil {
			return err
		}
	}
	return nil
}

// adoptCA takes over a CA, unless what members present would not be taken any more by
// whoever trusts it: tenants present what it has signed as well.
func (r *ClusterReconciler) adoptCA(s *clusterScope, a authority, have issuance, stored, issued map[string][]byte) (pki.Ensured, error) {
	out, err := pki.AdoptCA(stored, issued, r.now())
	if err != nil {
		return out, err
	}
	for _, what := range slices.Sorted(maps.Keys(a.leaves)) {
		leaf := have.secrets[secretKey(s.cluster.Name, what).Name]
		if leaf == nil {
			continue
		}
		if err := pki.SignedBy(leaf.Data, out.Data, a.leaves[what], r.now()); err != nil {
			return pki.Ensured{Data: stored}, err
		}
	}
	return out, nil
}

// adopt decides what a Secret should hold, writes it if it differs, and says what is wrong
// with what cert-manager has issued.
func (r *ClusterReconciler) adopt(ctx context.Context, s *clusterScope, what string, have issuance, decide func(stored, issued map[string][]byte) (pki.Ensured, error)) error {
	key := secretKey(s.cluster.Name, what)
	stored := have.secrets[key.Name]
	out, refusal := decide(dataOf(stored), dataOf(have.secrets[issuedKey(s.cluster.Name, what).Name]))
	if len(out.Data) > 0 {
		want := clusterSecret(s.cluster.Name, what, out.Data)
		if err := writeSecret(ctx, r.Client, want, stored); err != nil {
			return err
		}
		have.secrets[key.Name] = want
		reportRenewal(r.events, s.cluster, want, out)
	}
	if errors.Is(refusal, pki.ErrCA) {
		return caError(refusal, key)
	}
	return issueError(have.certificates[key.Name], refusal, stored)
}
