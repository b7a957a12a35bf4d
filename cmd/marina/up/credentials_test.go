package up

import (
	"crypto/x509"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var silent = slog.New(slog.DiscardHandler)

// contents are the files of a folder.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		data, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		found[entry.Name()] = string(data)
	}
	return found
}

func changed(before, after map[string]string) []string {
	var names []string
	for name, content := range after {
		if before[name] != content {
			names = append(names, name)
		}
	}
	return names
}

func day() time.Time { return time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC) }

func mustEnsure(t *testing.T, d dataDir, now time.Time) *credentials {
	t.Helper()
	c, err := ensureCredentials(d, now, silent, false)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCredentialsOverTheYears(t *testing.T) {
	d := dataDir(t.TempDir())
	day0 := day()
	first := mustEnsure(t, d, day0)
	made := contents(t, d.pki())

	for name := range made {
		info, err := os.Stat(filepath.Join(d.pki(), name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, want 0600 (%v)", name, info.Mode(), err)
		}
	}
	if info, err := os.Stat(d.pki()); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder has mode %v, want 0700 (%v)", info.Mode(), err)
	}

	again := mustEnsure(t, d, day0.AddDate(0, 7, 0))
	if diff := cmp.Diff(made, contents(t, d.pki())); diff != "" {
		t.Errorf("after seven months something changed:\n%s", diff)
	}
	if diff := cmp.Diff(first.leaves[leafAdmin].CertPEM, again.leaves[leafAdmin].CertPEM); diff != "" {
		t.Error("the second time another certificate was returned")
	}

	// Two thirds of a year.
	renewed := mustEnsure(t, d, day0.AddDate(0, 9, 0))
	after := contents(t, d.pki())
	for _, name := range []string{"ca.crt", "ca.key", "etcd-ca.crt", "etcd-ca.key", "service-account.key", "service-account.pub", "encryption.yaml"} {
		if made[name] == "" || made[name] != after[name] {
			t.Errorf("%s is missing or has changed after nine months", name)
		}
	}
	if got := len(changed(made, after)); got != 2*6 {
		t.Errorf("%d files changed after nine months, want certificate and key of six", got)
	}
	cert, err := renewed.leaves[leafAdmin].Certificate()
	if err != nil {
		t.Fatal(err)
	}
	if want := day0.AddDate(0, 9, 0).Add(365 * 24 * time.Hour); !cert.NotAfter.Equal(want) {
		t.Errorf("the administrator's certificate ends at %s, want a year later, %s", cert.NotAfter, want)
	}
	if diff := cmp.Diff([]string{"system:masters"}, cert.Subject.Organization); diff != "" {
		t.Errorf("the administrator's groups:\n%s", diff)
	}

	// A CA is replaced when a third of its ten years is left, with all that it signed.
	replaced := mustEnsure(t, d, day0.AddDate(7, 0, 0))
	ca, err := replaced.ca.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	if string(replaced.ca.CertPEM) == made["ca.crt"] {
		t.Error("the CA is the same after seven years")
	}
	leaf, err := replaced.leaves[leafAPIServer].Certificate()
	if err != nil || leaf.CheckSignatureFrom(ca) != nil {
		t.Errorf("the API server's certificate is not signed by the new CA (%v)", err)
	}
}

// TestCredentialsWhileRunning walks through nine years without a restart, week by
// week: certificates are renewed, and CAs are not, which running processes have read.
func TestCredentialsWhileRunning(t *testing.T) {
	d := dataDir(t.TempDir())
	mustEnsure(t, d, day())
	made := contents(t, d.pki())
	var said strings.Builder
	log := slog.New(slog.NewTextHandler(&said, nil))
	for week := range 9 * 52 {
		now := day().AddDate(0, 0, 7*week)
		c, err := ensureCredentials(d, now, log, true)
		if err != nil {
			t.Fatalf("week %d: %v", week, err)
		}
		for name, pair := range c.leaves {
			cert, err := pair.Certificate()
			if err != nil {
				t.Fatal(err)
			}
			if left := cert.NotAfter.Sub(now); left < 110*24*time.Hour {
				t.Fatalf("week %d: %s has %s left, want it renewed when it has a third of its year left", week, name, left)
			}
		}
	}
	after := contents(t, d.pki())
	for _, name := range []string{"ca.crt", "ca.key", "etcd-ca.crt", "etcd-ca.key"} {
		if made[name] == "" || made[name] != after[name] {
			t.Errorf("%s is missing or has changed while processes used it", name)
		}
	}
	for _, want := range []string{"certificate=kube-apiserver reason=ExpiresSoon", "certificate=etcd-ca reason=ExpiresSoon", "replaced at the next start"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("the log does not say %q", want)
		}
	}

	// A CA that has been spoilt is not replaced under them either.
	if err := os.Remove(filepath.Join(d.pki(), "etcd-ca.key")); err != nil {
		t.Fatal(err)
	}
	_, err := ensureCredentials(d, day().AddDate(9, 0, 0), silent, true)
	assertError(t, err, "cannot be read any more", "start it again")
	mustEnsure(t, d, day().AddDate(9, 0, 0))
}

// What etcd's CA has signed must open no door of the API.
func TestEtcdHasACAOfItsOwn(t *testing.T) {
	c := mustEnsure(t, dataDir(t.TempDir()), time.Now())
	ca, err := c.ca.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	for name, want := range map[string]bool{
		leafAPIServer: true, leafControllerManager: true, leafAdmin: true, leafMarina: true,
		leafEtcdServer: false, leafEtcdClient: false,
	} {
		cert, err := c.leaves[name].Certificate()
		if err != nil {
			t.Fatal(err)
		}
		_, err = cert.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
		if (err == nil) != want {
			t.Errorf("%s is trusted by the API: %v, want %v", name, err == nil, want)
		}
	}
}

func TestALostEncryptionKeyIsNotMadeAgain(t *testing.T) {
	d := dataDir(t.TempDir())
	mustEnsure(t, d, time.Now())
	path := filepath.Join(d.pki(), "encryption.yaml")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	mustEnsure(t, d, time.Now()) // there is no data yet
	if err := os.MkdirAll(filepath.Join(d.etcd(), "member"), 0o700); err != nil {
		t.Fatal(err)
	}
	mustEnsure(t, d, time.Now()) // the key is there
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	_, err := ensureCredentials(d, time.Now(), silent, false)
	assertError(t, err, path+" is missing", "restore that file from a backup")
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("it was made again (%v)", err)
	}
}

func TestWhatCannotBeReadIsNotReplaced(t *testing.T) {
	d := dataDir(t.TempDir())
	mustEnsure(t, d, time.Now())
	path := filepath.Join(d.pki(), "ca.key")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	// A folder cannot be read as a file, whoever asks.
	if err := os.Mkdir(path, fs.ModeDir|0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := ensureCredentials(d, time.Now(), silent, false); err == nil {
		t.Error("no error")
	}
}
