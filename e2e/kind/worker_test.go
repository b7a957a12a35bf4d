//go:build kind

package kind

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/e2e/harness"
)

// newWorker is a machine with containerd, kubelet and kubeadm that belongs to nobody.
func newWorker(t *testing.T, name, version string) {
	t.Helper()
	release := "v" + strings.Split(version, "-")[0]
	t.Cleanup(func() {
		ctx, cancel := background(time.Minute)
		defer cancel()
		if t.Failed() {
			log, _ := execute(ctx, "docker", "exec", name, "journalctl", "--no-pager", "-u", "kubelet", "-n", "40")
			t.Logf("kubelet of %s:\n%s", name, log)
		}
		if _, err := execute(ctx, "hack/kind/kind.sh", "worker", "down", name); err != nil {
			t.Error(err)
		}
	})
	_, err := execute(t.Context(), "hack/kind/kind.sh", "worker", "up", name, release)
	harness.Check(t, err)
}

// join has a machine join by kubeadm, with a token that lets in its name only.
func (s *tenant) join(t *testing.T, worker string) {
	t.Helper()
	began := time.Now()
	command, err := marina(t.Context(), "token", "create", s.name, "--node", worker, "-o", "join-command")
	harness.Check(t, err)
	arguments := append([]string{"docker", "exec", worker}, strings.Fields(strings.ReplaceAll(command, "\\\n", " "))...)
	// The kubelet of a test runs on cgroups of version 1.
	_, err = execute(t.Context(), append(arguments, "--ignore-preflight-errors=SystemVerification")...)
	harness.Check(t, err)
	harness.Check(t, harness.Await(t.Context(), 3*time.Minute, func(ctx context.Context) error {
		node, err := s.api.CoreV1().Nodes().Get(ctx, worker, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, c := range node.Status.Conditions {
			if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue {
				return nil
			}
		}
		return fmt.Errorf("node %s is not ready: %+v", worker, node.Status.Conditions)
	}))
	t.Logf("node %s is Ready %.1f s after its token was asked for", worker, time.Since(began).Seconds())
}

// kubectl runs as the tenant's administrator.
func (s *tenant) kubectl(ctx context.Context, args ...string) (string, error) {
	return execute(ctx, append([]string{"kubectl", "--kubeconfig", s.kubeconfig}, args...)...)
}

// A machine joins by kubeadm and runs what every cluster has; the API server reaches its
// pods through Konnectivity.
func TestAWorkerJoinsAndRunsPods(t *testing.T) {
	for name, version := range map[string]string{"older": "1.36.4-1", "newer": "1.37.1-1"} {
		t.Run(name, func(t *testing.T) {
			s := newTenant(t, name, version)
			worker := "worker-of-" + name
			newWorker(t, worker, version)
			s.join(t, worker)
			ctx := t.Context()
			for _, workload := range []string{"daemonset/kube-proxy", "deployment/coredns", "deployment/konnectivity-agent"} {
				_, err := s.kubectl(ctx, "-n", "kube-system", "rollout", "status", workload, "--timeout=3m")
				harness.Check(t, err)
			}
			t.Run("services", func(t *testing.T) {
				// The first address of the range is the API server, through kube-proxy.
				_, err := execute(ctx, "docker", "exec", worker, "curl", "-sSk", "--max-time", "10", "https://10.96.0.1/livez")
				harness.Check(t, err)
			})
			t.Run("logs", func(t *testing.T) {
				out, err := s.kubectl(ctx, "-n", "kube-system", "logs", "deployment/coredns")
				harness.Check(t, err)
				if !strings.Contains(out, "CoreDNS-") {
					t.Errorf("the log of CoreDNS says %q", out)
				}
			})
			t.Run("exec", func(t *testing.T) {
				out, err := s.kubectl(ctx, "-n", "kube-system", "exec", "deployment/coredns", "--", "coredns", "-version")
				harness.Check(t, err)
				if !strings.Contains(out, "CoreDNS-") {
					t.Errorf("it prints %q", out)
				}
			})
			t.Run("port-forward and DNS", func(t *testing.T) { s.resolve(t) })
		})
	}
}

var forwarding = regexp.MustCompile(`127\.0\.0\.1:(\d+)`)

// resolve asks the cluster's DNS for the API server, through a forwarded port.
func (s *tenant) resolve(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, "kubectl", "--kubeconfig", s.kubeconfig, "-n", "kube-system", "port-forward", "deployment/coredns", ":53")
	out, err := cmd.StdoutPipe()
	harness.Check(t, err)
	harness.Check(t, cmd.Start())
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait()
	})
	line := make([]byte, 256)
	n, err := out.Read(line)
	harness.Check(t, err)
	port := forwarding.FindStringSubmatch(string(line[:n]))
	if port == nil {
		t.Fatalf("kubectl port-forward says %q", line[:n])
	}
	resolver := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", "127.0.0.1:"+port[1])
	}}
	addresses, err := resolver.LookupHost(ctx, "kubernetes.default.svc.cluster.local.")
	harness.Check(t, err)
	if len(addresses) != 1 || addresses[0] != "10.96.0.1" {
		t.Errorf("the API server resolves to %v, want 10.96.0.1", addresses)
	}
}
