//go:build kind

package kind

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/pki"
)

const backendImage = "marina.local/e2e-backend:test"

// buildBackend writes the image of e2e/kind/backend into a folder.
func buildBackend(t *testing.T, dir string) (archive string) {
	t.Helper()
	archive = filepath.Join(dir, "image.tar")
	for _, command := range [][]string{
		// There is nothing else in the image.
		{"env", "CGO_ENABLED=0", "go", "build", "-trimpath", "-o", filepath.Join(dir, "backend"), "./e2e/kind/backend"},
		{"go", "run", "./hack/images", "-out", archive, "-name", backendImage, "/backend=" + filepath.Join(dir, "backend")},
	} {
		_, err := execute(t.Context(), command...)
		harness.Check(t, err)
	}
	return archive
}

// deployBackend runs the backend on each worker of a tenant, as a service, a webhook and
// an aggregated API.
func (s *tenant) deployBackend(t *testing.T, archive string, workers ...string) {
	t.Helper()
	for _, worker := range workers {
		file, err := os.Open(archive)
		harness.Check(t, err)
		cmd := exec.CommandContext(t.Context(), "docker", "exec", "-i", worker, "ctr", "-n", "k8s.io", "images", "import", "--all-platforms", "--label=io.cri-containerd.pinned=pinned", "-")
		cmd.Stdin = file
		out, err := cmd.CombinedOutput()
		_ = file.Close()
		if err != nil {
			t.Fatalf("importing into %s: %v: %s", worker, err, out)
		}
	}
	ca, err := pki.NewCA("backend", time.Now(), 0)
	harness.Check(t, err)
	serving, err := ca.Issue(pki.Request{CommonName: "backend", DNSNames: []string{"backend.backend.svc"}, Usage: pki.ServerAuth}, time.Now())
	harness.Check(t, err)
	text, err := os.ReadFile("backend.yaml")
	harness.Check(t, err)
	encode := base64.StdEncoding.EncodeToString
	manifest := filepath.Join(t.TempDir(), "backend.yaml")
	filled := strings.NewReplacer("CERTIFICATE", encode(serving.CertPEM), "KEY", encode(serving.KeyPEM), "AUTHORITY", encode(ca.CertPEM), "IMAGE", backendImage)
	harness.Check(t, os.WriteFile(manifest, []byte(filled.Replace(string(text))), 0o600))
	_, err = s.kubectl(t.Context(), "apply", "-f", manifest)
	harness.Check(t, err)
	_, err = s.kubectl(t.Context(), "-n", "backend", "rollout", "status", "daemonset/backend", "--timeout=2m")
	harness.Check(t, err)
	_, err = s.kubectl(t.Context(), "wait", "--for=condition=Available", "apiservice/v1.test.marina.dev", "--timeout=2m")
	harness.Check(t, err)
}

// backends are the pods of it, by worker.
func (s *tenant) backends(t *testing.T) map[string]corev1.Pod {
	t.Helper()
	list, err := s.api.CoreV1().Pods("backend").List(t.Context(), metav1.ListOptions{LabelSelector: "app=backend"})
	harness.Check(t, err)
	byWorker := map[string]corev1.Pod{}
	for _, pod := range list.Items {
		if !ready(pod) {
			t.Fatalf("pod %s is not ready: %+v", pod.Name, pod.Status)
		}
		byWorker[pod.Spec.NodeName] = pod
	}
	return byWorker
}

// assertNetwork checks that pods reach each other, Services, DNS and the API server, also
// from one worker to another.
func (s *tenant) assertNetwork(t *testing.T) {
	t.Helper()
	pods := s.backends(t)
	for worker, from := range pods {
		for other, to := range pods {
			if got := s.get(t, from.Name, "http://"+to.Status.PodIP+":8080/"); got != to.Name {
				t.Errorf("the pod on %s, asked from %s, says that it is %q, want %q", other, worker, got, to.Name)
			}
		}
		answered := map[string]bool{}
		harness.Check(t, harness.Await(t.Context(), time.Minute, func(ctx context.Context) error {
			name, err := s.exec(ctx, from.Name, "/backend", "get", "http://backend.backend.svc.cluster.local/")
			if err != nil {
				return err
			}
			answered[strings.TrimSpace(name)] = true
			if len(answered) < len(pods) {
				return fmt.Errorf("of %d pods behind the service these have answered: %v", len(pods), answered)
			}
			return nil
		}))
		// The first address of the range is the API server, through kube-proxy.
		_, err := execute(t.Context(), "docker", "exec", worker, "curl", "-sSk", "--max-time", "10", "https://10.96.0.1/livez")
		harness.Check(t, err)
	}
}

// get asks a URL from within a pod of the backend.
func (s *tenant) get(t *testing.T, pod, url string) string {
	t.Helper()
	out, err := s.exec(t.Context(), pod, "/backend", "get", url)
	harness.Check(t, err)
	return strings.TrimSpace(out)
}
