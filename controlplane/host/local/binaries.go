package local

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// lookForBinary is when a binary is looked for again that has not been built.
const lookForBinary = 10 * time.Second

// programs finds binaries.
type programs struct{ dir, self string }

// path returns the binary of a process, or an error that tells how to build it.
func (b programs) path(p component.Process) (string, error) {
	var path, target string
	switch p.Program {
	case "marina":
		return b.self, nil
	case "etcd":
		path, target = filepath.Join(b.dir, "etcd", p.Version, p.Program), "etcd"
	default:
		path, target = filepath.Join(b.dir, "kubernetes", p.Version, p.Program), "kubernetes-"+minor(p.Version)
	}
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
		// Nothing tells when it has been built.
		return "", &reconcile.Error{Kind: reconcile.KindUser, Reason: "BinaryMissing", After: lookForBinary,
			Message: fmt.Sprintf("%s %s is not built: run 'make %s' (no executable at %s)", p.Program, p.Version, target, path)}
	}
	return path, nil
}

// minor returns "1.36" of "v1.36.4".
func minor(version string) string {
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}
