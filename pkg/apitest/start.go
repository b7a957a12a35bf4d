package apitest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// Server is a running API server that knows our kinds.
type Server struct {
	Config *rest.Config
	Scheme *runtime.Scheme
	Client client.Client

	env *envtest.Environment
}

// Start starts one of the newest minor, with the CRDs of this repository. Its client knows
// the given kinds.
func Start(kinds ...func(*runtime.Scheme) error) (*Server, error) {
	root, err := moduleRoot()
	if err != nil {
		return nil, err
	}
	s := &Server{Scheme: runtime.NewScheme()}
	for _, add := range kinds {
		if err := add(s.Scheme); err != nil {
			return nil, err
		}
	}
	if s.env, err = Environment(Newest); err != nil {
		return nil, err
	}
	// A test reads right after it has written. A list that the watch cache answers waits until
	// that has heard of every earlier write, which etcd tells it every 100 ms unless the write
	// was of the same kind (KEP-2340).
	s.env.ControlPlane.GetAPIServer().Configure().Set("watch-cache", "false")
	s.env.CRDDirectoryPaths, s.env.ErrorIfCRDPathMissing = []string{filepath.Join(root, "manifests", "crds")}, true
	if s.Config, err = s.env.Start(); err == nil {
		s.Client, err = client.New(s.Config, client.Options{Scheme: s.Scheme})
	}
	if err != nil {
		return nil, errors.Join(err, s.env.Stop())
	}
	return s, nil
}

// Stop stops it, with its etcd.
func (s *Server) Stop() error { return s.env.Stop() }

// Main runs the tests of a package with a server, which it puts into the variable, and ends
// the process. prepare, if there is one, makes what all tests need.
func Main(m interface{ Run() int }, server **Server, prepare func() error, kinds ...func(*runtime.Scheme) error) {
	ctrl.SetLogger(logr.Discard())
	code, err := 1, error(nil)
	if *server, err = Start(kinds...); err == nil {
		if prepare != nil {
			err = prepare()
		}
		if err == nil {
			code = m.Run()
		}
		err = errors.Join(err, (*server).Stop())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "FAIL:", err)
		code = 1
	}
	os.Exit(code)
}
