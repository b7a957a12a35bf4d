package up

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/marina-dev/marina/pkg/pki"
)

// Whoever is killed while he replaces a pair leaves the old one or the new one. The
// states in between are made from what the three steps write.
func TestAPairIsReplacedAsOne(t *testing.T) {
	old, err := pki.NewCA("old", day(), 0)
	if err != nil {
		t.Fatal(err)
	}
	next, err := pki.NewCA("new", day(), 0)
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		files map[string][]byte
		want  pki.KeyPair
	}{
		"before the first step": {map[string][]byte{"ca.crt": old.CertPEM, "ca.key": old.KeyPEM}, old},
		"after the first": {map[string][]byte{
			"ca.crt.next": next.CertPEM, "ca.crt": old.CertPEM, "ca.key": old.KeyPEM}, old},
		"after the second": {map[string][]byte{
			"ca.crt.next": next.CertPEM, "ca.crt": old.CertPEM, "ca.key": next.KeyPEM}, next},
		"after the third":                {map[string][]byte{"ca.crt": next.CertPEM, "ca.key": next.KeyPEM}, next},
		"the first of all, after a step": {map[string][]byte{"ca.crt.next": next.CertPEM}, pki.KeyPair{}},
		"the first of all, after two":    {map[string][]byte{"ca.crt.next": next.CertPEM, "ca.key": next.KeyPEM}, next},
		"the next one is damaged": {map[string][]byte{
			"ca.crt.next": next.CertPEM[:9], "ca.crt": old.CertPEM, "ca.key": old.KeyPEM}, old},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			s := keyStore{dir: t.TempDir(), now: day(), log: silent}
			for file, content := range tc.files {
				write(t, filepath.Join(s.dir, file), string(content), 0o600)
			}
			for range 2 {
				got, err := s.readPair("ca")
				if diff := cmp.Diff(tc.want, got); diff != "" || err != nil {
					t.Fatalf("%v, pair (-want +got):\n%s", err, diff)
				}
			}
			if _, err := os.Stat(s.certFile("ca") + nextSuffix); !os.IsNotExist(err) {
				t.Errorf("what waited is still there (%v)", err)
			}
		})
	}
}

// Each step of writePair that fails leaves a pair that is whole.
func TestAPairThatCannotBeReplacedStays(t *testing.T) {
	old, _ := pki.NewCA("old", day(), 0)
	next, _ := pki.NewCA("new", day(), 0)
	s := keyStore{dir: t.TempDir(), now: day(), log: silent}
	if err := s.writePair("ca", old); err != nil {
		t.Fatal(err)
	}
	// A folder in the place of the key stops root too.
	key := read(t, s.keyFile("ca"))
	if err := os.Remove(s.keyFile("ca")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(s.keyFile("ca"), "file"), "", 0o600)
	if err := s.writePair("ca", next); err == nil {
		t.Fatal("want an error")
	}
	if err := os.RemoveAll(s.keyFile("ca")); err != nil {
		t.Fatal(err)
	}
	write(t, s.keyFile("ca"), key, 0o600)
	got, err := s.readPair("ca")
	if diff := cmp.Diff(old, got); diff != "" || err != nil {
		t.Errorf("%v, pair (-want +got):\n%s", err, diff)
	}
}
