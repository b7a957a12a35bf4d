package chart

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	certmanager "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/marina-dev/marina/controlplane/etcd/issuertest"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// startCertManager plays cert-manager until the test ends, with its own CRDs and two
// ClusterIssuers, and lets the manager use it.
func startCertManager(t testing.TB, s *server) {
	t.Helper()
	crds, err := issuertest.CRDs()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := envtest.InstallCRDs(s.config, envtest.CRDInstallOptions{Paths: []string{crds}, ErrorIfPathMissing: true}); err != nil {
		t.Fatal(err)
	}
	signer := &issuertest.Signer{Client: s.client, Issuers: map[string]*issuertest.Authority{}, Now: time.Now}
	for _, name := range []string{"platform", "new-platform"} {
		if signer.Issuers[name], err = issuertest.NewRoot(name, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); signer.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	if _, err := s.helm(t.Context(), "upgrade", "marina", filepath.Join(s.dir, "marina-0.1.0.tgz"), "--set", "certManager=true"); err != nil {
		t.Fatal(err)
	}
}

// issuedCluster is an EtcdCluster with certificates by cert-manager.
func issuedCluster() *v1alpha1.EtcdCluster {
	issuer := v1alpha1.IssuerReference{Name: "platform", Kind: certmanager.ClusterIssuerKind}
	return &v1alpha1.EtcdCluster{
		ObjectMeta: metav1.ObjectMeta{Name: "issued"},
		Spec:       v1alpha1.EtcdClusterSpec{Version: "3.7.3", Certificates: &v1alpha1.EtcdCertificates{IssuerRef: issuer}},
	}
}

// awaitIssued waits until all certificates of an EtcdCluster are there and its members are
// asked for.
func awaitIssued(t testing.TB, s *server, etcd *v1alpha1.EtcdCluster) {
	t.Helper()
	members := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: "etcd-" + etcd.Name}}
	await(t, "an EtcdCluster with certificates by cert-manager", func(ctx context.Context) error {
		if err := s.get(ctx, etcd); err != nil {
			return err
		}
		if !reconcile.IsTrue(etcd.Status.Conditions, v1alpha1.ConditionCertificatesValid) {
			return fmt.Errorf("its conditions are %+v", etcd.Status.Conditions)
		}
		return s.get(ctx, members)
	})
}

// awaitCounted waits until the pods of an EtcdCluster's members are in its status. They are made
// by somebody else, and what wakes the manager for them nobody sees beforehand.
func awaitCounted(t testing.TB, s *server, etcd *v1alpha1.EtcdCluster) {
	t.Helper()
	await(t, "the pods of EtcdCluster "+etcd.Name, func(ctx context.Context) error {
		if err := s.get(ctx, etcd); err != nil {
			return err
		}
		if !reconcile.IsTrue(etcd.Status.Conditions, v1alpha1.ConditionUpToDate) {
			return fmt.Errorf("its conditions are %+v", etcd.Status.Conditions)
		}
		return nil
	})
}

// changeIssuer has another issuer sign, and at the same time spoils what Marina keeps at
// cert-manager.
func changeIssuer(t testing.TB, s *server, etcd *v1alpha1.EtcdCluster) {
	t.Helper()
	patch := func(o client.Object, data string) {
		if err := s.client.Patch(t.Context(), o, client.RawPatch(types.MergePatchType, []byte(data))); err != nil {
			t.Fatal(err)
		}
	}
	meta := metav1.ObjectMeta{Namespace: system, Name: "etcd-issued-ca"}
	issuer, ca := &certmanager.Issuer{ObjectMeta: meta}, &certmanager.Certificate{ObjectMeta: meta}
	patch(issuer, `{"spec": {"ca": {"secretName": "etcd-issued-ca-issued"}}}`)
	patch(etcd, `{"spec": {"certificates": {"issuerRef": {"name": "new-platform"}}}}`)
	await(t, "the other issuer", func(ctx context.Context) error {
		if err := errors.Join(s.get(ctx, issuer), s.get(ctx, ca)); err != nil {
			return err
		}
		if ca.Spec.IssuerRef.Name != "new-platform" || issuer.Spec.CA.SecretName != "etcd-issued-ca" {
			return fmt.Errorf("the CA is of %+v, the Issuer signs with %+v", ca.Spec.IssuerRef, issuer.Spec.CA)
		}
		return nil
	})
	awaitIssued(t, s, etcd)
}
