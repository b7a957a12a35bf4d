package main

import (
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"k8s.io/kubernetes/pkg/kubelet"
)

func TestShortPathHoldsSocketsOfALongDirectory(t *testing.T) {
	long := filepath.Join(t.TempDir(), strings.Repeat("a", 100))
	if err := os.Mkdir(long, 0o750); err != nil {
		t.Fatal(err)
	}
	short, err := shortPath(long)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", filepath.Join(short, "runtime.sock"))
	if err != nil {
		t.Fatalf("no socket in %s: %v", short, err)
	}
	defer func() { _ = listener.Close() }()
	if _, err := os.Stat(filepath.Join(long, "runtime.sock")); err != nil {
		t.Errorf("the short name is not the same directory: %v", err)
	}
	if same, err := shortPath("/data/n"); err != nil || same != "/data/n" {
		t.Errorf("a path that fits became %q, %v", same, err)
	}
}

func TestBindAddress(t *testing.T) {
	for nodeIP, want := range map[string]string{
		"":            "",          // as configured
		"127.0.0.7":   "127.0.0.7", // this machine has it
		"203.0.113.9": "127.0.0.1", // only the simulated cloud has it
	} {
		if got := bindAddress(nodeIP); got != want {
			t.Errorf("--node-ip=%s listens on %q, want %q", nodeIP, got, want)
		}
	}
}

func TestWriteClientCA(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "pki"), 0o750); err != nil {
		t.Fatal(err)
	}
	kubeconfig := filepath.Join(dir, "kubeconfig")
	// The data is base64 of "a CA".
	if err := os.WriteFile(kubeconfig, []byte(`
apiVersion: v1
kind: Config
current-context: c
clusters: [{name: c, cluster: {server: "https://127.0.0.1:6443", certificate-authority-data: YSBDQQ==}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
users: [{name: u, user: {token: t}}]
`), 0o600); err != nil {
		t.Fatal(err)
	}
	// A restarted node has no bootstrap kubeconfig any more.
	o := options{rootDir: dir, bootstrapKubeconfig: filepath.Join(dir, "gone"), kubeconfig: kubeconfig}
	file, err := writeClientCA(o)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != "a CA" {
		t.Errorf("%s has %q, %v", file, got, err)
	}
	if _, err := writeClientCA(options{rootDir: dir, kubeconfig: filepath.Join(dir, "gone")}); err == nil {
		t.Error("a node without any kubeconfig was accepted")
	}
}

// TestNodeIPCheckIsThere fails when a minor moves the private field that
// acceptAnyNodeIP writes to.
func TestNodeIPCheckIsThere(t *testing.T) {
	field, ok := reflect.TypeFor[kubelet.Kubelet]().FieldByName(nodeIPCheck)
	if want := reflect.TypeFor[func(net.IP) error](); !ok || field.Type != want {
		t.Errorf("Kubelet.%s: there=%t, type %v, want %v", nodeIPCheck, ok, field.Type, want)
	}
}
