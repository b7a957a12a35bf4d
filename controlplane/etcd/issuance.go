package etcd

import (
	"context"
	"reflect"

	certmanager "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// issuance is what there is at cert-manager for an EtcdCluster, and its Secrets, those of
// cert-manager included; all by name.
type issuance struct {
	certificates map[string]*certmanager.Certificate
	issuers      map[string]*certmanager.Issuer
	secrets      map[string]*corev1.Secret
}

const (
	reasonCertManagerMissing   = "CertManagerMissing"
	reasonCertManagerForbidden = "CertManagerForbidden"
)

// readIssuance reads all of it anew. cert-manager may not be installed, and an informer of
// kinds that are not there would never be ready. Secrets come last: one may be newer than
// its Certificate tells, and never older.
//
// When cert-manager cannot be asked, Secrets are read all the same.
func (r *ClusterReconciler) readIssuance(ctx context.Context, cluster string) (issuance, error) {
	have := issuance{certificates: map[string]*certmanager.Certificate{}, issuers: map[string]*certmanager.Issuer{}, secrets: map[string]*corev1.Secret{}}
	which := []client.ListOption{client.InNamespace(v1alpha1.SystemNamespace), client.MatchingLabels(clusterLabels(cluster))}
	certificates, issuers, secrets := &certmanager.CertificateList{}, &certmanager.IssuerList{}, &corev1.SecretList{}
	err := r.Live.List(ctx, certificates, which...)
	if err == nil {
		err = r.Live.List(ctx, issuers, which...)
	}
	if err := r.Live.List(ctx, secrets, which...); err != nil {
		return have, err
	}
	for i := range certificates.Items {
		have.certificates[certificates.Items[i].Name] = &certificates.Items[i]
	}
	for i := range issuers.Items {
		have.issuers[issuers.Items[i].Name] = &issuers.Items[i]
	}
	for i := range secrets.Items {
		have.secrets[secrets.Items[i].Name] = &secrets.Items[i]
	}
	switch {
	case meta.IsNoMatchError(err) || apierrors.IsNotFound(err):
		return have, reconcile.UserError(reasonCertManagerMissing, "spec.certificates has certificates made by cert-manager, and the management cluster does not know its kinds (%s): install cert-manager", certmanager.SchemeGroupVersion)
	case apierrors.IsForbidden(err):
		return have, reconcile.UserError(reasonCertManagerForbidden, "spec.certificates has certificates made by cert-manager, and Marina may not use it: install the chart with certManager=true (%v)", err)
	default:
		return have, err
	}
}

// keepCertificate makes a Certificate what is wanted, all of its spec, and writes nothing
// when it is: cert-manager issues anew for a change of it.
func (r *ClusterReconciler) keepCertificate(ctx context.Context, want *certmanager.Certificate, have issuance) error {
	live := have.certificates[want.Name]
	if live == nil {
		have.certificates[want.Name] = want
		return r.createAtCertManager(ctx, want)
	}
	if reconcile.Same(want, live, want.Spec, live.Spec) {
		return nil
	}
	live.Spec = want.Spec
	return r.Client.Update(ctx, live, client.FieldOwner(v1alpha1.FieldOwner))
}

// keepIssuer does the same for an Issuer.
func (r *ClusterReconciler) keepIssuer(ctx context.Context, want *certmanager.Issuer, have issuance) error {
	live := have.issuers[want.Name]
	if live == nil {
		return r.createAtCertManager(ctx, want)
	}
	if reconcile.Same(want, live, want.Spec, live.Spec) {
		return nil
	}
	live.Spec = want.Spec
	return r.Client.Update(ctx, live, client.FieldOwner(v1alpha1.FieldOwner))
}

// createAtCertManager creates what cannot be seen. If it exists it is somebody else's.
func (r *ClusterReconciler) createAtCertManager(ctx context.Context, want client.Object) error {
	created, err := reconcile.CreateIfAbsent(ctx, r.Client, want)
	if err == nil && !created {
		err = reconcile.UserError("NameTaken", "the %s %s exists and is not Marina's: delete it, or give it the labels %v", reflect.TypeOf(want).Elem().Name(), client.ObjectKeyFromObject(want), want.GetLabels())
	}
	return err
}
