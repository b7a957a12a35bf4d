// Package disk tells what is wrong with the file system below a folder, in words for
// people.
package disk

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// lowBytes and lowPart are what makes a file system nearly full: less than both, so
// that neither a large nor a small one is called that too early.
const (
	lowBytes = 1 << 30
	lowPart  = 10
)

// Space is how full a file system is.
type Space struct {
	// Free is what is left for us, of Total bytes.
	Free, Total uint64
	// Files is how many more files there can be; meaningless unless CountsFiles.
	Files       uint64
	CountsFiles bool
}

// Of returns how full the file system of a folder is.
func Of(dir string) (Space, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return Space{}, fmt.Errorf("free space of %s: %w", dir, err)
	}
	size := uint64(s.Frsize)
	return Space{Free: s.Bavail * size, Total: s.Blocks * size, Files: s.Ffree, CountsFiles: s.Files > 0}, nil
}

// Low reports whether it is nearly full.
func (s Space) Low() bool {
	return s.Free < lowBytes && s.Free < s.Total/lowPart || s.outOfFiles()
}

func (s Space) outOfFiles() bool { return s.CountsFiles && s.Files == 0 }

// String tells what is left.
func (s Space) String() string {
	text := fmt.Sprintf("%d of %d MiB are free", s.Free>>20, s.Total>>20)
	if s.outOfFiles() {
		text += ", and no file can be made (no inode is left)"
	}
	return text
}

// Rough is String for what is kept in objects: it changes seldom while the disk is
// written to, since each change is one more write.
func (s Space) Rough() string {
	if s.outOfFiles() {
		return "no file can be made (no inode is left)"
	}
	bound := uint64(1)
	for bound <= s.Free>>20 {
		bound *= 2
	}
	return fmt.Sprintf("less than %d of %d MiB are free", bound, s.Total>>20)
}

// Full and ReadOnly report whether an error comes from a disk that is full, or that
// may not be written to. Programs and libraries often pass on the text alone.
func Full(err error) bool {
	return is(err, unix.ENOSPC) || is(err, unix.EDQUOT)
}

// ReadOnly is described with Full.
func ReadOnly(err error) bool { return is(err, unix.EROFS) }

func is(err error, number unix.Errno) bool {
	return errors.Is(err, number) || err != nil && strings.Contains(err.Error(), number.Error())
}
