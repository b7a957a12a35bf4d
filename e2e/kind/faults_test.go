//go:build kind

package kind

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// Each of these does harm, and proves that it is done. mark is called at the instant.

func deleteAPIServer(t *testing.T, s *tenant, mark func()) {
	pods, err := podsOf(t.Context(), s.namespace, "kube-apiserver")
	harness.Check(t, err)
	mark()
	harness.Check(t, management.client.Delete(t.Context(), &pods[0]))
	harness.Check(t, harness.AwaitEvery(t.Context(), time.Second/4, 3*time.Minute, func(ctx context.Context) error {
		if err := management.client.Get(ctx, client.ObjectKeyFromObject(&pods[0]), &pods[0]); err == nil {
			return fmt.Errorf("pod %s is still there", pods[0].Name)
		} else if client.IgnoreNotFound(err) != nil {
			return err
		}
		return nil
	}))
}

// killAPIServer also proves that the server has waited until nobody was sent to it any more:
// otherwise it would answer those who were some seconds late, and with "403 Forbidden".
func killAPIServer(t *testing.T, s *tenant, mark func()) {
	victim := kill(t, s.namespace, "kube-apiserver", 1, mark)[0]
	said, err := execute(t.Context(), "kubectl", "-n", s.namespace, "logs", victim.Name, "-c", "kube-apiserver")
	harness.Check(t, err)
	if first, _, _ := strings.Cut(said, "\n"); !strings.Contains(first, "launcher: started again in the same pod; waiting 5s") {
		t.Errorf("the API server that was killed has not waited before it started again; it said first: %s", first)
	}
}

func killAPIServers(t *testing.T, s *tenant, mark func()) {
	kill(t, s.namespace, "kube-apiserver", 3, mark)
}

func killEtcdLeader(t *testing.T, _ *tenant, mark func()) {
	root := etcdAs(t, v1alpha1.SystemNamespace, "etcd-default-root")
	for _, endpoint := range root.Endpoints() {
		status, err := root.Status(t.Context(), endpoint)
		harness.Check(t, err)
		if status.Leader != status.Header.MemberId {
			continue
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(endpoint, "https://"), ".")
		kill(t, v1alpha1.SystemNamespace, name, 1, mark)
		after, err := root.Status(t.Context(), endpoint)
		if err == nil && after.RaftTerm == status.RaftTerm {
			err = errors.New("there was no election")
		}
		harness.Check(t, err)
		return
	}
	t.Fatal("no member leads")
}

// kill ends the main processes of some pods with SIGKILL at once, and proves that each
// was started again. It returns them as they were before.
func kill(t *testing.T, namespace, component string, count int, mark func()) []corev1.Pod {
	t.Helper()
	pods, err := podsOf(t.Context(), namespace, component)
	if err == nil && len(pods) < count {
		err = fmt.Errorf("there are %d pods of %s", len(pods), component)
	}
	harness.Check(t, err)
	pods = pods[:count]
	victims := make([]int, len(pods))
	for i, pod := range pods {
		victims[i], err = processOf(strings.TrimPrefix(pod.Status.ContainerStatuses[0].ContainerID, "containerd://"))
		harness.Check(t, err)
	}
	mark()
	for _, pid := range victims {
		harness.Check(t, syscall.Kill(pid, syscall.SIGKILL))
	}
	for _, victim := range pods {
		before := victim.Status.ContainerStatuses[0].RestartCount
		harness.Check(t, harness.AwaitEvery(t.Context(), time.Second/4, time.Minute, func(ctx context.Context) error {
			pod := &corev1.Pod{}
			if err := management.client.Get(ctx, client.ObjectKeyFromObject(&victim), pod); err != nil {
				return err
			}
			if pod.Status.ContainerStatuses[0].RestartCount == before {
				return fmt.Errorf("pod %s has not been restarted", victim.Name)
			}
			if !ready(*pod) {
				return fmt.Errorf("pod %s is not ready", victim.Name)
			}
			return nil
		}))
	}
	return pods
}

// processOf is the process of a container, which is one of this machine as well.
func processOf(container string) (pid int, err error) {
	entries, err := filepath.Glob("/proc/[0-9]*/cgroup")
	if err != nil {
		return 0, err
	}
	for _, entry := range entries {
		// Processes end while one looks.
		if text, err := os.ReadFile(entry); err == nil && strings.Contains(string(text), container) {
			return strconv.Atoi(filepath.Base(filepath.Dir(entry)))
		}
	}
	return 0, fmt.Errorf("no process of container %s is on this machine", container)
}

