package etcd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	certmanager "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/marina-dev/marina/controlplane/etcd/issuertest"
	"github.com/marina-dev/marina/pkg/pki"
)

// TestManagerWithCertManager runs both reconcilers against a real API server with
// cert-manager's own CRDs, and three real members. cert-manager comes after the EtcdCluster
// and is played by a signer.
func TestManagerWithCertManager(t *testing.T) {
	api, mgr := startAPI(t)
	ctx := context.Background()
	members, step := runMembers(t, api, mgr, "marina-one")

	etcd, one := newCluster(), newTenant("one")
	byPlatform(etcd)
	for _, obj := range []client.Object{etcd, one} {
		obj.SetUID("")
		if err := api.Create(ctx, obj); err != nil {
			t.Fatal(err)
		}
	}
	see := func(conditionType, status, reason, says string) func() error {
		return func() error {
			if err := api.Get(ctx, client.ObjectKeyFromObject(etcd), etcd); err != nil {
				return err
			}
			return want(etcd.Status.Conditions, conditionType, status, reason, says)
		}
	}
	step("cert-manager is missed", see("SpecAccepted", "False", "CertManagerMissing", "install cert-manager"))

	crds, err := issuertest.CRDs()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := envtest.InstallCRDs(mgr.GetConfig(), envtest.CRDInstallOptions{Paths: []string{crds}, ErrorIfPathMissing: true}); err != nil {
		t.Fatal(err)
	}
	// It looks again by itself within half a minute.
	if err := api.Patch(ctx, etcd, client.RawPatch(types.MergePatchType, []byte(`{"metadata": {"annotations": {"example.com/wake": "up"}}}`))); err != nil {
		t.Fatal(err)
	}
	company, upstream := platform(t, time.Now())
	signer := &issuertest.Signer{Client: api, Issuers: map[string]*issuertest.Authority{"platform": upstream}, Now: time.Now}
	signing, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() { defer close(ended); signer.Run(signing) }()
	t.Cleanup(func() { stop(); <-ended })

	step("the EtcdCluster is ready", see("Ready", "True", "AsExpected", ""))
	step("its certificates are cert-manager's", see("CertificatesValid", "True", "AsExpected", ""))
	step("its tenant is ready", func() error {
		if err := api.Get(ctx, client.ObjectKeyFromObject(one), one); err != nil {
			return err
		}
		return readyError(one.Status.Conditions)
	})

	root := readPair(t, api, "root")
	if _, err := greet(root, members, 0); err != nil {
		t.Fatalf("who has root's certificate is turned away: %v", err)
	}
	for name, authority := range map[string]*issuertest.Authority{"the company": company, "the issuer": upstream} {
		var stranger Connection
		if stranger.Pair.CertPEM, stranger.Pair.KeyPEM, err = authority.Client("root", time.Now()); err != nil {
			t.Fatal(err)
		}
		stranger.CA = root.CA
		if _, err := greet(stranger, members, 0); err == nil || errors.As(err, new(*tls.CertificateVerificationError)) {
			t.Errorf("who has a certificate of %s for root: %v, want to be turned away by the member", name, err)
		}
	}

	runs := members.endsOf(0)
	for _, what := range []string{"server", "peer", "root"} {
		before := readPair(t, api, what)
		first, err := greet(root, members, 0)
		if err != nil {
			t.Fatal(err)
		}
		signer.Renew("etcd-default-" + what)
		step("renewed and taken over: "+what, func() error {
			if cmp.Equal(before.Pair, readPair(t, api, what).Pair) {
				return errors.New("it is the one from before")
			}
			return nil
		})
		if what == "server" {
			step("members present it", func() error {
				now, err := greet(root, members, 0)
				if err == nil && now == first {
					err = fmt.Errorf("serial number %s, as before", now)
				}
				return err
			})
		}
	}
	if members.endsOf(0) != runs {
		t.Error("a member has ended over it")
	}
	step("and it is well", see("Ready", "True", "AsExpected", ""))

	if err := api.Delete(ctx, one); err != nil {
		t.Fatal(err)
	}
	step("the tenant is gone", gone(api, one))
	issued := signer.Issued()
	if err := api.Delete(ctx, etcd); err != nil {
		t.Fatal(err)
	}
	step("the EtcdCluster is gone", gone(api, etcd))
	if again := signer.Issued(); !maps.Equal(issued, again) {
		t.Errorf("cert-manager has issued while it was deleted (-before +after):\n%s", cmp.Diff(issued, again))
	}
	for what, list := range map[string]client.ObjectList{"Certificates": &certmanager.CertificateList{}, "Issuers": &certmanager.IssuerList{}, "Secrets": &corev1.SecretList{}} {
		if err := api.List(ctx, list, client.InNamespace("marina-system")); err != nil || meta.LenList(list) > 0 {
			t.Errorf("%d %s left, %v", meta.LenList(list), what, err)
		}
	}
}

// readPair is what one of the Secrets holds, to connect with.
func readPair(t testing.TB, api client.Client, what string) (c Connection) {
	t.Helper()
	secret := &corev1.Secret{}
	if err := api.Get(context.Background(), secretKey(cluster, what), secret); err != nil {
		t.Fatal(err)
	}
	c.Pair, c.CA = pki.FromSecretData(secret.Data)
	return c
}

// greet connects to a member and waits for its first words, since only then it has looked
// at the certificate. It returns the serial number of the member's own.
func greet(as Connection, members *runner, member int) (serial string, err error) {
	pair, err := tls.X509KeyPair(as.Pair.CertPEM, as.Pair.KeyPEM)
	if err != nil {
		return "", err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(as.CA)
	members.mu.Lock()
	at := members.addresses.Replicas[member]["client"].String()
	members.mu.Unlock()
	conn, err := tls.Dial("tcp", at, &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: roots, NextProtos: []string{"h2"}})
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return "", err
	}
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		return "", err
	}
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.String(), nil
}

// gone reports whether the API has an object no more.
func gone(api client.Client, obj client.Object) func() error {
	return func() error {
		if err := api.Get(context.Background(), client.ObjectKeyFromObject(obj), obj); !apierrors.IsNotFound(err) {
			return fmt.Errorf("still there, %w", err)
		}
		return nil
	}
}
