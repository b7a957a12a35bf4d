// Package layering holds the one test that keeps the layers apart: what is below
// must not know what is above, and the control plane must not know the dataplane.
package layering

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/marina-dev/marina/"

// simulator is an OpenStack for the tests of what asks one, and the cloud of "marina up",
// where it is run by one package.
const (
	simulator = "e2e/openstacksim"
	runs      = "cmd/marina/simulator"
)

// mayImport says, for each folder, which folders of ours its packages may import.
// A folder counts for all below it unless a longer one is listed. Tests obey too.
var mayImport = map[string][]string{
	"pkg/api":        {},
	"pkg/release":    {"pkg/api"},
	"pkg/pki":        {"pkg/api"},
	"pkg/kubeconfig": {"pkg/api", "pkg/pki"},
	"pkg/reconcile":  {"pkg/api"},
	"pkg/operation":  {"pkg/api", "pkg/reconcile"},
	"pkg/guard":      {"pkg/api", "pkg/reconcile"},
	"pkg/apitest":    {},

	"controlplane/component": {"pkg"},
	"controlplane/host":      {"pkg", "controlplane/component", "controlplane/host"},
	"controlplane/etcd":      {"pkg", "controlplane/component", "controlplane/host"},
	"controlplane/join":      {"pkg"},
	"controlplane/bootstrap": {"pkg", "controlplane/join"},
	"controlplane/node":      {"pkg"},
	"controlplane/deorbit":   {"pkg"},
	"controlplane/preflight": {"pkg"},
	"controlplane/addon":     {"pkg"},
	"controlplane/access":    {"pkg"},
	"controlplane/hosted":    {"pkg", "controlplane/component", "controlplane/host", "controlplane/join", "controlplane/addon"},
	"controlplane/cluster":   {"pkg"},

	"dataplane/openstack":      {"pkg", simulator},
	"dataplane/infrastructure": {"pkg", "dataplane/openstack", simulator},
	"dataplane/project":        {"pkg", "dataplane/openstack", simulator},
	"dataplane/network":        {"pkg", "dataplane/openstack", "dataplane/project", simulator},
	"dataplane/userdata":       {"pkg"},
	"dataplane/machine":        {"pkg", "dataplane/openstack", "dataplane/project", "dataplane/userdata", simulator},
	"dataplane/garbage":        {"pkg", "dataplane/openstack", "dataplane/project", simulator},
	"dataplane/nodepool":       {"pkg", "dataplane/openstack", "dataplane/project", "dataplane/userdata", simulator},

	"manifests": {},
	"cmd":       {"cmd", "pkg", "controlplane", "dataplane", "manifests"},
	// What it says is tried with a cloud.
	"cmd/marina/cli/infrastructures": {"cmd", "pkg", "dataplane", simulator},
	runs:                             {"cmd", "pkg", "controlplane", "dataplane", simulator},
	"e2e":                            {"cmd", "e2e", "pkg", "controlplane", "dataplane", "manifests"},
	// A cloud knows nothing of what runs on it.
	"e2e/openstacksim": {"e2e/openstacksim"},
}

func TestLayering(t *testing.T) {
	root := filepath.Join("..", "..")
	imports := importsByFolder(t, root, func(string) bool { return true })
	if len(imports) < 10 {
		t.Fatalf("found %d packages below %s: the test looks in the wrong place", len(imports), root)
	}
	for folder, imported := range imports {
		rule, ok := longest(folder)
		if !ok {
			t.Errorf("%s has no rule: add it to mayImport", folder)
			continue
		}
		for _, path := range imported {
			if within(path, folder) || slices.ContainsFunc(mayImport[rule], func(allowed string) bool { return within(path, allowed) }) {
				continue
			}
			t.Errorf("%s imports %s, but %s may import only %v", folder, path, rule, mayImport[rule])
		}
	}
}

// The staging replacements of k8s.io/kubernetes would break "go install" of our
// module for everybody else.
func TestRootModuleDoesNotRequireKubernetes(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); len(fields) > 0 && (slices.Contains(fields, "k8s.io/kubernetes") || fields[0] == "replace") {
			t.Errorf("go.mod: %s", line)
		}
	}
}

// What serves tenants, and what asks clouds, must not know that one of them is simulated.
func TestNothingElseImportsTheSimulator(t *testing.T) {
	product := func(file string) bool { return !strings.HasSuffix(file, "_test.go") }
	for folder, imported := range importsByFolder(t, filepath.Join("..", ".."), product) {
		for _, path := range imported {
			if !within(folder, "e2e") && !within(folder, runs) && within(path, simulator) {
				t.Errorf("%s imports %s outside of its tests", folder, path)
			}
		}
	}
}

// importsByFolder is what the packages of each folder import of ours, in some files.
func importsByFolder(t *testing.T, root string, which func(file string) bool) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); name == "hack" || name == "bin" || name == "testdata" || (strings.HasPrefix(name, ".") && path != root) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || !which(path) {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		found[folder] = append(found[folder], ours(file.Imports)...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func ours(specs []*ast.ImportSpec) []string {
	var paths []string
	for _, spec := range specs {
		path, _ := strconv.Unquote(spec.Path.Value)
		if local, ok := strings.CutPrefix(path, module); ok {
			paths = append(paths, local)
		}
	}
	return paths
}

// longest is the longest listed folder that holds the given one.
func longest(folder string) (rule string, ok bool) {
	for candidate := range mayImport {
		if within(folder, candidate) && len(candidate) >= len(rule) {
			rule, ok = candidate, true
		}
	}
	return rule, ok
}

// within reports whether a folder is another one or lies in it.
func within(folder, in string) bool { return folder == in || strings.HasPrefix(folder, in+"/") }
