package etcd

import (
	"context"
	"errors"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/pki"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// ensureFinalizer comes first: nothing is made in etcd for an object that could
// vanish.
func (r *TenantReconciler) ensureFinalizer(ctx context.Context, s *tenantScope) error {
	return reconcile.SetFinalizer(ctx, r.Client, s.tenant, s.before, controllerutil.AddFinalizer, v1alpha1.EtcdTenantFinalizer)
}

// place chooses an EtcdCluster once and writes it down at once: were something
// made there that the object does not tell of, nobody would ever delete it.
func (r *TenantReconciler) place(ctx context.Context, s *tenantScope) error {
	if err := checkUID(s.tenant.Spec.TenantUID); err != nil || s.tenant.Status.EtcdCluster != "" {
		return err
	}
	cluster, err := r.placements.choose(ctx, r.Client, s.tenant)
	if err != nil {
		return err
	}
	s.tenant.Status.EtcdCluster = cluster
	s.tenant.Status.Prefix = Prefix(s.tenant.Spec.TenantUID)
	patch := client.MergeFromWithOptions(s.before, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Status().Patch(ctx, s.tenant, patch); err != nil {
		return fmt.Errorf("writing down the placement: %w", err)
	}
	s.before = s.tenant.DeepCopy()
	return nil
}

// connect finds the EtcdCluster, waits until it is ready, and gets what is needed
// of it.
func (r *TenantReconciler) connect(ctx context.Context, s *tenantScope) error {
	name := s.tenant.Status.EtcdCluster
	s.cluster = &v1alpha1.EtcdCluster{}
	err := r.Client.Get(ctx, types.NamespacedName{Name: name}, s.cluster)
	if apierrors.IsNotFound(err) {
		return reconcile.UserError("EtcdClusterLost", "EtcdCluster %s, where this tenant's keys are, does not exist: restore it, or delete the cluster", name)
	}
	if err != nil {
		return err
	}
	if ready := meta.FindStatusCondition(s.cluster.Status.Conditions, v1alpha1.ConditionReady); ready == nil {
		return reconcile.WaitFor(lookAgain, "WaitingForEtcdCluster", "waiting for EtcdCluster %s to be ready", name)
	} else if ready.Status != metav1.ConditionTrue {
		// Why is part of it: the tenant's users see no EtcdCluster.
		return reconcile.WaitFor(lookAgain, "WaitingForEtcdCluster", "waiting for EtcdCluster %s to be ready: %s: %s", name, ready.Reason, ready.Message)
	}
	if s.admin, err = connect(ctx, r.Client, r.Pool, s.cluster); err != nil {
		return err
	}
	for key, into := range map[types.NamespacedName]**corev1.Secret{caKey(s.cluster): &s.ca, rootKey(s.cluster): &s.root} {
		if *into, err = readSecret(ctx, r.Client, key); err != nil {
			return err
		}
		if *into == nil {
			return reconcile.WaitFor(lookAgain, "WaitingForEtcdCluster", "waiting for Secret %s of EtcdCluster %s", key, name)
		}
	}
	return nil
}

// ensureAccess makes user, role and permission.
func (r *TenantReconciler) ensureAccess(ctx context.Context, s *tenantScope) error {
	within, cancel := context.WithTimeout(ctx, passTimeout)
	defer cancel()
	err := s.admin.EnsureTenant(within, s.tenant.Spec.TenantUID)
	return explain(ctx, s.admin, s.cluster.Name, "the tenant's preparation", err)
}

// ensureCertificate issues the tenant's client certificate. It comes after access,
// which has seen that authentication is on: before that, any certificate opens the
// whole store.
func (r *TenantReconciler) ensureCertificate(ctx context.Context, s *tenantScope) error {
	key := types.NamespacedName{Namespace: s.tenant.Namespace, Name: s.tenant.Spec.ClientSecretName}
	stored, err := readSecret(ctx, r.Client, key)
	if err != nil {
		return err
	}
	if stored != nil && !metav1.IsControlledBy(stored, s.tenant) {
		return reconcile.UserError("SecretTaken", "Secret %s belongs to somebody else: delete it or set another spec.clientSecretName", key)
	}
	request := pki.Request{CommonName: s.tenant.Spec.TenantUID, Usage: pki.ClientAuth}
	if asked := s.tenant.Spec.CertificatesNotBefore; asked != nil {
		request.IssuedSince = asked.Time
	}
	cert, err := pki.EnsureSecretData(dataOf(stored), signer(s.cluster, s.ca, s.root), request, r.now())
	if errors.Is(err, pki.ErrCA) {
		return caError(err, client.ObjectKeyFromObject(s.ca))
	}
	if err != nil {
		return fmt.Errorf("client certificate: %w", err)
	}
	want := tenantSecret(s.tenant, cert.Data)
	if err := writeSecret(ctx, r.Client, want, stored); err != nil {
		return err
	}
	s.renewAt = cert.RenewAt
	reportRenewal(r.events, s.tenant, want, cert)
	return nil
}

// tenantSecret is the Secret that an API server mounts. It goes with its tenant.
func tenantSecret(tenant *v1alpha1.EtcdTenant, data map[string][]byte) *corev1.Secret {
	labels := maps.Clone(tenant.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	labels[v1alpha1.LabelShard] = v1alpha1.DefaultShard
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: tenant.Namespace,
			Name:      tenant.Spec.ClientSecretName,
			Labels:    labels,
			OwnerReferences: []metav1.OwnerReference{
				*metav1.NewControllerRef(tenant, v1alpha1.GroupVersion.WithKind("EtcdTenant")),
			},
		},
		Type: corev1.SecretTypeTLS,
		Data: data,
	}
}
