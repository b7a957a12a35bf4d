package etcd

import (
	certmanager "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	issuermeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/pki"
)

// What cert-manager makes for an EtcdCluster: a Certificate for each of its Secrets, of
// the Secret's name, and an Issuer of a CA's name that signs with it.
//
// cert-manager writes Secrets of its own, and Marina takes over into those that members
// mount what is good of them. Members read a pair at the next handshake, too early for
// anybody to look at it; and under ca.crt cert-manager writes the root of the platform's
// own CA, of which every certificate would open the store.

// issuedSuffix is what the names of Secrets end with that cert-manager writes.
const issuedSuffix = "-issued"

// issuedKey is where cert-manager's counterpart to a Secret of an EtcdCluster lies.
func issuedKey(cluster, what string) types.NamespacedName {
	return secretKey(cluster, what+issuedSuffix)
}

// caCertificate is the Certificate of a CA. It keeps its key when it is renewed, so that
// what it has signed stays valid.
func caCertificate(cluster, what string, issuer v1alpha1.IssuerReference) *certmanager.Certificate {
	c := certificate(cluster, what, issuermeta.IssuerReference{Name: issuer.Name, Kind: issuer.Kind, Group: issuer.Group})
	c.Spec.CommonName = c.Name
	c.Spec.IsCA = true
	c.Spec.Usages = []certmanager.KeyUsage{certmanager.UsageCertSign, certmanager.UsageCRLSign}
	c.Spec.Duration = &metav1.Duration{Duration: pki.CAValidity}
	c.Spec.PrivateKey.RotationPolicy = certmanager.RotationPolicyNever
	return c
}

// leafCertificate is the Certificate of a pair that the CA signs.
func leafCertificate(cluster, what, ca string, request pki.Request) *certmanager.Certificate {
	c := certificate(cluster, what, issuermeta.IssuerReference{
		Name: secretKey(cluster, ca).Name, Kind: certmanager.IssuerKind, Group: certmanager.SchemeGroupVersion.Group,
	})
	c.Spec.CommonName = request.CommonName
	c.Spec.DNSNames = request.DNSNames
	for _, ip := range request.IPs {
		c.Spec.IPAddresses = append(c.Spec.IPAddresses, ip.String())
	}
	c.Spec.Usages = []certmanager.KeyUsage{certmanager.UsageDigitalSignature}
	if request.Usage&pki.ServerAuth != 0 {
		c.Spec.Usages = append(c.Spec.Usages, certmanager.UsageServerAuth)
	}
	if request.Usage&pki.ClientAuth != 0 {
		c.Spec.Usages = append(c.Spec.Usages, certmanager.UsageClientAuth)
	}
	c.Spec.Duration = &metav1.Duration{Duration: pki.LeafValidity}
	c.Spec.PrivateKey.RotationPolicy = certmanager.RotationPolicyAlways
	return c
}

// certificate is what all have in common. When to renew is left out: cert-manager does so
// when a third of the life is left, as Marina does, also where an issuer gives less than
// was asked for.
func certificate(cluster, what string, issuer issuermeta.IssuerReference) *certmanager.Certificate {
	key := secretKey(cluster, what)
	return &certmanager.Certificate{
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name, Labels: clusterLabels(cluster)},
		Spec: certmanager.CertificateSpec{
			SecretName: issuedKey(cluster, what).Name,
			// Without them Marina would not see the Secret.
			SecretTemplate: &certmanager.CertificateSecretTemplate{Labels: clusterLabels(cluster)},
			IssuerRef:      issuer,
			PrivateKey: &certmanager.CertificatePrivateKey{
				Algorithm: certmanager.ECDSAKeyAlgorithm, Size: 256, Encoding: certmanager.PKCS1,
			},
			RevisionHistoryLimit: ptr.To[int32](1),
		},
	}
}

// caIssuer signs with the CA that is in use, and not with what cert-manager may have made
// in its place.
func caIssuer(cluster, what string) *certmanager.Issuer {
	key := secretKey(cluster, what)
	return &certmanager.Issuer{
		ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name, Labels: clusterLabels(cluster)},
		Spec: certmanager.IssuerSpec{IssuerConfig: certmanager.IssuerConfig{
			CA: &certmanager.CAIssuer{SecretName: key.Name},
		}},
	}
}
