package local

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	certv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/pki"
)

// hollowNode is a kubelet without containers, which joins as a real one does.
type hollowNode struct {
	name, dir string
	log       bytes.Buffer
	cmd       *exec.Cmd
}

// join starts a hollow node of the release that a cluster runs, with a token for
// its name; extra are further flags of the hollow node.
func join(t *testing.T, cluster, name string) *hollowNode {
	t.Helper()
	token, err := shared.CLI(t.Context(), "token", "create", cluster, "--node", name)
	check(t, err)
	return joinWith(t, cluster, name, []byte(token))
}

// joinWith is join with a bootstrap kubeconfig.
func joinWith(t *testing.T, cluster, name string, bootstrap []byte) *hollowNode {
	t.Helper()
	n := &hollowNode{name: name, dir: t.TempDir()}
	// All hollow nodes have this machine's address, which only one Node at a time may
	// have a serving certificate for.
	c, _ := tenant(t, shared, cluster)
	t.Cleanup(func() {
		if err := c.CoreV1().Nodes().Delete(context.Background(), name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	check(t, os.WriteFile(n.bootstrap(), bootstrap, 0o600))
	n.start(t, cluster)
	return n
}

func (n *hollowNode) bootstrap() string { return filepath.Join(n.dir, "bootstrap.kubeconfig") }

func (n *hollowNode) start(t *testing.T, cluster string) {
	t.Helper()
	version := "v" + strings.Split(clusters[cluster], "-")[0]
	binary, err := harness.Binary("kubernetes", version, "hollow-node")
	check(t, err)
	n.cmd = exec.Command(binary, "--name", n.name, "--root-dir", filepath.Join(n.dir, "root"), "--bootstrap-kubeconfig", n.bootstrap())
	n.cmd.Stdout, n.cmd.Stderr = &n.log, &n.log
	check(t, n.cmd.Start())
	t.Cleanup(func() { n.stop(t) })
}

func (n *hollowNode) stop(t *testing.T) {
	if n.cmd.ProcessState != nil {
		return
	}
	check(t, n.cmd.Process.Signal(syscall.SIGKILL))
	_ = n.cmd.Wait()
	if t.Failed() {
		t.Logf("log of %s:\n%s", n.name, n.log.String())
	}
}

// nodeIs waits for a status of the condition Ready.
func nodeIs(ctx context.Context, c kubernetes.Interface, name string, status corev1.ConditionStatus) error {
	return harness.Await(ctx, time.Minute, func(ctx context.Context) error {
		node, err := c.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, condition := range node.Status.Conditions {
			if condition.Type == corev1.NodeReady && condition.Status == status {
				return nil
			}
		}
		return fmt.Errorf("node %s: %v", name, node.Status.Conditions)
	})
}

// requests are the certificate signing requests of a node, by signer.
func requests(ctx context.Context, c kubernetes.Interface, node string) (map[string][]certv1.CertificateSigningRequest, error) {
	list, err := c.CertificatesV1().CertificateSigningRequests().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	found := map[string][]certv1.CertificateSigningRequest{}
	for _, csr := range list.Items {
		block, _ := pem.Decode(csr.Spec.Request)
		if block == nil {
			continue
		}
		if request, err := x509.ParseCertificateRequest(block.Bytes); err == nil && request.Subject.CommonName == "system:node:"+node {
			found[csr.Spec.SignerName] = append(found[csr.Spec.SignerName], csr)
		}
	}
	return found, nil
}

func issued(csr certv1.CertificateSigningRequest) bool { return len(csr.Status.Certificate) > 0 }

func TestANodeJoins(t *testing.T) {
	for cluster := range clusters {
		t.Run(cluster, func(t *testing.T) {
			name := "worker-of-" + cluster
			c, _ := tenant(t, shared, cluster)
			join(t, cluster, name)
			check(t, nodeIs(t.Context(), c, name, corev1.ConditionTrue))

			check(t, harness.Await(t.Context(), 30*time.Second, func(ctx context.Context) error {
				all, err := requests(ctx, c, name)
				if err != nil {
					return err
				}
				client, serving := all[certv1.KubeAPIServerClientKubeletSignerName], all[certv1.KubeletServingSignerName]
				if len(client) != 1 || !issued(client[0]) || !strings.HasPrefix(client[0].Spec.Username, "system:bootstrap:") {
					return fmt.Errorf("client certificate: %d requests, want one that was asked for with the token and issued", len(client))
				}
				if len(serving) == 0 || !issued(serving[len(serving)-1]) {
					return fmt.Errorf("serving certificate: %d requests, want one that was issued", len(serving))
				}
				return nil
			}))
		})
	}
}

// The token of one node must not let another in: whoever reads a node's user data
// could otherwise pose as any node, and read what is mounted there.
func TestATokenOfOneNodeDoesNotLetAnotherIn(t *testing.T) {
	c, _ := tenant(t, shared, "new")
	n := &hollowNode{name: "an-impostor", dir: t.TempDir()}
	token, err := shared.CLI(t.Context(), "token", "create", "new", "--node", "the-right-one")
	check(t, err)
	check(t, os.WriteFile(n.bootstrap(), []byte(token), 0o600))
	n.start(t, "new")
	check(t, harness.Await(t.Context(), time.Minute, func(ctx context.Context) error {
		all, err := requests(ctx, c, n.name)
		if err != nil {
			return err
		}
		for _, csr := range all[certv1.KubeAPIServerClientKubeletSignerName] {
			if issued(csr) {
				return harness.Fatal(fmt.Errorf("%s got a certificate", n.name))
			}
			for _, condition := range csr.Status.Conditions {
				if condition.Type == certv1.CertificateDenied && strings.Contains(condition.Message, "the-right-one") {
					return nil
				}
			}
		}
		return fmt.Errorf("no request of %s was denied with words that name the right node", n.name)
	}))
}

// A node whose client certificate is about to expire renews it by itself, as
// system:node and not with a token.
func TestANodeRenewsItsCertificate(t *testing.T) {
	const cluster, name = "new", "renewing"
	c, _ := tenant(t, shared, cluster)
	n := join(t, cluster, name)
	check(t, nodeIs(t.Context(), c, name, corev1.ConditionTrue))
	n.stop(t)

	// The same identity with a minute left, as if a year had passed.
	current, err := getCluster(t.Context(), shared, cluster)
	check(t, err)
	secret := &corev1.Secret{}
	check(t, shared.Client.Get(t.Context(), client.ObjectKey{Namespace: current.Status.Namespace, Name: v1alpha1.SecretCA}, secret))
	ca, _ := pki.FromSecretData(secret.Data)
	pair, err := ca.Issue(pki.Request{CommonName: "system:node:" + name, Organization: []string{"system:nodes"}, Usage: pki.ClientAuth, Validity: time.Minute}, time.Now())
	check(t, err)
	stored := filepath.Join(n.dir, "root", "pki", "kubelet-client-current.pem")
	target, err := filepath.EvalSymlinks(stored)
	check(t, err)
	check(t, os.WriteFile(target, append(pair.CertPEM, pair.KeyPEM...), 0o600))
	check(t, os.Remove(n.bootstrap()))

	n.start(t, cluster)
	check(t, harness.Await(t.Context(), time.Minute, func(ctx context.Context) error {
		all, err := requests(ctx, c, name)
		if err != nil {
			return err
		}
		for _, csr := range all[certv1.KubeAPIServerClientKubeletSignerName] {
			if csr.Spec.Username == "system:node:"+name && issued(csr) {
				return nil
			}
		}
		return fmt.Errorf("no certificate was issued to system:node:%s", name)
	}))
	check(t, nodeIs(t.Context(), c, name, corev1.ConditionTrue))
}
