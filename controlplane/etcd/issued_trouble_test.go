package etcd

import (
	"context"
	"testing"

	certmanager "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/marina-dev/marina/controlplane/etcd/issuertest"
	"github.com/marina-dev/marina/pkg/pki"
)

// TestWhatIsIssuedWrongIsRefused, and what was there before serves on.
func TestWhatIsIssuedWrongIsRefused(t *testing.T) {
	i := newIssuing(t)
	i.complete()
	before, applied := i.ours(), len(i.host.applied)
	other, err := issuertest.NewRoot("elsewhere", day0)
	if err != nil {
		t.Fatal(err)
	}
	i.signer.Mislead("etcd-default-server", other)
	i.sign()
	i.want("CertificatesValid", "False", "CertificateRefused", "Certificate marina-system/etcd-default-server is not used, and what was issued before stays: OtherCA: ")
	i.want("CertificatesValid", "False", "CertificateRefused", "delete Secret marina-system/etcd-default-server-issued")
	i.want("SpecAccepted", "True", "AsExpected", "")
	if got := i.changed(before); len(got) > 0 || len(i.host.applied) == applied {
		t.Errorf("%v changed; applied %d times more", got, len(i.host.applied)-applied)
	}
	i.signer.Mislead("etcd-default-server", nil)
	i.sign()
	i.want("CertificatesValid", "True", "AsExpected", "")
}

func TestWhatIsIssuedWrongAtFirstIsNotUsed(t *testing.T) {
	i := newIssuing(t)
	other, err := issuertest.NewRoot("elsewhere", day0)
	if err != nil {
		t.Fatal(err)
	}
	i.signer.Mislead("etcd-default-peer", other)
	i.pass(i.api)
	i.sign()
	i.sign()
	i.want("SpecAccepted", "False", "CertificateRefused", "put its issuer right, the Issuer etcd-default-peer-ca, and delete Secret marina-system/etcd-default-peer-issued")
	if len(i.host.applied) > 0 || i.ours()["peer"] != nil {
		t.Error("members were started with it")
	}
}

// TestACAOfCertManagerThatIsLost is made again with another key, by which no tenant would
// be let in any more. The one in use is where it was, and can be put back.
func TestACAOfCertManagerThatIsLost(t *testing.T) {
	i := newIssuing(t)
	i.complete()
	before := i.ours()
	if err := i.api.Delete(context.Background(), i.secrets()["etcd-default-ca-issued"]); err != nil {
		t.Fatal(err)
	}
	i.pass(i.api)
	i.want("CertificatesValid", "False", "CertificateNotReady", "etcd-default-ca")
	i.sign()
	i.want("CertificatesValid", "False", "CertificateRefused", "put tls.crt and tls.key of Secret marina-system/etcd-default-ca back into Secret marina-system/etcd-default-ca-issued")
	// Everything else goes on: a leaf is renewed by the CA in use.
	i.signer.Renew("etcd-default-server")
	i.sign()
	if diff := cmp.Diff([]string{"server"}, i.changed(before)); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
	secret := i.secrets()["etcd-default-ca-issued"]
	i.update(secret, func() {
		secret.Data[pki.CertKey], secret.Data[pki.PrivateKeyKey] = before["ca"][pki.CertKey], before["ca"][pki.PrivateKeyKey]
	})
	i.pass(i.api)
	i.want("CertificatesValid", "True", "AsExpected", "")

	// And the other way round.
	ours := i.secrets()["etcd-default-ca"]
	if err := i.api.Delete(context.Background(), ours); err != nil {
		t.Fatal(err)
	}
	i.pass(i.api)
	if got := i.ours()["ca"]; !cmp.Equal(got, before["ca"]) {
		t.Error("Marina's own Secret is not what it was before it was deleted")
	}
}

// TestBothSecretsOfACAAreLost: our Secret is gone, and cert-manager's is of
// another CA.
func TestBothSecretsOfACAAreLost(t *testing.T) {
	i := newIssuing(t)
	i.complete()
	for _, name := range []string{"etcd-default-ca", "etcd-default-ca-issued"} {
		if err := i.api.Delete(context.Background(), i.secrets()[name]); err != nil {
			t.Fatal(err)
		}
	}
	i.sign()
	i.want("SpecAccepted", "False", "CertificateRefused", "OtherCA")
	if i.ours()["ca"] != nil {
		t.Error("another CA was taken over: tenants are signed by the one that is lost")
	}
}

// TestAnotherIssuer signs the same CAs: their keys stay.
func TestAnotherIssuer(t *testing.T) {
	i := newIssuing(t)
	i.complete()
	before := i.ours()
	other, err := issuertest.NewRoot("new platform", day0)
	if err != nil {
		t.Fatal(err)
	}
	i.signer.Issuers["new"] = other
	c := newCluster()
	i.update(c, func() { c.Spec.Certificates.IssuerRef.Name = "new" })
	i.pass(i.api)
	i.sign()
	i.want("CertificatesValid", "True", "AsExpected", "")
	after := i.ours()
	if diff := cmp.Diff([]string{"ca", "peer", "peer-ca", "root", "server"}, i.changed(before)); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
	for name := range before {
		if string(before[name][pki.PrivateKeyKey]) != string(after[name][pki.PrivateKeyKey]) {
			t.Errorf("%s has another key", name)
		}
	}
}

