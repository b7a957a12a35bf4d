package chart

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/apitest"
)

// managerUser is who the manager is.
const managerUser = "system:serviceaccount:" + system + ":marina-manager"

// as reaches the management cluster with a token of a service account, as a pod does.
func (s *server) as(t testing.TB, namespace, name string) *rest.Config {
	t.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	token := &authenticationv1.TokenRequest{}
	if err := s.client.SubResource("token").Create(t.Context(), account, token); err != nil {
		t.Fatal(err)
	}
	return &rest.Config{
		Host:            s.config.Host,
		BearerToken:     token.Status.Token,
		TLSClientConfig: rest.TLSClientConfig{CAData: s.config.CAData},
	}
}

func (s *server) asManager(t testing.TB) *rest.Config { return s.as(t, system, "marina-manager") }

// manager is a running 'marina manager'.
type manager struct {
	cmd             *exec.Cmd
	exited          chan error
	log             string
	health, metrics string
}

// startManager starts a manager with the rights of its service account and waits until
// it is ready. It ends with the test at the latest, and must not have been refused
// anything.
func startManager(t testing.TB, s *server) *manager {
	t.Helper()
	binary, err := apitest.Binary("marina")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	kubeconfig := filepath.Join(dir, "kubeconfig")
	config := s.asManager(t)
	err = clientcmd.WriteToFile(clientcmdapi.Config{
		Clusters:       map[string]*clientcmdapi.Cluster{"": {Server: config.Host, CertificateAuthorityData: config.CAData}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"": {Token: config.BearerToken}},
		Contexts:       map[string]*clientcmdapi.Context{"manager": {}},
		CurrentContext: "manager",
	}, kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	m := &manager{exited: make(chan error, 1), log: filepath.Join(dir, "log"), health: freeAddress(t), metrics: freeAddress(t)}
	log, err := os.Create(m.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	m.cmd = exec.Command(binary, "manager", "--kubeconfig", kubeconfig, "--health-address", m.health, "--metrics-address", m.metrics)
	m.cmd.Stdout, m.cmd.Stderr = log, log
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { m.exited <- m.cmd.Wait(); close(m.exited) }()
	t.Cleanup(func() {
		// One that is killed keeps the Lease for a while.
		m.stop(t)
		said, err := os.ReadFile(m.log)
		if err != nil || strings.Contains(strings.ToLower(string(said)), "forbidden") {
			t.Errorf("the manager was refused something (%v)", err)
		}
		if t.Failed() {
			t.Logf("the manager's log:\n%s", said)
		}
	})
	err = harness.Await(t.Context(), 30*time.Second, func(ctx context.Context) error {
		select {
		case err := <-m.exited:
			return harness.Fatal(fmt.Errorf("the manager has ended: %w", err))
		default:
			return errors.Join(m.answers(ctx, "/healthz"), m.answers(ctx, "/readyz"))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// answers is nil if a probe succeeds.
func (m *manager) answers(ctx context.Context, path string) error {
	code, body, err := get(ctx, "http://"+m.health+path, "")
	if err == nil && code != http.StatusOK {
		err = fmt.Errorf("%s says %d: %s", path, code, body)
	}
	return err
}

// get asks without checking certificates.
func get(ctx context.Context, url, token string) (code int, body string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	answer, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(data), err
}

// kill ends a manager that had no time to say anything.
func (m *manager) kill() {
	_ = m.cmd.Process.Kill()
	<-m.exited
}

// stop asks a manager to end, if it runs, and fails unless it does and calls that a
// success.
func (m *manager) stop(t testing.TB) {
	t.Helper()
	_ = m.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-m.exited:
		if err != nil {
			t.Errorf("a manager that was asked to end says %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Error("the manager does not end within 30 s")
		m.kill()
	}
}

// holder is who works, empty for nobody.
func holder(ctx context.Context, s *server) (string, error) {
	lease := &coordinationv1.Lease{}
	err := s.client.Get(ctx, client.ObjectKey{Namespace: system, Name: "marina-manager"}, lease)
	if client.IgnoreNotFound(err) != nil || lease.Spec.HolderIdentity == nil {
		return "", client.IgnoreNotFound(err)
	}
	return *lease.Spec.HolderIdentity, nil
}

// awaitHolder waits until somebody else works, and returns who.
func awaitHolder(t testing.TB, s *server, than string) (now string) {
	t.Helper()
	began := time.Now()
	err := harness.Await(t.Context(), 45*time.Second, func(ctx context.Context) (err error) {
		if now, err = holder(ctx, s); err == nil && (now == "" || now == than) {
			err = fmt.Errorf("%q works", now)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s works after %s", now, time.Since(began).Round(100*time.Millisecond))
	return now
}
