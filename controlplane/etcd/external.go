package etcd

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/pki"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// external are the steps for an etcd that somebody else runs:
//
//  1. finalizer
//  2. secrets: those that the spec names
//  3. ask: which members answer
//  4. version: refuse members that do not keep tenants apart
//
// and then, whatever became of these:
//
//  5. quorum, and
//  6. authentication, as of our own
//  7. space: alarms
func (r *ClusterReconciler) external() clusterSteps {
	return clusterSteps{
		spec: []reconcile.Step[*clusterScope]{
			{Name: "finalizer", Run: r.ensureFinalizer},
			{Name: "secrets", Run: r.checkSecrets},
			{Name: "ask", Run: r.ask},
			{Name: "version", Run: r.checkVersions},
		},
		serve: []reconcile.Step[*clusterScope]{
			// It says whether tenants may be placed there, and not only whether the spec is
			// good.
			{Name: "version", Run: r.checkVersions},
			{Name: "quorum", Run: r.awaitQuorum},
			{Name: "authentication", Run: r.enableAuthentication},
		},
		care: []reconcile.Step[*clusterScope]{
			{Name: "space", Run: r.checkSpace},
		},
	}
}

// caKey is where the CA lies that signs clients, and rootKey what the administrator
// presents.
func caKey(cluster *v1alpha1.EtcdCluster) types.NamespacedName {
	if e := cluster.Spec.External; e != nil {
		return types.NamespacedName{Namespace: v1alpha1.SystemNamespace, Name: e.ClientCASecretRef.Name}
	}
	return secretKey(cluster.Name, component.EtcdSecretCA)
}

func rootKey(cluster *v1alpha1.EtcdCluster) types.NamespacedName {
	if e := cluster.Spec.External; e != nil {
		return types.NamespacedName{Namespace: v1alpha1.SystemNamespace, Name: e.RootSecretRef.Name}
	}
	return secretKey(cluster.Name, component.EtcdSecretRoot)
}

// signer is the CA that signs clients, with whom they are to trust under pki.CAKey.
// The members of an external etcd may be signed by another.
func signer(cluster *v1alpha1.EtcdCluster, ca, root *corev1.Secret) map[string][]byte {
	if cluster.Spec.External == nil {
		return ca.Data
	}
	pair, _ := pki.FromSecretData(ca.Data)
	_, trusted := pki.FromSecretData(root.Data)
	return pki.SecretData(pair, trusted)
}

// checkSecrets makes sure that the Secrets are there and have what is needed of them.
func (r *ClusterReconciler) checkSecrets(ctx context.Context, s *clusterScope) error {
	s.cluster.Status.Endpoints = s.cluster.Spec.External.Endpoints
	for key, needs := range map[types.NamespacedName][]string{
		caKey(s.cluster):   {pki.CertKey, pki.PrivateKeyKey},
		rootKey(s.cluster): {pki.CertKey, pki.PrivateKeyKey, pki.CAKey},
	} {
		secret, err := readSecret(ctx, r.Client, key)
		if err != nil {
			return err
		}
		if secret == nil {
			return reconcile.UserError("SecretNotFound", "Secret %s does not exist, or has not the label %s=%s: create it, with the keys %v",
				key, v1alpha1.LabelShard, v1alpha1.DefaultShard, needs)
		}
		for _, need := range needs {
			if len(secret.Data[need]) == 0 {
				return reconcile.UserError("SecretIncomplete", "Secret %s has no %s: add it", key, need)
			}
		}
	}
	return nil
}

// ask asks the members, in the place of a host.
func (r *ClusterReconciler) ask(ctx context.Context, s *clusterScope) error {
	admin, err := connect(ctx, r.Client, r.Pool, s.cluster)
	if err != nil {
		return err
	}
	s.survey = &survey{asked: admin.Members(ctx)}
	s.members = component.Status{Replicas: len(s.survey.asked), Message: "it does not answer, or has no leader"}
	for i, m := range s.survey.asked {
		if m.answers() && m.Leader != 0 {
			s.members.ReadyOrdinals = append(s.members.ReadyOrdinals, i)
		}
	}
	s.members.Ready = len(s.members.ReadyOrdinals)
	s.members.Updated = s.members.Replicas
	s.cluster.Status.ReadyMembers = int32(s.members.Ready)
	return nil
}

// checkVersions refuses an etcd that lets a tenant reach beyond its prefix.
func (r *ClusterReconciler) checkVersions(_ context.Context, s *clusterScope) error {
	if s.survey == nil {
		return nil
	}
	for _, m := range s.survey.asked {
		if m.answers() && olderThan(m.Version, oldestVersion) {
			return reconcile.UserError("VersionTooOld", "%s runs etcd %s, which does not keep tenants apart: upgrade it to %s or newer", m.Endpoint, m.Version, oldestVersion)
		}
	}
	return nil
}
