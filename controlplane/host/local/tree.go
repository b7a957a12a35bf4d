package local

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// writeAll makes the folder hold exactly the set's files.
func (s fileSet) writeAll(dir string) error {
	return syncTree(dir, s.files, func(string) bool { return true })
}

// writeReloaded brings the reloaded files of a replica up to date that goes on with
// older ones of the others: those change only when it is restarted.
func (s fileSet) writeReloaded(dir string) error {
	var files []file
	for _, f := range s.files {
		if f.reloaded {
			files = append(files, f)
		}
	}
	return syncTree(dir, files, func(path string) bool { return slices.Contains(s.reloadedDirs, filepath.Dir(path)) })
}

// syncTree writes the files that differ and removes the others that are owned. It writes
// nothing when nothing differs, so that no process reloads for nothing.
func syncTree(dir string, files []file, owned func(path string) bool) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	keep := map[string]bool{".": true}
	for _, f := range files {
		for p := f.path; p != "."; p = filepath.Dir(p) {
			keep[p] = true
		}
		if err := replaceFile(filepath.Join(dir, f.path), f.data); err != nil {
			return notWritten(filepath.Join(dir, f.path), err)
		}
	}
	var folders []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(dir, path)
		switch {
		case err != nil || keep[relative]:
			return err
		case entry.IsDir():
			folders = append(folders, path)
			return nil
		case owned(relative):
			return os.Remove(path)
		default:
			return nil
		}
	})
	if err != nil {
		return err
	}
	// Deepest first; a folder that still holds something is one that we do not own.
	for _, folder := range slices.Backward(folders) {
		if err := os.Remove(folder); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// replaceFile makes the file hold data, unless it does, in one step: whoever reads it
// sees the old content or the new.
func replaceFile(path string, data []byte) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, data) {
		return nil
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	// CreateTemp makes files of mode 0600. What a crash leaves behind is removed by the
	// next syncTree, which does not know the name.
	tmp, err := os.CreateTemp(dir, ".tmp-*")
	if err != nil {
		return err
	}
	_, err = tmp.Write(data)
	if closeErr := tmp.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		os.Remove(tmp.Name())
	}
	return err
}

// notWritten names the file that a person knows, and not the temporary one.
func notWritten(path string, err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	return fmt.Errorf("%s: %w", path, err)
}
