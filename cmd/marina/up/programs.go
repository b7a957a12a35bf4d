package up

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"k8s.io/apimachinery/pkg/util/version"

	"github.com/marina-dev/marina/cmd/marina/cli/failure"
)

// managementPrograms are what the management plane needs of a Kubernetes release.
var managementPrograms = []string{programAPIServer, programControllerManager}

const (
	programAPIServer         = "kube-apiserver"
	programControllerManager = "kube-controller-manager"
)

// findPrograms returns the newest Kubernetes version that the management plane can
// run, for example v1.37.1. It also asks for etcd, without which no tenant starts.
func findPrograms(binDir string) (kubernetes string, err error) {
	kubernetes, _ = newestComplete(filepath.Join(binDir, "kubernetes"), managementPrograms...)
	if kubernetes == "" {
		err = failure.New("run 'make kubernetes-1.37', or name the folder that holds it with --bin-dir",
			"no %s and %s in %s", programAPIServer, programControllerManager, filepath.Join(binDir, "kubernetes", "v*"))
	}
	if etcd, _ := newestComplete(filepath.Join(binDir, "etcd"), "etcd"); etcd == "" {
		err = errors.Join(err, failure.New("run 'make etcd', or name the folder that holds it with --bin-dir",
			"no etcd in %s", filepath.Join(binDir, "etcd", "v*")))
	}
	return kubernetes, err
}

// newestComplete returns the name of the newest version folder in dir that has all
// of the programs; empty if there is none.
func newestComplete(dir string, programs ...string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	var newest *version.Version
	for _, entry := range entries {
		v, err := version.ParseSemantic(entry.Name())
		if err != nil || entry.Name() != fmt.Sprintf("v%s", v) {
			continue
		}
		if hasPrograms(filepath.Join(dir, entry.Name()), programs) && (newest == nil || newest.LessThan(v)) {
			newest = v
		}
	}
	if newest == nil {
		return "", nil
	}
	return fmt.Sprintf("v%s", newest), nil
}

// hasPrograms reports whether all are there and may be run.
func hasPrograms(dir string, programs []string) bool {
	for _, program := range programs {
		// Stat follows the links that hack/build.sh makes.
		info, err := os.Stat(filepath.Join(dir, program))
		if err != nil || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
			return false
		}
	}
	return true
}
