package local

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	// dataFolder is where a replica keeps data, in its own folder.
	dataFolder = "data"
	// dataMark lies beside it once there is some.
	dataMark = "has-data"
)

// checkData makes the folder for the data of a replica that is about to start, and
// refuses to start one that has lost it: a member of etcd would begin anew, and two of
// those are a majority that knows of nothing.
func (u *unit) checkData(r *replica) error {
	if !r.on || u.desired == nil || r.ordinal >= len(u.desired.replicas) || !u.desired.replicas[r.ordinal].data {
		return nil
	}
	running := r.main().running()
	if running && (r.marked || r.readiness() != ready) {
		return nil
	}
	err := keepData(u.desired.replicas[r.ordinal].dir)
	r.marked = running && err == nil
	return err
}

// keepData makes the folder for data in a replica's, or remembers that there is some.
func keepData(dir string) error {
	data, mark := filepath.Join(dir, dataFolder), filepath.Join(dir, dataMark)
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	empty, err := isEmpty(data)
	if err != nil {
		return err
	}
	_, err = os.Stat(mark)
	switch {
	case err == nil && empty:
		return fmt.Errorf("its data in %s is gone and it is not started without: mount its disk, or see docs/how-to/recover.md", data)
	case errors.Is(err, fs.ErrNotExist) && !empty:
		return writeDurably(mark, nil)
	case errors.Is(err, fs.ErrNotExist):
		return nil
	}
	return err
}

// isEmpty reports whether there is no file in a folder, however deep.
func isEmpty(dir string) (bool, error) {
	found := false
	err := filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			err = fs.SkipAll
			found = true
		}
		return err
	})
	return !found, err
}
