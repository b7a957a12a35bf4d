package etcd

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/controlplane/etcd/issuertest"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// issuing is an EtcdCluster, on a host whose members never start, with certificates by
// cert-manager: by the ClusterIssuer platform, whose CA is signed by the company's root.
type issuing struct {
	*still
	signer            *issuertest.Signer
	company, platform *issuertest.Authority
}

// byPlatform has the certificates signed by the ClusterIssuer platform.
func byPlatform(c *v1alpha1.EtcdCluster) {
	c.Spec.Certificates = &v1alpha1.EtcdCertificates{IssuerRef: v1alpha1.IssuerReference{Name: "platform", Kind: "ClusterIssuer", Group: "cert-manager.io"}}
}

// platform is an authority that the company's root has signed.
func platform(t testing.TB, now time.Time) (company, platform *issuertest.Authority) {
	t.Helper()
	company, err := issuertest.NewRoot("company", now)
	if err != nil {
		t.Fatal(err)
	}
	if platform, err = company.Sub("platform", now); err != nil {
		t.Fatal(err)
	}
	return company, platform
}

func newIssuing(t testing.TB) *issuing {
	t.Helper()
	etcd := newCluster()
	byPlatform(etcd)
	i := &issuing{still: &still{TB: t, api: newAPI(etcd), host: &stillHost{hostname: "127.0.0.%d"}, now: day0, events: events.NewFakeRecorder(100)}}
	i.company, i.platform = platform(t, day0)
	i.signer = &issuertest.Signer{Client: i.api, Issuers: map[string]*issuertest.Authority{"platform": i.platform}, Now: func() time.Time { return i.now }}
	return i
}

// sign lets cert-manager work, and then Marina.
func (i *issuing) sign() {
	i.Helper()
	// The CA of an Issuer that is new is not there yet.
	_ = i.signer.Pass(context.Background())
	i.pass(i.api)
}

// complete brings the EtcdCluster to where it has all certificates.
func (i *issuing) complete() {
	i.Helper()
	i.pass(i.api)
	i.sign()
	i.sign()
	i.want("CertificatesValid", "True", "AsExpected", "")
}

// ours are Marina's own Secrets, by what is in them.
func (i *issuing) ours() map[string]map[string][]byte {
	ours := map[string]map[string][]byte{}
	for name, secret := range i.secrets() {
		if !strings.HasSuffix(name, "-issued") {
			ours[strings.TrimPrefix(name, "etcd-default-")] = secret.Data
		}
	}
	return ours
}

// changed are those of our Secrets that are other than before.
func (i *issuing) changed(before map[string]map[string][]byte) (names []string) {
	for name, data := range i.ours() {
		if !cmp.Equal(before[name], data) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (i *issuing) update(obj client.Object, change func()) {
	i.Helper()
	if err := i.api.Get(context.Background(), client.ObjectKeyFromObject(obj), obj); err != nil {
		i.Fatal(err)
	}
	change()
	if err := i.api.Update(context.Background(), obj); err != nil {
		i.Fatal(err)
	}
}
