package issuertest

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	certmanager "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	issuermeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Signer signs what the Certificates of all namespaces ask for.
type Signer struct {
	// Client of the API server, whose scheme knows cert-manager.
	Client client.Client
	// Issuers are the ClusterIssuers, by name. Issuers of the kind CA it finds by itself.
	Issuers map[string]*Authority
	// Now is the clock.
	Now func() time.Time

	mu sync.Mutex
	// renew are Certificates to be issued anew, wrong those that another authority signs,
	// and failing those that nobody does, with what is said of it; by name.
	renew   map[string]bool
	wrong   map[string]*Authority
	failing map[string]string
	issued  map[string]int
}

// Renew has a Certificate issued anew.
func (s *Signer) Renew(name string) { s.change(func() { put(&s.renew, name, true) }) }

// Mislead has another authority sign a Certificate from now on; nil is the right one.
func (s *Signer) Mislead(name string, other *Authority) {
	s.change(func() { put(&s.wrong, name, other); put(&s.renew, name, true) })
}

// Fail has a Certificate fail from now on, for a reason; empty is no failure.
func (s *Signer) Fail(name, why string) {
	s.change(func() { put(&s.failing, name, why); put(&s.renew, name, true) })
}

// Issued is how often each Certificate has been issued.
func (s *Signer) Issued() (issued map[string]int) {
	s.change(func() { issued = maps.Clone(s.issued) })
	return issued
}

func (s *Signer) change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func put[T any](m *map[string]T, key string, value T) {
	if *m == nil {
		*m = map[string]T{}
	}
	(*m)[key] = value
}

// Run passes again and again until ctx ends. What fails is tried again in the next pass.
func (s *Signer) Run(ctx context.Context) {
	for {
		_ = s.Pass(ctx)
		select {
		case <-ctx.Done():
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Pass looks at each Certificate once. It does nothing where cert-manager's kinds are not
// there.
func (s *Signer) Pass(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := &certmanager.CertificateList{}
	if err := s.Client.List(ctx, list); err != nil {
		if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
			return nil
		}
		return err
	}
	var errs []error
	for i := range list.Items {
		if c := &list.Items[i]; c.DeletionTimestamp == nil {
			errs = append(errs, s.handle(ctx, c))
		}
	}
	return errors.Join(errs...)
}

func (s *Signer) handle(ctx context.Context, c *certmanager.Certificate) error {
	stored := &corev1.Secret{}
	if err := s.Client.Get(ctx, client.ObjectKey{Namespace: c.Namespace, Name: c.Spec.SecretName}, stored); client.IgnoreNotFound(err) != nil {
		return err
	}
	why := s.due(c, stored)
	if why == "" {
		return s.tell(ctx, c, decode(stored.Data[corev1.TLSCertKey])[0], "", "")
	}
	var cert *x509.Certificate
	if have := decode(stored.Data[corev1.TLSCertKey]); len(have) > 0 {
		cert = have[0]
	}
	if failure := s.failing[c.Name]; failure != "" {
		return s.tell(ctx, c, cert, why, failure)
	}
	authority, err := s.authority(ctx, c)
	if err != nil {
		return errors.Join(err, s.tell(ctx, c, cert, why, ""))
	}
	if cert, err = s.issue(ctx, c, authority, stored); err != nil {
		return err
	}
	delete(s.renew, c.Name)
	put(&s.issued, c.Name, s.issued[c.Name]+1)
	return s.tell(ctx, c, cert, "", "")
}

// due says why a Certificate is to be issued, empty if it is not.
func (s *Signer) due(c *certmanager.Certificate, stored *corev1.Secret) string {
	certs := decode(stored.Data[corev1.TLSCertKey])
	key, err := decodeKey(stored.Data[corev1.TLSPrivateKeyKey])
	switch {
	case stored.Name == "":
		return "Issuing certificate as Secret does not exist"
	case len(certs) == 0 || err != nil || !key.PublicKey.Equal(certs[0].PublicKey):
		return "Issuing certificate as Secret contains an invalid key-pair"
	case stored.Annotations[certmanager.IssuerNameAnnotationKey] != c.Spec.IssuerRef.Name || stored.Annotations[certmanager.IssuerKindAnnotationKey] != c.Spec.IssuerRef.Kind:
		return "Issuing certificate as Secret was previously issued by another issuer"
	case !slices.Equal(certs[0].DNSNames, c.Spec.DNSNames) || !slices.Equal(addresses(certs[0].IPAddresses), c.Spec.IPAddresses):
		return "Fields on existing CertificateRequest resource not up to date"
	case s.renew[c.Name]:
		return "Renewing certificate as renewal was scheduled"
	}
	return ""
}

func addresses(ips []net.IP) (all []string) {
	for _, ip := range ips {
		all = append(all, ip.String())
	}
	return all
}

// authority is who signs a Certificate.
func (s *Signer) authority(ctx context.Context, c *certmanager.Certificate) (*Authority, error) {
	if other := s.wrong[c.Name]; other != nil {
		return other, nil
	}
	ref := c.Spec.IssuerRef
	if ref.Kind == certmanager.ClusterIssuerKind {
		if known := s.Issuers[ref.Name]; known != nil {
			return known, nil
		}
		return nil, fmt.Errorf("there is no ClusterIssuer %s", ref.Name)
	}
	issuer, secret := &certmanager.Issuer{}, &corev1.Secret{}
	if err := s.Client.Get(ctx, client.ObjectKey{Namespace: c.Namespace, Name: ref.Name}, issuer); err != nil {
		return nil, err
	}
	if err := s.Client.Get(ctx, client.ObjectKey{Namespace: c.Namespace, Name: issuer.Spec.CA.SecretName}, secret); err != nil {
		return nil, err
	}
	return authorityIn(secret.Data)
}

// issue signs and writes the Secret.
func (s *Signer) issue(ctx context.Context, c *certmanager.Certificate, authority *Authority, stored *corev1.Secret) (*x509.Certificate, error) {
	key, err := s.key(c, stored)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: c.Spec.CommonName}, DNSNames: c.Spec.DNSNames,
		NotBefore: s.Now(), NotAfter: s.Now().Add(c.Spec.Duration.Duration), IsCA: c.Spec.IsCA, BasicConstraintsValid: true,
	}
	for _, ip := range c.Spec.IPAddresses {
		template.IPAddresses = append(template.IPAddresses, net.ParseIP(ip))
	}
	for _, usage := range c.Spec.Usages {
		switch usage {
		case certmanager.UsageCertSign:
			template.KeyUsage |= x509.KeyUsageCertSign
		case certmanager.UsageCRLSign:
			template.KeyUsage |= x509.KeyUsageCRLSign
		case certmanager.UsageDigitalSignature:
			template.KeyUsage |= x509.KeyUsageDigitalSignature
		case certmanager.UsageServerAuth:
			template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
		case certmanager.UsageClientAuth:
			template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
		default:
			return nil, fmt.Errorf("the usage %q is none that is known here", usage)
		}
	}
	cert, err := authority.sign(template, &key.PublicKey)
	if err != nil {
		return nil, err
	}
	return cert, s.write(ctx, c, stored, cert, key, authority)
}

