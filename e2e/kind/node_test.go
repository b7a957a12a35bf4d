//go:build kind

package kind

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/e2e/harness"
)

// newWorkers are machines with containerd, kubelet and kubeadm of a version, by name; they
// belong to nobody.
func newWorkers(t *testing.T, versions map[string]string) {
	t.Helper()
	var all sync.WaitGroup
	for name, version := range versions {
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
		all.Go(func() {
			if _, err := execute(t.Context(), "hack/kind/kind.sh", "worker", "up", name, "v"+strings.Split(version, "-")[0]); err != nil {
				t.Error(err)
			}
		})
	}
	if all.Wait(); t.Failed() {
		t.FailNow()
	}
}

// joinByKubeadm has a machine join by kubeadm, with a token that lets in its name only.
func (s *tenant) joinByKubeadm(t *testing.T, worker string) {
	t.Helper()
	began := time.Now()
	command, err := marina(t.Context(), "token", "create", s.name, "--node", worker, "-o", "join-command")
	harness.Check(t, err)
	arguments := append([]string{"docker", "exec", worker}, strings.Fields(command)...)
	// The kubelet of a test runs on cgroups of version 1.
	_, err = execute(t.Context(), append(arguments, "--ignore-preflight-errors=SystemVerification")...)
	harness.Check(t, err)
	s.awaitNode(t, worker)
	t.Logf("node %s of %s is Ready %.1f s after its token was asked for, by kubeadm", worker, s.name, time.Since(began).Seconds())
}

// joinByUserData has a machine join as a virtual machine does with cloud-init: a bare
// kubelet is given a bootstrap kubeconfig and nothing else of the cluster.
func (s *tenant) joinByUserData(t *testing.T, worker string) {
	t.Helper()
	began := time.Now()
	bootstrap, err := marina(t.Context(), "token", "create", s.name, "--node", worker)
	harness.Check(t, err)
	file := filepath.Join(t.TempDir(), "bootstrap.kubeconfig")
	harness.Check(t, os.WriteFile(file, []byte(bootstrap), 0o600))
	for _, command := range [][]string{
		{"docker", "cp", file, worker + ":/etc/kubernetes/bootstrap.kubeconfig"},
		{"docker", "cp", "e2e/kind/userdata.sh", worker + ":/usr/local/bin/userdata.sh"},
		{"docker", "exec", worker, "bash", "/usr/local/bin/userdata.sh"},
	} {
		_, err := execute(t.Context(), command...)
		harness.Check(t, err)
	}
	s.awaitNode(t, worker)
	t.Logf("node %s of %s is Ready %.1f s after its token was asked for, by user data", worker, s.name, time.Since(began).Seconds())
}

func (s *tenant) awaitNode(t *testing.T, name string) {
	t.Helper()
	harness.Check(t, harness.AwaitEvery(t.Context(), time.Second/4, 3*time.Minute, func(ctx context.Context) error {
		node, err := s.api.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, c := range node.Status.Conditions {
			if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue {
				return nil
			}
		}
		return fmt.Errorf("node %s is not ready: %+v", name, node.Status.Conditions)
	}))
}

// awaitAddons waits until what every cluster runs on its nodes is ready.
func (s *tenant) awaitAddons(t *testing.T) {
	t.Helper()
	for _, workload := range []string{"daemonset/kube-proxy", "deployment/coredns", "deployment/konnectivity-agent"} {
		_, err := s.kubectl(t.Context(), "-n", "kube-system", "rollout", "status", workload, "--timeout=3m")
		harness.Check(t, err)
	}
}
