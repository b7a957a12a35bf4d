package local

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/e2e/harness"
)

// kubectlServerVersion is what "kubectl version" says of a tenant's server.
func kubectlServerVersion(t *testing.T, name string) string {
	t.Helper()
	kubectl, err := harness.Binary("kubernetes", "v1.37.1", "kubectl")
	check(t, err)
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	_, err = shared.CLI(t.Context(), "kubeconfig", "get", name, "-o", kubeconfig)
	check(t, err)
	cmd := exec.CommandContext(t.Context(), kubectl, "--kubeconfig", kubeconfig, "version", "-o", "json")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("kubectl version: %v: %s", err, stderr.String())
	}
	var v struct{ ServerVersion struct{ GitVersion string } }
	check(t, json.Unmarshal(out, &v))
	return v.ServerVersion.GitVersion
}

func TestEachClusterRunsItsOwnVersion(t *testing.T) {
	for name, release := range clusters {
		want := "v" + strings.Split(release, "-")[0]
		if got := kubectlServerVersion(t, name); got != want {
			t.Errorf("cluster %s of release %s: kubectl version says %s, want %s", name, release, got, want)
		}
	}
}

func TestClustersDoNotSeeEachOther(t *testing.T) {
	a, configA := tenant(t, shared, "old")
	b, configB := tenant(t, shared, "new")
	_, err := a.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "seen-by-one"}}, metav1.CreateOptions{})
	check(t, err)
	if _, err := b.CoreV1().Namespaces().Get(t.Context(), "seen-by-one", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("a namespace made in one cluster, asked for in the other: %v, want not found", err)
	}

	// The credentials of one are nothing in the other, even at the same address.
	crossed := *configA
	crossed.Host, crossed.CAData = configB.Host, configB.CAData
	if _, err := newClient(&crossed).CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{}); !apierrors.IsUnauthorized(err) {
		t.Errorf("one cluster's kubeconfig at the other's address: %v, want unauthorized", err)
	}
}

func TestStrangersReadHealthAndClusterInfoOnly(t *testing.T) {
	_, config := tenant(t, shared, "new")
	stranger := *config
	stranger.CertData, stranger.KeyData = nil, nil
	c := newClient(&stranger)
	for path, allowed := range map[string]bool{
		"/readyz": true, "/livez": true,
		"/api/v1/namespaces/kube-public/configmaps/cluster-info": true,
		"/version":                        false,
		"/api":                            false,
		"/api/v1/namespaces":              false,
		"/apis/rbac.authorization.k8s.io": false,
		"/metrics":                        false,
		"/api/v1/namespaces/kube-public/configmaps":                false,
		"/api/v1/namespaces/kube-system/configmaps/kubelet-config": false,
	} {
		err := c.CoreV1().RESTClient().Get().AbsPath(path).Do(t.Context()).Error()
		if allowed && err != nil {
			t.Errorf("a stranger's GET %s: %v, want it answered", path, err)
		}
		if !allowed && !apierrors.IsUnauthorized(err) {
			t.Errorf("a stranger's GET %s: %v, want unauthorized", path, err)
		}
	}
}

func TestWhatATenantHas(t *testing.T) {
	for name := range clusters {
		c, _ := tenant(t, shared, name)
		info, err := c.CoreV1().ConfigMaps("kube-public").Get(t.Context(), "cluster-info", metav1.GetOptions{})
		check(t, err)
		if !strings.Contains(info.Data["kubeconfig"], "server: https://127.0.0.1:") {
			t.Errorf("%s: cluster-info does not name the endpoint: %s", name, info.Data["kubeconfig"])
		}
		kubelet, err := c.CoreV1().ConfigMaps("kube-system").Get(t.Context(), "kubelet-config", metav1.GetOptions{})
		check(t, err)
		for _, want := range []string{"10.96.0.10", "cluster.local", "serverTLSBootstrap: true"} {
			if !strings.Contains(kubelet.Data["kubelet"], want) {
				t.Errorf("%s: kubelet-config does not hold %q:\n%s", name, want, kubelet.Data["kubelet"])
			}
		}
		nodes, err := c.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
		check(t, err)
		for _, node := range nodes.Items {
			if _, isControlPlane := node.Labels["node-role.kubernetes.io/control-plane"]; isControlPlane {
				t.Errorf("%s: the control plane is visible as node %s", name, node.Name)
			}
		}
	}
}
