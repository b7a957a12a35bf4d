// Package chart tests the installation in a management cluster: what the Helm charts
// make, and the manager with exactly the rights that they give it, against real API
// servers. There are no nodes, so that nothing of what it asks for ever runs.
package chart

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/marina-dev/marina/cmd/marina/controllers"
	"github.com/marina-dev/marina/pkg/apitest"
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
	var all errgroup.Group
	for _, s := range servers {
		all.Go(func() error {
			if err := s.start(); err != nil {
				return fmt.Errorf("management cluster %s: %w", s.version, err)
			}
			return nil
		})
	}
	return all.Wait()
}

// auditPolicy records who did what, without content.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules: [{level: Metadata}]
`

func newServer(dir, minor string) (*server, error) {
	env, err := apitest.Environment(minor)
	if err != nil {
		return nil, err
	}
	s := &server{version: filepath.Base(apitest.Folder(env)), dir: filepath.Join(dir, minor), env: env}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, err
	}
	policy := filepath.Join(s.dir, "audit.yaml")
	if err := os.WriteFile(policy, []byte(auditPolicy), 0o600); err != nil {
		return nil, err
	}
	s.env.ControlPlane.GetAPIServer().Configure().
		// Some distributions switch it on: who blocks the deletion of an owner needs a
		// right to it.
		Append("enable-admission-plugins", "OwnerReferencesPermissionEnforcement").
		// The default of envtest has room for 85 clusters.
		Set("service-cluster-ip-range", "10.96.0.0/16").
		Set("audit-policy-file", policy).
		Set("audit-log-path", s.auditLog()).
		Set("audit-log-mode", "blocking")
	return s, nil
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
