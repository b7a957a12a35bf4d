//go:build kind

package kind

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/dataplane/userdata"
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

// joinByUserData has a machine join as a virtual machine does with cloud-init: it is given
// its user data and nothing else of the cluster.
func (s *tenant) joinByUserData(t *testing.T, worker string) {
	t.Helper()
	began := time.Now()
	bootstrap, err := marina(t.Context(), "token", "create", s.name, "--node", worker)
	harness.Check(t, err)
	kubelet, err := s.api.CoreV1().ConfigMaps("kube-system").Get(t.Context(), "kubelet-config", metav1.GetOptions{})
	harness.Check(t, err)
	files, err := userdata.Files(userdata.Node{
		Name: worker, BootstrapKubeconfig: []byte(bootstrap), KubeletConfiguration: []byte(kubelet.Data["kubelet"]),
		Capacity: userdata.Capacity{CPUs: 2, MemoryMiB: 4096, DiskGiB: 20},
		Labels:   map[string]string{"node.kubernetes.io/pool": "web"},
		Taints:   []corev1.Taint{{Key: "env", Value: "demo", Effect: corev1.TaintEffectPreferNoSchedule}},
	})
	harness.Check(t, err)
	join := files[len(files)-1].Path
	// What the user data asks cloud-init, it answers as on a server of OpenStack.
	const server = "7c2f9c4e-0b39-4c43-8f6c-3f2f8f0e6a11"
	files = append(files, userdata.File{Path: "/usr/local/bin/cloud-init", Permissions: "0755", Content: "#!/bin/sh\n" +
		`case "$*" in "query platform") echo openstack ;; "query instance_id") echo ` + server + ` ;; *) exit 2 ;; esac` + "\n"})
	for i, f := range files {
		local := filepath.Join(t.TempDir(), strconv.Itoa(i))
		mode, err := strconv.ParseUint(f.Permissions, 8, 32)
		harness.Check(t, errors.Join(err, os.WriteFile(local, []byte(f.Content), 0o600), os.Chmod(local, os.FileMode(mode))))
		for _, command := range [][]string{
			{"docker", "exec", worker, "mkdir", "-p", path.Dir(f.Path)},
			{"docker", "cp", local, worker + ":" + f.Path},
		} {
			_, err := execute(t.Context(), command...)
			harness.Check(t, err)
		}
	}
	_, err = execute(t.Context(), "docker", "exec", worker, join)
	harness.Check(t, err)
	s.awaitNode(t, worker)
	t.Logf("node %s of %s is Ready %.1f s after its token was asked for, by user data", worker, s.name, time.Since(began).Seconds())

	node, err := s.api.CoreV1().Nodes().Get(t.Context(), worker, metav1.GetOptions{})
	harness.Check(t, err)
	tainted := slices.ContainsFunc(node.Spec.Taints, func(taint corev1.Taint) bool {
		return taint.Key == "env" && taint.Value == "demo" && taint.Effect == corev1.TaintEffectPreferNoSchedule
	})
	if node.Spec.ProviderID != "openstack:///"+server || node.Labels["node.kubernetes.io/pool"] != "web" || !tainted {
		t.Errorf("node %s has the provider id %q, the labels %v and the taints %v", worker, node.Spec.ProviderID, node.Labels, node.Spec.Taints)
	}
	reserved := node.Status.Capacity.Memory().Value() - node.Status.Allocatable.Memory().Value()
	if reserved < 1<<30 {
		t.Errorf("%d bytes of its memory are reserved, want 1 GiB and what the kubelet evicts at", reserved)
	}
}

func (s *tenant) awaitNode(t *testing.T, name string) {
	t.Helper()
	harness.Check(t, harness.AwaitEvery(t.Context(), time.Second/4, 3*time.Minute, func(ctx context.Context) error {
		node, err := s.api.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if !nodeReady(*node) {
			return fmt.Errorf("node %s is not ready: %+v", name, node.Status.Conditions)
		}
		return nil
	}))
}

func nodeReady(node corev1.Node) bool {
	return slices.ContainsFunc(node.Status.Conditions, func(c corev1.NodeCondition) bool {
		return c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue
	})
}

// awaitAddons waits until what every cluster runs on its nodes is ready.
func (s *tenant) awaitAddons(t *testing.T) {
	t.Helper()
	for _, workload := range []string{"daemonset/kube-proxy", "deployment/coredns", "deployment/konnectivity-agent"} {
		_, err := s.kubectl(t.Context(), "-n", "kube-system", "rollout", "status", workload, "--timeout=3m")
		harness.Check(t, err)
	}
}