func TestRenewalThatFails(t *testing.T) {
	i := newIssuing(t)
	i.complete()
	before := i.ours()
	i.signer.Fail("etcd-default-root", "the quota is exhausted")
	i.sign()
	i.want("CertificatesValid", "False", "RenewalFails", "Certificate marina-system/etcd-default-root, which ends at 2027-03-01T12:00:00Z: Failed: The certificate request has failed to complete and will be retried: the quota is exhausted: see ")
	if got := i.changed(before); len(got) > 0 {
		t.Errorf("%v changed", got)
	}
	i.signer.Fail("etcd-default-root", "")
	i.sign()
	i.want("CertificatesValid", "True", "AsExpected", "")
}

// TestMembersThatMoveAreIssuedNewCertificates for their new addresses.
func TestMembersThatMoveAreIssuedNewCertificates(t *testing.T) {
	i := newIssuing(t)
	i.complete()
	before := i.ours()
	i.host.hostname = "127.0.1.%d"
	i.pass(i.api)
	i.sign()
	i.want("CertificatesValid", "True", "AsExpected", "")
	if diff := cmp.Diff([]string{"peer", "server"}, i.changed(before)); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
}

// TestWhatSomebodyDoesToACertificate is undone.
func TestWhatSomebodyDoesToACertificate(t *testing.T) {
	i := newIssuing(t)
	i.complete()
	c := &certmanager.Certificate{}
	c.Namespace, c.Name = "marina-system", "etcd-default-root"
	i.update(c, func() { c.Spec.IsCA, c.Spec.CommonName = true, "somebody" })
	i.pass(i.api)
	i.update(c, func() {})
	if c.Spec.IsCA || c.Spec.CommonName != "root" {
		t.Errorf("spec %+v, want what it was", c.Spec)
	}
	// One that is not Marina's is left alone.
	i.update(c, func() { c.Labels = nil; c.Spec.CommonName = "somebody" })
	i.pass(i.api)
	i.want("CertificatesValid", "False", "NameTaken", "the Certificate marina-system/etcd-default-root exists and is not Marina's: delete it, or give it the labels")
	i.update(c, func() {})
	if c.Spec.CommonName != "somebody" {
		t.Error("it was overwritten")
	}
}

// TestCertManagerCannotBeAsked: what is there serves on, and a new EtcdCluster waits.
func TestCertManagerCannotBeAsked(t *testing.T) {
	kind := schema.GroupKind{Group: "cert-manager.io", Kind: "Certificate"}
	for name, tc := range map[string]struct {
		err          error
		reason, says string
	}{
		"it is not installed":     {&meta.NoKindMatchError{GroupKind: kind}, "CertManagerMissing", "install cert-manager"},
		"it was removed":          {apierrors.NewNotFound(schema.GroupResource{}, ""), "CertManagerMissing", "install cert-manager"},
		"the chart gave no right": {apierrors.NewForbidden(schema.GroupResource{}, "", nil), "CertManagerForbidden", "certManager=true"},
	} {
		t.Run(name, func(t *testing.T) {
			i := newIssuing(t)
			without := interceptor.NewClient(i.api, interceptor.Funcs{
				List: func(ctx context.Context, api client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
					switch list.(type) {
					case *certmanager.CertificateList, *certmanager.IssuerList:
						return tc.err
					}
					return api.List(ctx, list, opts...)
				},
			})
			i.pass(without)
			i.want("SpecAccepted", "False", tc.reason, tc.says)
			i.want("Ready", "False", tc.reason, tc.says)
			i.complete()
			before, applied := i.ours(), i.host.applied[len(i.host.applied)-1]
			i.pass(without)
			i.want("CertificatesValid", "False", tc.reason, tc.says)
			i.want("SpecAccepted", "True", "AsExpected", "")
			if got := i.changed(before); len(got) > 0 || !cmp.Equal(applied, i.host.applied[len(i.host.applied)-1]) {
				t.Errorf("%v changed, or the members would restart", got)
			}
		})
	}
}

// TestIssuedClusterIsDeleted with all that cert-manager has made. A Certificate that is
// there when its Secret goes is issued again, forever.
func TestIssuedClusterIsDeleted(t *testing.T) {
	i := newIssuing(t)
	i.complete()
	if err := i.api.Delete(context.Background(), newCluster()); err != nil {
		t.Fatal(err)
	}
	held := &certmanager.Certificate{}
	held.Namespace, held.Name = "marina-system", "etcd-default-root"
	i.update(held, func() { held.Finalizers = []string{"example.com/slow"} })
	secrets := i.secrets()
	i.pass(i.api)
	i.want("Deleting", "Unknown", "StoppingMembers", "")
	i.host.gone = true
	i.sign()
	i.want("Deleting", "Unknown", "DeletingCertificates", "waiting for the Certificates of cert-manager to be gone: etcd-default-root")
	if diff := cmp.Diff(len(secrets), len(i.secrets())); diff != "" {
		t.Errorf("Secrets were deleted before the Certificates (-want +got):\n%s", diff)
	}
	i.update(held, func() { held.Finalizers = nil })
	i.sign()
	left := map[string]client.ObjectList{"Certificates": &certmanager.CertificateList{}, "Issuers": &certmanager.IssuerList{}, "Secrets": &corev1.SecretList{}}
	for what, list := range left {
		if err := i.api.List(context.Background(), list); err != nil || meta.LenList(list) > 0 {
			t.Errorf("%s left: %d, %v", what, meta.LenList(list), err)
		}
	}
	if err := i.api.Get(context.Background(), client.ObjectKeyFromObject(newCluster()), newCluster()); !apierrors.IsNotFound(err) {
		t.Errorf("still there: %v", err)
	}
}
