package join

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net"
	"net/netip"
	"net/url"
	"sync"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var day0 = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

// Literals, so that a changed constant is noticed.
const (
	clientSigner  = "kubernetes.io/kube-apiserver-client-kubelet"
	servingSigner = "kubernetes.io/kubelet-serving"
	joiners       = "system:bootstrappers:marina:nodes"
	boundTo       = "marina.dev/node-name"
)

// machineKey is the key of the machine with this name; each has its own.
func machineKey(t testing.TB, machine string) *ecdsa.PrivateKey {
	t.Helper()
	made, _ := machineKeys.LoadOrStore(machine, func() *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}())
	return made.(*ecdsa.PrivateKey)
}

var machineKeys sync.Map

// asked is a request as a kubelet makes it, to be spoilt by tests.
type asked struct {
	machine, signer, user string
	groups                []string
	usages                []certificatesv1.KeyUsage
	cn                    string
	org                   []string
	dns, ips, mails, uris []string
}

func (a asked) object(t testing.TB, name string) *certificatesv1.CertificateSigningRequest {
	t.Helper()
	template := &x509.CertificateRequest{
		Subject:        pkix.Name{CommonName: a.cn, Organization: a.org},
		DNSNames:       a.dns,
		EmailAddresses: a.mails,
	}
	for _, ip := range a.ips {
		template.IPAddresses = append(template.IPAddresses, net.ParseIP(ip))
	}
	for _, uri := range a.uris {
		parsed, err := url.Parse(uri)
		if err != nil {
			t.Fatal(err)
		}
		template.URIs = append(template.URIs, parsed)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, template, machineKey(t, a.machine))
	if err != nil {
		t.Fatal(err)
	}
	return &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			Request:    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}),
			SignerName: a.signer, Username: a.user, Groups: a.groups, Usages: a.usages,
		},
	}
}

// joining is what a kubelet asks for with a token.
func joining(token, node string) asked {
	return asked{
		machine: node, signer: clientSigner, user: "system:bootstrap:" + token,
		groups: []string{"system:authenticated", "system:bootstrappers", joiners},
		usages: []certificatesv1.KeyUsage{"digital signature", "client auth"},
		cn:     "system:node:" + node, org: []string{"system:nodes"},
	}
}

// renewing is what a kubelet asks for before its client certificate ends.
func renewing(node string) asked {
	a := joining("", node)
	a.user, a.groups = "system:node:"+node, []string{"system:authenticated", "system:nodes"}
	return a
}

// serving is what a kubelet asks for to serve with.
func serving(node string, dns, ips []string) asked {
	a := renewing(node)
	a.signer, a.usages = servingSigner, []certificatesv1.KeyUsage{"digital signature", "server auth"}
	a.dns, a.ips = dns, ips
	return a
}

// tokenOf is the Secret of a token that expires in an hour; node may be empty.
func tokenOf(id, node string, now time.Time) *corev1.Secret {
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "bootstrap-token-" + id},
		Type:       "bootstrap.kubernetes.io/token",
		Data: map[string][]byte{
			"token-id": []byte(id), "token-secret": []byte("0123456789abcdef"),
			"usage-bootstrap-authentication": []byte("true"),
			"expiration":                     []byte(now.Add(time.Hour).UTC().Format(time.RFC3339)),
			"auth-extra-groups":              []byte(joiners),
		},
	}
	if node != "" {
		secret.Annotations = map[string]string{boundTo: node}
	}
	return secret
}

// nodeOf is a Node with a host name and addresses.
func nodeOf(name string, ips ...string) *corev1.Node {
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}}
	node.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeHostName, Address: name}}
	for _, ip := range ips {
		node.Status.Addresses = append(node.Status.Addresses, corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: ip})
	}
	return node
}

func addrs(ips ...string) (out []netip.Addr) {
	for _, ip := range ips {
		out = append(out, netip.MustParseAddr(ip))
	}
	return out
}
