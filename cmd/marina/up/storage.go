package up

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/controlplane/host/local/disk"
)

// notWritable explains an error of writing to the data directory, by what is wrong
// with its disk.
func notWritable(d dataDir, err error) error {
	if explained := diskFailure(d, err); explained != nil {
		return explained
	}
	return failure.New("make it writable for you, or choose another --data-dir", "the data directory %s cannot be written to: %v", d, err)
}

// diskFailure explains an error that comes from a disk that is full or read-only; nil
// if it comes from something else.
func diskFailure(d dataDir, err error) *failure.Error {
	switch {
	case disk.Full(err):
		left := "how much is left is not known"
		if space, err := disk.Of(string(d)); err == nil {
			left = space.String()
		}
		return &failure.Error{
			Message: fmt.Sprintf("the disk of the data directory %s is full (%s): %v", d, left, err),
			Do:      fmt.Sprintf("make room on it ('df -h %s' shows how full it is, 'du -xh %s | sort -h' what takes it), then start Marina again", d, d),
			Err:     err,
		}
	case disk.ReadOnly(err):
		return &failure.Error{
			Message: fmt.Sprintf("the data directory %s is on a file system that is mounted read-only: %v", d, err),
			Do:      fmt.Sprintf("find out why ('dmesg', 'findmnt -T %s'), make it writable, then start Marina again", d),
			Err:     err,
		}
	}
	return nil
}

// explainDisk explains what it can and nobody has, and leaves other errors as they are.
func explainDisk(d dataDir, err error) error {
	var explained *failure.Error
	if errors.As(err, &explained) {
		return err
	}
	if found := diskFailure(d, err); found != nil {
		return found
	}
	return err
}

// writeFile writes a file that only its owner reads, in one step: whoever reads it
// finds the old content or the new.
func writeFile(path string, data []byte) (err error) {
	temp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temp.Name())
		}
	}()
	_, err = temp.Write(data)
	// Before the rename: a key that is empty after a power failure is lost.
	if err = errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return err
	}
	if err = os.Rename(temp.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// spaceEvery is how often it is looked how full the disks are.
const spaceEvery = 10 * time.Second

// watchSpace says in the log when a disk of the data directory is nearly full, and
// when it is not any more.
func (r *Running) watchSpace() {
	d := dataDir(r.options.DataDir)
	low := map[string]bool{}
	ticker := time.NewTicker(spaceEvery)
	defer ticker.Stop()
	for {
		r.checkSpace([]string{string(d), d.etcd(), d.tenants()}, low)
		select {
		case <-r.background.Done():
			return
		case <-ticker.C:
		}
	}
}

// checkSpace looks at the file systems of some folders. It remembers in low what it
// has said; a file system that several are on is spoken of once.
func (r *Running) checkSpace(dirs []string, low map[string]bool) {
	said := map[disk.Space]bool{}
	for _, dir := range dirs {
		space, err := disk.Of(dir)
		if err != nil {
			continue
		}
		is := space.Low()
		if is == low[dir] {
			said[space] = said[space] || is
			continue
		}
		low[dir] = is
		switch {
		case said[space]:
		case is:
			r.options.Log.Warn("The disk is nearly full: make room before clusters stop accepting writes",
				"folder", dir, "space", space.String())
		default:
			r.options.Log.Info("There is room on the disk again", "folder", dir, "space", space.String())
		}
		said[space] = true
	}
}
