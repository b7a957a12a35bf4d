package etcd

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/pki"
)

// restartWith starts members anew that find these CAs, by the folder that they read.
func (w *world) restartWith(t testing.TB, cas map[string][]byte, members ...int) {
	t.Helper()
	for _, i := range members {
		w.runner.Kill(i)
	}
	for folder, ca := range cas {
		if err := replaceFile(filepath.Join(w.runner.dir, "files", folder, "ca.crt"), ca); err != nil {
			t.Fatal(err)
		}
	}
	for _, i := range members {
		if err := w.runner.Start(i); err != nil {
			t.Fatal(err)
		}
	}
}

// data is what one of the Secrets holds.
func (w *world) data(t testing.TB, what string) map[string][]byte {
	t.Helper()
	pair, ca := w.pair(t, secretKey(cluster, what))
	return pki.SecretData(pair, ca)
}

// again is the certificate of a CA as if it had been issued at another time.
func (w *world) again(t testing.TB, what string, notBefore, notAfter time.Time) []byte {
	t.Helper()
	pair, _ := w.pair(t, secretKey(cluster, what))
	cert, err := pair.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	key, err := pair.PrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	other := *cert
	other.NotBefore, other.NotAfter = notBefore, notAfter
	der, err := x509.CreateCertificate(rand.Reader, &other, &other, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// expired is the certificate of a CA as it was before it was renewed with the same key.
func (w *world) expired(t testing.TB, what string) []byte {
	t.Helper()
	return w.again(t, what, time.Now().Add(-time.Hour), time.Now().Add(-time.Minute))
}

// anew is the administrator's client of a manager that has just begun.
func (w *world) anew(t testing.TB) *Admin {
	t.Helper()
	pair, ca := w.pair(t, secretKey(cluster, "root"))
	admin, err := (&Pool{}).Admin(cluster, Connection{Endpoints: w.cluster().Status.Endpoints, Pair: pair, CA: ca})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = admin.client.Close() })
	return admin
}

// sees awaits what a manager makes of the members when it asks all of them.
func (w *world) sees(t testing.TB, admin *Admin, refusing []int, serves map[int]bool) *clusterScope {
	t.Helper()
	s := &clusterScope{cluster: w.cluster(), everybody: true}
	if err := eventually(func() error {
		s.survey = admin.Survey(context.Background(), func(int) bool { return true })
		if diff := cmp.Diff(refusing, s.refusing()) + cmp.Diff(serves, s.serves()); diff != "" {
			return errors.New(diff)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestMembersWhoseCAHasExpired run and have a leader, but let nobody in who comes. The host
// is to know that: only when they are replaced they read the CA that was renewed.
func TestMembersWhoseCAHasExpired(t *testing.T) {
	w := ownWorld(t)
	good := map[string][]byte{"client-ca": w.data(t, "ca")[pki.CAKey]}
	admin := w.anew(t)
	w.restartWith(t, map[string][]byte{"client-ca": w.expired(t, "ca")}, 0, 1, 2)
	s := w.sees(t, admin, []int{0, 1, 2}, map[int]bool{})
	for i, m := range s.survey.asked {
		if m.answers() || !strings.Contains(m.Refusal.Error(), "remote error: tls: ") {
			t.Errorf("member %d: %+v, want it to turn away whoever comes", i, m)
		}
	}
	if err := eventually(func() error {
		if status := w.runner.ask(context.Background()); status.Ready != component.EtcdReplicas {
			return fmt.Errorf("%d are ready", status.Ready)
		}
		return nil
	}); err != nil {
		t.Errorf("they have a leader: %v", err)
	}
	w.restartWith(t, good, 2)
	w.sees(t, admin, []int{0, 1}, map[int]bool{2: true})

	w.runner.Kill(0)
	if m := admin.Members(context.Background())[0]; m.answers() || m.Refusal != nil {
		t.Errorf("a member that does not run: %+v", m)
	}
}

// TestCertificatesThatExpiredUnseen: the manager was down for longer than what it has issued
// is valid. What it issues when it is back is read without a restart.
func TestCertificatesThatExpiredUnseen(t *testing.T) {
	w := ownWorld(t)
	began := time.Now().AddDate(-3, 0, 0)
	for _, what := range []string{"ca", "peer-ca"} {
		pair, _ := w.pair(t, secretKey(cluster, what))
		old := w.again(t, what, began, began.Add(pki.CAValidity))
		secret := clusterSecret(cluster, what, pki.SecretData(pki.KeyPair{CertPEM: old, KeyPEM: pair.KeyPEM}, old))
		if err := w.api.Update(context.Background(), secret); err != nil {
			t.Fatal(err)
		}
	}
	for i := range component.EtcdReplicas {
		w.runner.Kill(i)
	}
	w.reconciler.Now = func() time.Time { return began.AddDate(1, 0, 0) }
	if _, err := w.reconcileCluster(); err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"server", "peer", "root"} {
		if notAfter, _ := expiry(t, clusterSecret(cluster, what, w.data(t, what))); time.Now().Before(notAfter) {
			t.Fatalf("%s is valid until %s: this shows nothing", what, notAfter)
		}
	}
	for i := range component.EtcdReplicas {
		if err := w.runner.Start(i); err != nil {
			t.Fatal(err)
		}
	}
	w.until(t, func(c *v1alpha1.EtcdCluster) error {
		return want(c.Status.Conditions, "Ready", "False", "NoQuorum", "")
	})
	// A member that is starting reads a certificate and then its key: it ends if they are
	// replaced in between. It is those that run that this is about.
	for _, member := range w.runner.addresses.Replicas {
		at := member[w.runner.applied.Readiness.Port]
		if err := eventually(func() error {
			connection, err := net.Dial("tcp", net.JoinHostPort(at.Host, strconv.Itoa(at.Port)))
			if err != nil {
				return err
			}
			return connection.Close()
		}); err != nil {
			t.Fatal(err)
		}
	}
	w.reconciler.Now = nil
	w.until(t, func(c *v1alpha1.EtcdCluster) error { return readyError(c.Status.Conditions) })
	for i := range component.EtcdReplicas {
		if n := w.runner.endsOf(i); n > 0 {
			t.Errorf("member %d has ended %d times", i, n)
		}
	}
}
