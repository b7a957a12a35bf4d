package local

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"maps"
	"path/filepath"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// lookAgain is when to look again for a Mount that is not there.
const lookAgain = 100 * time.Millisecond

// Files gives the content of Mounts.
type Files interface {
	// Read returns the content of all keys of the Secret or ConfigMap that m names in
	// the namespace. m.Keys is the Host's to look at.
	Read(ctx context.Context, namespace string, m component.Mount) (map[string][]byte, error)
}

// APIFiles reads Mounts from the Kubernetes API, or from a cache of it.
type APIFiles struct{ client.Reader }

// Read implements Files.
func (f APIFiles) Read(ctx context.Context, namespace string, m component.Mount) (map[string][]byte, error) {
	if m.Secret != "" {
		var secret corev1.Secret
		if err := f.Get(ctx, client.ObjectKey{Namespace: namespace, Name: m.Secret}, &secret); err != nil {
			return nil, missing(err, "Secret", namespace, m.Secret)
		}
		return secret.Data, nil
	}
	var configMap corev1.ConfigMap
	if err := f.Get(ctx, client.ObjectKey{Namespace: namespace, Name: m.ConfigMap}, &configMap); err != nil {
		return nil, missing(err, "ConfigMap", namespace, m.ConfigMap)
	}
	data := maps.Clone(configMap.BinaryData)
	if data == nil {
		data = map[string][]byte{}
	}
	for k, v := range configMap.Data {
		data[k] = []byte(v)
	}
	return data, nil
}

// missing makes NotFound a Wait: what has just been written is not in the cache for a
// moment, and nothing tells when it is.
func missing(err error, kind, namespace, name string) error {
	if apierrors.IsNotFound(err) {
		return reconcile.WaitFor(lookAgain, "MountMissing", "%s %s/%s is not there yet", kind, namespace, name)
	}
	return fmt.Errorf("reading %s %s/%s: %w", kind, namespace, name, err)
}

// StaticFiles are Mounts that are in no API: those of the API server that has it. The
// key is the name of the Secret or ConfigMap, whatever the namespace.
type StaticFiles map[string]map[string][]byte

// Read implements Files.
func (f StaticFiles) Read(_ context.Context, _ string, m component.Mount) (map[string][]byte, error) {
	data, ok := f[m.Secret+m.ConfigMap]
	if !ok {
		return nil, fmt.Errorf("there are no static files named %q", m.Secret+m.ConfigMap)
	}
	return data, nil
}

// file is one file below a replica's files folder.
type file struct {
	path string
	data []byte
	// reloaded is true when the process notices a change by itself.
	reloaded bool
}

// fileSet is all that is mounted, sorted by path.
type fileSet struct {
	files []file
	// reloadedDirs are the folders that hold nothing but reloaded files.
	reloadedDirs []string
	// digest changes with any of it, reloadedDigest with what is reloaded.
	digest, reloadedDigest [sha256.Size]byte
}

// readFiles reads the Mounts of a Component.
func readFiles(ctx context.Context, from Files, namespace string, mounts []component.Mount) (fileSet, error) {
	byPath := map[string]file{}
	// Two Mounts may share a folder; it counts as reloaded if both are.
	reloaded := map[string]bool{}
	for _, m := range mounts {
		if !filepath.IsLocal(m.Path) || (m.Secret == "") == (m.ConfigMap == "") {
			return fileSet{}, fmt.Errorf("mount %q: want a relative path, and either a Secret or a ConfigMap", m.Path)
		}
		data, err := from.Read(ctx, namespace, m)
		if err != nil {
			return fileSet{}, fmt.Errorf("mount %q: %w", m.Path, err)
		}
		keys := m.Keys
		if len(keys) == 0 {
			keys = slices.Collect(maps.Keys(data))
		}
		for _, k := range keys {
			content, ok := data[k]
			if !ok || k != filepath.Base(k) || !filepath.IsLocal(k) {
				return fileSet{}, reconcile.Retry(nil, "MountMissing", "%s has no key %q that could be a file", m.Secret+m.ConfigMap, k)
			}
			path := filepath.Join(m.Path, k)
			byPath[path] = file{path: path, data: content, reloaded: m.Hash == ""}
		}
		dir := filepath.Clean(m.Path)
		before, shared := reloaded[dir]
		reloaded[dir] = m.Hash == "" && (before || !shared)
	}
	set := fileSet{}
	all, some := sha256.New(), sha256.New()
	for _, path := range slices.Sorted(maps.Keys(byPath)) {
		f := byPath[path]
		set.files = append(set.files, f)
		hashFile(all, f)
		if f.reloaded {
			hashFile(some, f)
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(reloaded)) {
		if reloaded[dir] {
			set.reloadedDirs = append(set.reloadedDirs, dir)
		}
	}
	all.Sum(set.digest[:0])
	some.Sum(set.reloadedDigest[:0])
	return set, nil
}

// resync makes the set another one for each token, so that it is written again; the
// empty token leaves it.
func (s *fileSet) resync(token string) {
	if token == "" {
		return
	}
	s.digest = sha256.Sum256(append(s.digest[:], token...))
	s.reloadedDigest = sha256.Sum256(append(s.reloadedDigest[:], token...))
}

func hashFile(h hash.Hash, f file) {
	fmt.Fprintf(h, "%q %d\n", f.path, len(f.data))
	h.Write(f.data)
}
