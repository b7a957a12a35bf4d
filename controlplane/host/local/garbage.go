package local

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"
)

// Orphans lists the Components of which something is here, a process or an address,
// and nothing was asked since the Host began. A Component has its address before a
// folder, and for longer: another folder is somebody else's.
func (h *Host) Orphans() []types.NamespacedName {
	h.mu.Lock()
	defer h.mu.Unlock()
	var orphans []types.NamespacedName
	for k := range h.left() {
		if h.units[k] == nil {
			orphans = append(orphans, types.NamespacedName{Namespace: k.namespace, Name: k.name})
		}
	}
	slices.SortFunc(orphans, func(a, b types.NamespacedName) int { return strings.Compare(a.String(), b.String()) })
	return orphans
}

// left is whatever there is something of.
func (h *Host) left() map[key]bool {
	left := map[key]bool{}
	for _, name := range h.book.keys() {
		if namespace, component, ok := strings.Cut(name, "/"); ok {
			left[key{namespace, component}] = true
		}
	}
	for k := range h.found {
		left[k] = true
	}
	return left
}

// componentDirs lists the folders that Components have in a Host's.
func componentDirs(dir string) ([]string, error) {
	folders, err := filepath.Glob(filepath.Join(globEscape(dir), "*", "*"))
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(folders, func(folder string) bool {
		info, err := os.Stat(folder)
		return err != nil || !info.IsDir()
	}), nil
}

// globEscape makes a path stand for itself in a pattern.
func globEscape(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// CollectGarbage begins to delete the Orphans that keep does not want, and returns
// them. It is called once it is known what there should be; before that everything
// looks like an orphan. An orphan that is kept waits for its Apply or Delete.
func (h *Host) CollectGarbage(ctx context.Context, keep func(namespace, name string) bool) ([]types.NamespacedName, error) {
	orphans := slices.DeleteFunc(h.Orphans(), func(o types.NamespacedName) bool { return keep(o.Namespace, o.Name) })
	var errs []error
	for _, o := range orphans {
		h.log.Info("Removing what nobody owns", "component", o.String())
		_, err := h.Delete(ctx, o.Namespace, o.Name)
		errs = append(errs, err)
	}
	return orphans, errors.Join(errs...)
}
