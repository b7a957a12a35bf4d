// Package apitest starts real API servers for tests, of the binaries that are in bin/.
package apitest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// Newest is the minor of Kubernetes for tests that need one of them.
const Newest = "1.37"

// Binary is the path of the binary in bin/ that matches a pattern with slashes; of
// several, the one that sorts last.
func Binary(pattern string) (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	found, err := filepath.Glob(filepath.Join(root, "bin", filepath.FromSlash(pattern)))
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		return "", fmt.Errorf("there is no bin/%s: run 'make build helm etcd kubernetes-1.36 kubernetes-1.37'", pattern)
	}
	return slices.Max(found), nil
}

// moduleRoot is the folder with go.mod: tests run in the folder of their package.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		_, err := os.Stat(filepath.Join(dir, "go.mod"))
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			return dir, err
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no folder above this one has a go.mod")
		}
		dir = parent
	}
}

// Environment is an API server of a minor with its etcd, not started yet. It takes its
// time where many start at once.
func Environment(minor string) (*envtest.Environment, error) {
	apiServer, err := Binary("kubernetes/v" + minor + ".*/kube-apiserver")
	if err != nil {
		return nil, err
	}
	etcd, err := Binary("etcd/v*/etcd")
	if err != nil {
		return nil, err
	}
	env := &envtest.Environment{
		UseExistingCluster:       new(bool), // whatever the environment says
		ControlPlaneStartTimeout: 2 * time.Minute,
		ControlPlaneStopTimeout:  time.Minute,
	}
	env.ControlPlane.GetAPIServer().Path = apiServer
	env.ControlPlane.Etcd = &envtest.Etcd{Path: etcd}
	return env, nil
}

// Folder is where the binaries of the API server of an environment are: it is named by
// their version, and has kubectl and kube-controller-manager as well.
func Folder(env *envtest.Environment) string {
	return filepath.Dir(env.ControlPlane.GetAPIServer().Path)
}
