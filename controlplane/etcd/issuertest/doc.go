// Package issuertest plays cert-manager for tests: it signs what Certificates ask for and
// writes Secrets and status as cert-manager 1.21 does. It renews nothing by itself; tests
// say when.
package issuertest

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// CRDs is the folder with cert-manager's own CRDs, of the version of its Go module that we
// use.
func CRDs() (string, error) {
	var errs bytes.Buffer
	cmd := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/cert-manager/cert-manager")
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("the module of cert-manager: %w: %s", err, errs.String())
	}
	dir := strings.TrimSpace(string(out))
	if dir == "" {
		return "", fmt.Errorf("the module of cert-manager is not there: run 'go mod download'")
	}
	return filepath.Join(dir, "deploy", "crds"), nil
}
