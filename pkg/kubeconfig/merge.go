package kubeconfig

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// Merge is existing with the clusters, users and contexts of added: those of the same name are
// replaced, all others stay. With setCurrent the current context becomes added's. Neither argument is
// changed; existing may be nil.
//
// The namespace that a user has set in a context of the same name is kept when added names none:
// fetching a fresh kubeconfig, which short-lived ones need often, must not undo
// "kubectl config set-context --current --namespace".
func Merge(existing, added *api.Config, setCurrent bool) *api.Config {
	merged := api.NewConfig()
	if existing != nil {
		merged = existing.DeepCopy()
	}
	added = added.DeepCopy()
	for name, context := range added.Contexts {
		if old := merged.Contexts[name]; old != nil && context != nil && context.Namespace == "" {
			context.Namespace = old.Namespace
		}
	}
	merged.Clusters = overlay(merged.Clusters, added.Clusters)
	merged.AuthInfos = overlay(merged.AuthInfos, added.AuthInfos)
	merged.Contexts = overlay(merged.Contexts, added.Contexts)
	if setCurrent {
		merged.CurrentContext = added.CurrentContext
	}
	return merged
}

// overlay adds the entries of added to base, which may be nil.
func overlay[V any](base, added map[string]V) map[string]V {
	if base == nil {
		base = map[string]V{}
	}
	maps.Copy(base, added)
	return base
}

// MergeFile merges added into the kubeconfig at path, which need not exist, and writes it with
// WriteFile. Relative file names that the file contains stay as they are.
//
// It holds the lock that kubectl takes, path with ".lock", so that neither loses what the other writes.
// The lock is a file that a killed process leaves behind; the error, for which errors.Is(err,
// fs.ErrExist) holds, says so.
func MergeFile(path string, added *api.Config, setCurrent bool) (err error) {
	path, err = resolve(path)
	if err != nil {
		return err
	}
	unlock, err := lock(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()

	existing, err := clientcmd.LoadFromFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read kubeconfig %s: %w", path, err)
	}
	return WriteFile(path, Merge(existing, added, setCurrent))
}

// lock takes the lock of the kubeconfig at path, at once or not at all.
func lock(path string) (unlock func() error, err error) {
	if err := os.MkdirAll(filepath.Dir(path), dirMode); err != nil {
		return nil, fmt.Errorf("create directory of kubeconfig: %w", err)
	}
	name := path + ".lock"
	file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL, 0)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("kubeconfig %s is being written by another program: try again, or remove %s if none runs: %w", path, name, err)
	}
	if err != nil {
		return nil, fmt.Errorf("lock kubeconfig: %w", err)
	}
	return func() error { return os.Remove(name) }, file.Close()
}
