package etcd

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/pkg/pki"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// authority is a CA of an EtcdCluster with what it signs.
type authority struct {
	// what names the Secret, and leaves those of the pairs that it signs.
	what   string
	leaves map[string]pki.Request
}

// authorities are the two CAs of an EtcdCluster. They are two so that no client's
// certificate can ever make its holder a member.
func authorities(cluster string, addresses component.Addresses) []authority {
	name := component.EtcdName(cluster)
	server := pki.Request{CommonName: name, Usage: pki.ServerAuth}
	server.DNSNames, server.IPs = pki.SplitHosts(hosts(addresses, component.EtcdPortClient))
	peer := pki.Request{CommonName: name, Usage: pki.ServerAuth | pki.ClientAuth}
	peer.DNSNames, peer.IPs = pki.SplitHosts(hosts(addresses, component.EtcdPortPeer))
	return []authority{
		{what: component.EtcdSecretCA, leaves: map[string]pki.Request{
			component.EtcdSecretServer: server,
			component.EtcdSecretRoot:   {CommonName: rootUser, Usage: pki.ClientAuth},
		}},
		{what: component.EtcdSecretPeerCA, leaves: map[string]pki.Request{
			component.EtcdSecretPeer: peer,
		}},
	}
}

// hosts are the names and addresses of a port of the members, each once.
func hosts(addresses component.Addresses, port string) []string {
	var all []string
	for _, member := range addresses.Replicas {
		all = append(all, member[port].Host)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// ensureCertificates makes what is missing and renews what falls due. Pairs are
// replaced in place and read by etcd at the next handshake. What one CA cannot sign
// does not hold up the other's.
func (r *ClusterReconciler) ensureCertificates(ctx context.Context, s *clusterScope) error {
	if s.cluster.Spec.Certificates != nil {
		return r.ensureIssued(ctx, s)
	}
	var errs []error
	for _, a := range authorities(s.cluster.Name, s.addresses) {
		errs = append(errs, r.ensureSigned(ctx, s, a))
	}
	return errors.Join(errs...)
}

// ensureSigned makes a CA and what it signs.
func (r *ClusterReconciler) ensureSigned(ctx context.Context, s *clusterScope, a authority) error {
	stored := map[string]*corev1.Secret{}
	for leaf := range a.leaves {
		secret, err := readSecret(ctx, r.Client, secretKey(s.cluster.Name, leaf))
		if err != nil {
			return err
		}
		if secret != nil {
			stored[leaf] = secret
		}
	}
	ca, err := r.ensureCA(ctx, s.cluster.Name, a.what, len(stored) > 0)
	if err != nil {
		return err
	}
	s.caHash[a.what] = hash(ca[pki.CAKey])
	for name, request := range a.leaves {
		cert, err := pki.EnsureSecretData(dataOf(stored[name]), ca, request, r.now())
		if errors.Is(err, pki.ErrCA) {
			return caError(err, secretKey(s.cluster.Name, a.what))
		}
		if err != nil {
			return fmt.Errorf("certificate %s: %w", name, err)
		}
		want := clusterSecret(s.cluster.Name, name, cert.Data)
		if err := writeSecret(ctx, r.Client, want, stored[name]); err != nil {
			return err
		}
		s.renewAt = earlier(s.renewAt, cert.RenewAt)
		reportRenewal(r.events, s.cluster, want, cert)
	}
	return nil
}

// reportRenewal tells of a certificate that was replaced, with the reason, once it has
// been written. The Secret is part of the Event, because Events are merged that
// differ only in their words.
func reportRenewal(to events.EventRecorder, about runtime.Object, secret *corev1.Secret, cert pki.Ensured) {
	if cert.Reason == "" {
		return
	}
	related := &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{Namespace: secret.Namespace, Name: secret.Name},
	}
	to.Eventf(about, related, corev1.EventTypeNormal, "CertificateRenewed", "Renew", "%s: %s: %s", secret.Name, cert.Reason, cert.Message)
}

// ensureCA returns the data of a CA's Secret. It is made only for a new
// EtcdCluster: when something that it signed exists, it has been lost, and another
// one would lock out every tenant.
func (r *ClusterReconciler) ensureCA(ctx context.Context, cluster, what string, used bool) (map[string][]byte, error) {
	key := secretKey(cluster, what)
	stored, err := readSecret(ctx, r.Client, key)
	switch {
	case err != nil:
		return nil, err
	case stored != nil:
		return stored.Data, nil
	case used:
		return nil, reconcile.UserError("CALost", "Secret %s is gone and cannot be made again, as certificates that it signed are in use: restore it from a backup", key)
	}
	ca, err := pki.NewCA(key.Name, r.now(), pki.CAValidity)
	if err != nil {
		return nil, err
	}
	secret := clusterSecret(cluster, what, pki.SecretData(ca, ca.CertPEM))
	created, err := reconcile.CreateIfAbsent(ctx, r.Client, secret)
	if err == nil && !created {
		// The cache has not heard of it yet, or never will without its labels.
		err = reconcile.Retry(nil, "SecretNotSeen", "Secret %s exists but cannot be seen: it needs the labels %v", key, secret.Labels)
	}
	return secret.Data, err
}

// clusterSecret is a Secret of an EtcdCluster. It has no owner: a deletion in the
// foreground would take it away while the members still need it.
func clusterSecret(cluster, what string, data map[string][]byte) *corev1.Secret {
	key := secretKey(cluster, what)
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name, Labels: clusterLabels(cluster)},
		Type:       corev1.SecretTypeTLS,
		Data:       data,
	}
}

// hash of what makes members restart when it changes.
func hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}