func restartManagers(t *testing.T, _ *tenant, mark func()) {
	mark()
	for _, args := range [][]string{{"restart"}, {"status", "--timeout=2m"}} {
		command := append([]string{"kubectl", "-n", v1alpha1.SystemNamespace, "rollout", args[0], "deployment/marina-manager"}, args[1:]...)
		_, err := execute(t.Context(), command...)
		harness.Check(t, err)
	}
}

// upgradeManagers installs the same program by another name, as Helm does with another
// version.
func upgradeManagers(t *testing.T, _ *tenant, mark func()) {
	tag, err := imageTag(management.root)
	harness.Check(t, err)
	nodes := &corev1.NodeList{}
	harness.Check(t, management.client.List(t.Context(), nodes))
	for _, node := range nodes.Items {
		_, err := execute(t.Context(), "docker", "exec", node.Name, "ctr", "-n", "k8s.io", "images", "tag", "--force",
			"marina.local/marina:"+tag, "marina.local/marina:"+tag+"-next")
		harness.Check(t, err)
	}
	mark()
	harness.Check(t, installChart(t.Context(), tag+"-next"))
}

// rotate waits until another certificate is served by each replica in turn.
func rotate(t *testing.T, s *tenant, mark func()) {
	before := s.serial(t)
	mark()
	_, err := marina(t.Context(), "cluster", "rotate-certificates", s.name, "--wait")
	harness.Check(t, err)
	harness.Check(t, harness.AwaitEvery(t.Context(), time.Second/4, 3*time.Minute, func(context.Context) error {
		for range 20 {
			if s.serial(t) == before {
				return errors.New("an API server presents its old certificate")
			}
		}
		return nil
	}))
}

// serial is that of the certificate that an API server presents.
func (s *tenant) serial(t *testing.T) string {
	t.Helper()
	address, err := url.Parse(s.config.Host)
	harness.Check(t, err)
	connection, err := tls.Dial("tcp", address.Host, &tls.Config{InsecureSkipVerify: true})
	harness.Check(t, err)
	defer connection.Close()
	return connection.ConnectionState().PeerCertificates[0].SerialNumber.String()
}

// resize changes what the API servers ask for, which needs a rollout.
// resize also proves that an API server that begins in a new pod waits for an agent.
func resize(t *testing.T, s *tenant, mark func()) {
	class := &v1alpha1.HostingClass{}
	harness.Check(t, management.client.Get(t.Context(), client.ObjectKey{Name: s.name}, class))
	cpu := resource.MustParse("11m")
	class.Spec.Sizes.APIServer.CPU = &cpu
	mark()
	harness.Check(t, management.client.Update(t.Context(), class))
	harness.Check(t, harness.AwaitEvery(t.Context(), time.Second/4, 5*time.Minute, func(ctx context.Context) error {
		pods := &corev1.PodList{}
		if err := management.client.List(ctx, pods, client.InNamespace(s.namespace)); err != nil {
			return err
		}
		for _, pod := range pods.Items {
			if strings.HasPrefix(pod.Name, "kube-apiserver-") && !pod.Spec.Containers[0].Resources.Requests.Cpu().Equal(cpu) {
				return fmt.Errorf("pod %s asks for %s", pod.Name, pod.Spec.Containers[0].Resources.Requests.Cpu())
			}
		}
		return nil
	}))
	s.awaitReplicas(t)
	pods, err := podsOf(t.Context(), s.namespace, "kube-apiserver")
	harness.Check(t, err)
	for _, pod := range pods {
		said, err := execute(t.Context(), "kubectl", "-n", s.namespace, "logs", pod.Name, "-c", "kube-apiserver")
		harness.Check(t, err)
		first, _, _ := strings.Cut(said, "\n")
		if !strings.HasPrefix(first, "launcher: ") || !strings.Contains(first, "/readyz") {
			t.Errorf("%s has not waited for an agent; it said first: %s", pod.Name, first)
		}
		t.Logf("%s: %s", pod.Name, first)
	}
}

func restart(t *testing.T, s *tenant, mark func()) {
	mark()
	_, err := marina(t.Context(), "cluster", "restart", s.name, "--wait")
	harness.Check(t, err)
}
