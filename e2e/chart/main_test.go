// Package chart tests the installation in a management cluster: what the Helm charts
// make, and the manager with exactly the rights that they give it, against real API
// servers. There are no nodes, so that nothing of what it asks for ever runs.
package chart

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/marina-dev/marina/cmd/marina/controllers"
)

const (
	root   = "../.."
	system = "marina-system"
)

// minors are the Kubernetes minors that a management cluster may be of.
var minors = []string{"1.36", "1.37"}

// server is a management cluster without nodes, with Marina installed.
type server struct {
	version string
	config  *rest.Config
	client  client.Client
	env     *envtest.Environment
	// dir holds its kubeconfig and its audit log.
	dir string
}

var servers []*server

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	dir, err := os.MkdirTemp("", "marina-chart-")
	if err == nil {
		err = startAll(dir)
	}
	code := 1
	if err == nil {
		code = m.Run()
	} else {
		fmt.Fprintln(os.Stderr, "FAIL:", err)
	}
	for _, s := range servers {
		if err := s.env.Stop(); err != nil {
			fmt.Fprintf(os.Stderr, "FAIL: stopping %s: %v\n", s.version, err)
			code = 1
		}
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// onEach runs a test against each API server, one after the other: the managers of a
// test would be late on a machine that starts all of them at once.
func onEach(t *testing.T, test func(*testing.T, *server)) {
	for _, s := range servers {
		t.Run(s.version, func(t *testing.T) { test(t, s) })
	}
}

func startAll(dir string) error {
	for _, minor := range minors {
		s, err := newServer(dir, minor)
		if err != nil {
			return err
		}
		servers = append(servers, s)
	}
	errs := make([]error, len(servers))
	var wg sync.WaitGroup
	for i, s := range servers {
		wg.Go(func() { errs[i] = s.start() })
	}
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			return fmt.Errorf("management cluster %s: %w", servers[i].version, err)
		}
	}
	return nil
}

// auditPolicy records who did what, without content.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules: [{level: Metadata}]
`

func newServer(dir, minor string) (*server, error) {
	apiserver, err := newest("kubernetes/v" + minor + ".*/kube-apiserver")
	if err != nil {
		return nil, err
	}
	etcd, err := newest("etcd/v*/etcd")
	if err != nil {
		return nil, err
	}
	s := &server{
		version: filepath.Base(filepath.Dir(apiserver)),
		dir:     filepath.Join(dir, minor),
		env: &envtest.Environment{
			UseExistingCluster:       new(bool), // whatever the environment says
			ControlPlaneStartTimeout: 2 * time.Minute,
			ControlPlaneStopTimeout:  time.Minute,
		},
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, err
	}
	policy := filepath.Join(s.dir, "audit.yaml")
	if err := os.WriteFile(policy, []byte(auditPolicy), 0o600); err != nil {
		return nil, err
	}
	server := s.env.ControlPlane.GetAPIServer()
	server.Path = apiserver
	server.Configure().
		// Some distributions switch it on: who blocks the deletion of an owner needs a
		// right to it.
		Append("enable-admission-plugins", "OwnerReferencesPermissionEnforcement").
		// The default of envtest has room for 85 clusters.
		Set("service-cluster-ip-range", "10.96.0.0/16").
		Set("audit-policy-file", policy).
		Set("audit-log-path", s.auditLog()).
		Set("audit-log-mode", "blocking")
	s.env.ControlPlane.Etcd = &envtest.Etcd{Path: etcd}
	return s, nil
}

// newest is the binary in bin/ whose path matches and sorts last.
func newest(pattern string) (string, error) {
	found, err := filepath.Glob(filepath.Join(root, "bin", filepath.FromSlash(pattern)))
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		return "", fmt.Errorf("there is no bin/%s: run 'make build kubernetes-1.36 kubernetes-1.37 etcd' and 'hack/build.sh tools helm'", pattern)
	}
	return filepath.Abs(slices.Max(found))
}

// start starts an API server and installs Marina as docs/how-to/install.md says.
func (s *server) start() (err error) {
	if s.config, err = s.env.Start(); err != nil {
		return err
	}
	scheme, err := controllers.Scheme()
	if err != nil {
		return err
	}
	s.config.QPS = -1
	if s.client, err = client.New(s.config, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	if err := os.WriteFile(s.kubeconfig(), s.env.KubeConfig, 0o600); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	return s.install(ctx)
}

func (s *server) kubeconfig() string { return filepath.Join(s.dir, "kubeconfig") }
func (s *server) auditLog() string   { return filepath.Join(s.dir, "audit.log") }

// get reads an object anew.
func (s *server) get(ctx context.Context, o client.Object) error {
	return s.client.Get(ctx, client.ObjectKeyFromObject(o), o)
}
