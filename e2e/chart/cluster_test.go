package chart

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/apitest"
	"github.com/marina-dev/marina/pkg/pki"
)

// builtIn are controllers of Kubernetes that make pods of workloads, and take things down. No pod
// ever runs, since there is no scheduler.
var builtIn = []string{
	"deployment-controller", "replicaset-controller", "statefulset-controller",
	"garbage-collector-controller", "namespace-controller", "disruption-controller", "persistentvolumeclaim-protection-controller",
}

// startBuiltIn runs the controllers until the test ends.
func startBuiltIn(t testing.TB, s *server) {
	t.Helper()
	binary, err := apitest.Binary("kubernetes/" + s.version + "/kube-controller-manager")
	if err != nil {
		t.Fatal(err)
	}
	start(t, binary, "--kubeconfig="+s.kubeconfig(), "--leader-elect=false", "--secure-port=0",
		"--controllers="+strings.Join(builtIn, ","))
}

// start runs a program until the test ends.
func start(t testing.TB, binary string, args ...string) {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		log.Close()
		if t.Failed() {
			said, _ := os.ReadFile(log.Name())
			t.Logf("%s says:\n%s", filepath.Base(binary), last(string(said), 40))
		}
	})
}

// last are the last lines of a text.
func last(text string, n int) string {
	lines := strings.Split(text, "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// startEtcd runs the etcd of somebody else, and stores its Secrets as a platform team
// would.
func startEtcd(t testing.TB, s *server) *v1alpha1.EtcdCluster {
	t.Helper()
	binary, err := apitest.Binary("etcd/v*/etcd")
	if err != nil {
		t.Fatal(err)
	}
	dir, now := t.TempDir(), time.Now()
	ca, err := pki.NewCA("etcd", now, pki.CAValidity)
	if err != nil {
		t.Fatal(err)
	}
	endpoint := "https://" + freeAddress(t)
	server := pki.Request{CommonName: "etcd", Usage: pki.ServerAuth}
	server.DNSNames, server.IPs = pki.SplitHosts([]string{"127.0.0.1"})
	pairs := map[string]pki.Request{"server": server, "root": {CommonName: "root", Usage: pki.ClientAuth}}
	issued := map[string]pki.KeyPair{}
	for name, request := range pairs {
		if issued[name], err = ca.Issue(request, now); err != nil {
			t.Fatal(err)
		}
	}
	for name, data := range map[string][]byte{"ca.crt": ca.CertPEM, "tls.crt": issued["server"].CertPEM, "tls.key": issued["server"].KeyPEM} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	peer := "http://" + freeAddress(t)
	start(t, binary, "--name=one", "--data-dir="+filepath.Join(dir, "data"),
		"--listen-client-urls="+endpoint, "--advertise-client-urls="+endpoint,
		"--listen-peer-urls="+peer, "--initial-advertise-peer-urls="+peer, "--initial-cluster=one="+peer,
		"--client-cert-auth", "--trusted-ca-file="+filepath.Join(dir, "ca.crt"),
		"--cert-file="+filepath.Join(dir, "tls.crt"), "--key-file="+filepath.Join(dir, "tls.key"))
	for name, data := range map[string]map[string][]byte{
		"their-ca":   pki.SecretData(ca, ca.CertPEM),
		"their-root": pki.SecretData(issued["root"], ca.CertPEM),
	} {
		create(t, s, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: name, Labels: map[string]string{"marina.dev/shard": "default"}},
			Type:       corev1.SecretTypeTLS, Data: data,
		})
	}
	etcd := &v1alpha1.EtcdCluster{
		ObjectMeta: metav1.ObjectMeta{Name: "theirs"},
		Spec: v1alpha1.EtcdClusterSpec{External: &v1alpha1.ExternalEtcd{
			Endpoints:         []string{endpoint},
			ClientCASecretRef: v1alpha1.LocalReference{Name: "their-ca"},
			RootSecretRef:     v1alpha1.LocalReference{Name: "their-root"},
		}},
	}
	create(t, s, etcd)
	return etcd
}

// create creates an object that is gone when the test ends, if the manager lets it.
func create(t testing.TB, s *server, o client.Object) {
	t.Helper()
	if err := s.client.Create(t.Context(), o); err != nil {
		t.Fatalf("creating %T %s: %v", o, o.GetName(), err)
	}
	t.Cleanup(func() { _ = s.client.Delete(context.Background(), o) })
}

// createNode creates a node that is ready. Nothing runs there, but it has an address.
func createNode(t testing.TB, s *server) {
	t.Helper()
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node"}}
	create(t, s, node)
	node.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "192.0.2.1"}}
	node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	if err := s.client.Status().Update(t.Context(), node); err != nil {
		t.Fatal(err)
	}
}

// newCluster is a Cluster of a HostingClass.
func newCluster(name, class string) *v1alpha1.Cluster {
	c := &v1alpha1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
	c.Spec.Version = "1.37.1-1"
	c.Spec.HostingClassRef.Name = class
	return c
}

// makeReady says of the pods of a component what a kubelet would.
func makeReady(ctx context.Context, s *server, namespace, component string) error {
	pods := &corev1.PodList{}
	if err := s.client.List(ctx, pods, client.InNamespace(namespace), client.MatchingLabels{"marina.dev/component": component}); err != nil {
		return err
	}
	for i := range pods.Items {
		pod := &pods.Items[i]
		before := pod.DeepCopy()
		pod.Status.Phase = corev1.PodRunning
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()}}
		if err := s.client.Status().Patch(ctx, pod, client.MergeFrom(before)); err != nil {
			return err
		}
	}
	// The others are made when the first one is ready.
	if len(pods.Items) < 3 {
		return fmt.Errorf("%s has %d pods", component, len(pods.Items))
	}
	return nil
}
