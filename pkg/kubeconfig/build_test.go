package kubeconfig

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/transport"

	"github.com/marina-dev/marina/pkg/pki"
)

func TestKubeconfigsOpenTheDoor(t *testing.T) {
	ca := mustCA(t)
	url := startServer(t, ca)
	pair := mustIssue(t, ca, admin())
	cases := map[string]struct {
		cfg   *api.Config
		files map[string][]byte
		want  string
	}{
		"Embedded":  {cfg: Embedded("marina/default/prod", url, ca.CertPEM, pair), want: "admin"},
		"ByFiles":   {cfg: ByFiles(url), files: pki.SecretData(pair, ca.CertPEM), want: "admin"},
		"Bootstrap": {cfg: Bootstrap(url, ca.CertPEM, "abcdef.0123456789abcdef"), want: "Bearer abcdef.0123456789abcdef"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			// The working directory of this test is another than the kubeconfig's.
			path := filepath.Join(t.TempDir(), "kubeconfig")
			writeFiles(t, filepath.Dir(path), tc.files)
			if err := WriteFile(path, tc.cfg); err != nil {
				t.Fatalf("WriteFile: %v", err)
			}
			client, url := connect(t, path)
			if got := ask(t, client, url); got != tc.want {
				t.Errorf("the server saw %q, want %q", got, tc.want)
			}
		})
	}
}

// TestByFilesFollowsARotation: a component keeps its client for as long as it runs, so a new certificate
// must reach the server through a client that exists already.
func TestByFilesFollowsARotation(t *testing.T) {
	before := transport.CertCallbackRefreshDuration
	if before != 5*time.Minute {
		t.Errorf("client-go looks every %s: the documentation of ByFiles says five minutes", before)
	}
	transport.CertCallbackRefreshDuration = 10 * time.Millisecond
	t.Cleanup(func() { transport.CertCallbackRefreshDuration = before })

	ca := mustCA(t)
	url := startServer(t, ca)
	path := filepath.Join(t.TempDir(), "kubeconfig")
	req := admin()
	writeFiles(t, filepath.Dir(path), pki.SecretData(mustIssue(t, ca, req), ca.CertPEM))
	if err := WriteFile(path, ByFiles(url)); err != nil {
		t.Fatal(err)
	}
	client, url := connect(t, path)
	if got := ask(t, client, url); got != "admin" {
		t.Fatalf("the server saw %q, want admin", got)
	}

	req.CommonName = "admin-2"
	writeFiles(t, filepath.Dir(path), pki.SecretData(mustIssue(t, ca, req), ca.CertPEM))
	deadline, again := time.After(time.Minute), time.Tick(10*time.Millisecond)
	for {
		// client-go closes its connections at the change, so a request may fail in between.
		answer, err := get(client, url)
		if err == nil && answer == "admin-2" {
			return
		}
		select {
		case <-again:
		case <-deadline:
			t.Fatalf("the server still sees %q, %v; want admin-2", answer, err)
		}
	}
}

func TestEncode(t *testing.T) {
	ca := mustCA(t)
	cfg := Merge(Embedded("b", "https://b", ca.CertPEM, ca), Embedded("a", "https://a", ca.CertPEM, ca), false)
	first, err := Encode(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		again, err := Encode(cfg.DeepCopy())
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first, again) {
			t.Fatal("the same kubeconfig encodes to different bytes: content-named Secrets would change each pass")
		}
	}
	if !strings.Contains(string(first), "kind: Config") {
		t.Errorf("no kind in\n%s", first)
	}
}

func TestContextNamesDoNotCollide(t *testing.T) {
	if got, want := ContextName("default", "prod"), "marina/default/prod"; got != want {
		t.Errorf("ContextName = %q, want %q", got, want)
	}
	if ContextName("a-b", "c") == ContextName("a", "b-c") {
		t.Error("two clusters have one name")
	}
}