// key is the one that a Certificate keeps, or a new one.
func (s *Signer) key(c *certmanager.Certificate, stored *corev1.Secret) (*ecdsa.PrivateKey, error) {
	if c.Spec.PrivateKey.RotationPolicy == certmanager.RotationPolicyNever {
		if key, err := decodeKey(stored.Data[corev1.TLSPrivateKeyKey]); err == nil {
			return key, nil
		}
	}
	return newKey()
}

func (s *Signer) write(ctx context.Context, c *certmanager.Certificate, stored *corev1.Secret, cert *x509.Certificate, key *ecdsa.PrivateKey, authority *Authority) error {
	keyPEM, err := encodeKey(key)
	if err != nil {
		return err
	}
	chain, ca := authority.bundle(cert)
	secret := stored.DeepCopy()
	secret.Type = corev1.SecretTypeTLS
	secret.Data = map[string][]byte{corev1.TLSCertKey: chain, corev1.TLSPrivateKeyKey: keyPEM, "ca.crt": ca}
	metav1.SetMetaDataAnnotation(&secret.ObjectMeta, certmanager.CertificateNameKey, c.Name)
	metav1.SetMetaDataAnnotation(&secret.ObjectMeta, certmanager.IssuerNameAnnotationKey, c.Spec.IssuerRef.Name)
	metav1.SetMetaDataAnnotation(&secret.ObjectMeta, certmanager.IssuerKindAnnotationKey, c.Spec.IssuerRef.Kind)
	metav1.SetMetaDataAnnotation(&secret.ObjectMeta, certmanager.IssuerGroupAnnotationKey, c.Spec.IssuerRef.Group)
	metav1.SetMetaDataLabel(&secret.ObjectMeta, certmanager.PartOfCertManagerControllerLabelKey, "true")
	maps.Copy(secret.Labels, c.Spec.SecretTemplate.Labels)
	if stored.Name != "" {
		return s.Client.Update(ctx, secret)
	}
	secret.Namespace, secret.Name = c.Namespace, c.Spec.SecretName
	return s.Client.Create(ctx, secret)
}

// tell writes the status: Ready is about what is stored, Issuing about what is due.
func (s *Signer) tell(ctx context.Context, c *certmanager.Certificate, cert *x509.Certificate, why, failure string) error {
	before := c.DeepCopy()
	status := &c.Status
	*status = certmanager.CertificateStatus{}
	set := func(kind certmanager.CertificateConditionType, is issuermeta.ConditionStatus, reason, message string) {
		status.Conditions = append(status.Conditions, certmanager.CertificateCondition{
			Type: kind, Status: is, Reason: reason, Message: message, ObservedGeneration: c.Generation,
		})
	}
	if cert == nil {
		set(certmanager.CertificateConditionReady, issuermeta.ConditionFalse, "DoesNotExist", why)
	} else {
		set(certmanager.CertificateConditionReady, issuermeta.ConditionTrue, "Ready", "Certificate is up to date and has not expired")
		status.NotAfter = &metav1.Time{Time: cert.NotAfter}
	}
	switch {
	case failure != "":
		attempts := 1
		status.FailedIssuanceAttempts = &attempts
		set(certmanager.CertificateConditionIssuing, issuermeta.ConditionFalse, "Failed", "The certificate request has failed to complete and will be retried: "+failure)
	case why != "":
		set(certmanager.CertificateConditionIssuing, issuermeta.ConditionTrue, "Renewing", why)
	}
	patch := client.MergeFrom(before)
	if data, err := patch.Data(c); err != nil || string(data) == "{}" {
		return err
	}
	return s.Client.Status().Patch(ctx, c, patch)
}
