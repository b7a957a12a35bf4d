package local

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"k8s.io/apimachinery/pkg/util/uuid"
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
	id, err := keepData(u.desired.replicas[r.ordinal].dir)
	r.marked, r.dataID = running && err == nil, id
	return err
}

// keepData makes the folder for data in a replica's, or remembers that there is some,
// by a mark that identifies it.
func keepData(dir string) (id string, err error) {
	data, mark := filepath.Join(dir, dataFolder), filepath.Join(dir, dataMark)
	if err := os.MkdirAll(data, 0o700); err != nil {
		return "", err
	}
	empty, err := isEmpty(data)
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(mark)
	switch {
	case err == nil && empty:
		return "", fmt.Errorf("its data in %s is gone and it is not started without: mount its disk, or see docs/how-to/recover.md", data)
	case !empty && (errors.Is(err, fs.ErrNotExist) || err == nil && len(text) == 0):
		// Marks were empty once.
		id = string(uuid.NewUUID())
		if err := writeDurably(mark, []byte(id)); err != nil {
			// Another one the next time: nobody may remember this one.
			return "", err
		}
		return id, nil
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	}
	return string(text), err
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
