// Package api tests the API as users meet it: every validation rule of the CRDs and
// every admission policy, against real API servers. It knows nothing of the
// controllers that act on what is accepted, but that one of them publishes which
// releases are offered.
package api

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/go-logr/logr"

	"github.com/marina-dev/marina/controlplane/cluster"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/apitest"
)

const (
	root    = "../.."
	project = "project"
	// unreleased is a version that no test publishes.
	unreleased = "1.37.1-99"
)

// minors are the Kubernetes minors that a management cluster may be of.
var minors = []string{"1.36", "1.37"}

// published are releases that clusters of these tests may have, besides those that
// Marina ships.
var published = []string{
	"1.9.9-1", "1.10.0-1",
	"1.35.9-1",
	"1.36.4-1", "1.36.4-2", "1.36.4-9", "1.36.4-10", "1.36.5-1", "1.36.10-1",
	"1.37.0-1", "1.37.1-1", "1.37.1-9", "1.37.1-10",
	"1.38.0-1", "2.0.0-1", "2.36.5-1", "99999.99999.99999-99999",
}

// server is a management cluster: a real API server with all that Marina installs
// in one, but for its controllers.
type server struct {
	version  string
	kubectl  string
	config   *rest.Config
	client   client.Client
	releases *cluster.ReleaseReconciler
	env      *envtest.Environment
}

var servers []*server

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	err := startAll()
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
	os.Exit(code)
}

// onEach runs a test against each API server, at the same time.
func onEach(t *testing.T, test func(*testing.T, *server)) {
	for _, s := range servers {
		t.Run(s.version, func(t *testing.T) {
			t.Parallel()
			test(t, s)
		})
	}
}

// startAll starts an API server of each minor.
func startAll() error {
	for _, minor := range minors {
		env, err := apitest.Environment(minor)
		if err != nil {
			return err
		}
		env.CRDDirectoryPaths, env.ErrorIfCRDPathMissing = []string{filepath.Join(root, "manifests", "crds")}, true
		dir := apitest.Folder(env)
		servers = append(servers, &server{version: filepath.Base(dir), kubectl: filepath.Join(dir, "kubectl"), env: env})
	}
	var all errgroup.Group
	for _, s := range servers {
		all.Go(func() error {
			if err := s.start(); err != nil {
				return fmt.Errorf("starting kube-apiserver %s: %w", s.version, err)
			}
			return nil
		})
	}
	return all.Wait()
}

// start starts one API server and installs the CRDs, the policies and the releases.
func (s *server) start() error {
	config, err := s.env.Start()
	if err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return err
	}
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return err
	}
	s.config = config
	s.client, err = client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return err
	}
	s.releases = &cluster.ReleaseReconciler{Client: s.client}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, name := range []string{v1alpha1.SystemNamespace, project} {
		ns := &corev1.Namespace{}
		ns.Name = name
		if err := s.client.Create(ctx, ns); err != nil {
			return err
		}
	}
	objects, err := readManifests("policies")
	if err != nil {
		return err
	}
	for _, o := range objects {
		if err := s.client.Create(ctx, o); err != nil {
			return fmt.Errorf("creating %s %s: %w", o.GetKind(), o.GetName(), err)
		}
	}
	return s.publishAll(ctx)
}
