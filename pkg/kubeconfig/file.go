package kubeconfig

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// A kubeconfig is a credential: nobody but its owner reads it or its directory.
const (
	fileMode fs.FileMode = 0o600
	dirMode  fs.FileMode = 0o700
)

// DefaultPath is the file that kubectl would read first: the first that KUBECONFIG lists, or
// <home>/.kube/config. Home is the user's home directory; env is os.Getenv.
//
// The first counts, even if it does not exist yet, because on reading the first file that has an entry
// wins: what is written there takes effect.
func DefaultPath(env func(string) string, home string) string {
	for _, path := range filepath.SplitList(env(clientcmd.RecommendedConfigPathEnvVar)) {
		if path != "" {
			return path
		}
	}
	return filepath.Join(home, clientcmd.RecommendedHomeDir, clientcmd.RecommendedFileName)
}

// WriteFile writes cfg to path in one step: a reader finds the old file or the new one, never a part.
// The file has mode 0600, also if it had another; a missing directory is created with mode 0700. When
// path is a symbolic link, the file that it points to is replaced and the link stays: many keep their
// ~/.kube/config elsewhere.
func WriteFile(path string, cfg *api.Config) error {
	data, err := Encode(cfg)
	if err != nil {
		return err
	}
	path, err = resolve(path)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), dirMode); err != nil {
		return fmt.Errorf("create directory of kubeconfig: %w", err)
	}
	if err := replace(path, data); err != nil {
		return fmt.Errorf("write kubeconfig %s: %w", path, err)
	}
	return nil
}

// resolve follows symbolic links to the file that is to be written. A path that does not exist is
// itself.
func resolve(path string) (string, error) {
	target, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return path, nil
	}
	if err != nil {
		return "", fmt.Errorf("find kubeconfig: %w", err)
	}
	return target, nil
}

// replace puts data in a new file beside path and renames it to path. The data reaches the disk first:
// some file systems would otherwise leave an empty file after a power failure.
func replace(path string, data []byte) (err error) {
	temp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(temp.Name()))
		}
	}()
	_, err = temp.Write(data)
	err = errors.Join(err, temp.Chmod(fileMode), temp.Sync(), temp.Close())
	if err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}
