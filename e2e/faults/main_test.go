// Package faults does to a Marina what disks and people do: data directories that are
// full or read-only, files that are lost, and signals in the middle of a start. Each
// test proves that the harm was done, that it was told clearly, that nothing which was
// acknowledged is lost, and that all comes back by itself once the cause is gone.
//
// It mounts file systems of its own below the tests' folders. Who may not do so runs it
// in namespaces of its own.
package faults

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/marina-dev/marina/controlplane/host/local/disk"
	"github.com/marina-dev/marina/e2e/harness"
)

var check = harness.Check

// mountDisk makes a folder a disk of its own, of a size such as 64m.
func mountDisk(t *testing.T, dir, size string) {
	t.Helper()
	check(t, os.MkdirAll(dir, 0o700))
	mount(t, "tmpfs", dir, "tmpfs", 0, "size="+size)
}

// readOnly makes a folder one that nobody can write to, until undo is called.
func readOnly(t *testing.T, dir string) (undo func()) {
	t.Helper()
	mount(t, dir, dir, "", unix.MS_BIND, "")
	// In a user namespace nobody may take back what the system's own mount forbids.
	var is unix.Statfs_t
	check(t, unix.Statfs(dir, &is))
	kept := uintptr(is.Flags) & (unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC)
	if err := unix.Mount("", dir, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY|kept, ""); err != nil {
		t.Fatalf("making %s read-only: %v", dir, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "proof"), nil, 0o600); !errors.Is(err, unix.EROFS) {
		t.Fatalf("writing to %s: %v, want that it is read-only", dir, err)
	}
	return func() { check(t, unix.Unmount(dir, unix.MNT_DETACH)) }
}

func mount(t *testing.T, source, target, kind string, flags uintptr, data string) {
	t.Helper()
	if err := unix.Mount(source, target, kind, flags, data); err != nil {
		t.Fatalf("mounting %s: %v: %s", target, err, toMount)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(target, unix.MNT_DETACH); err != nil && !errors.Is(err, unix.EINVAL) {
			t.Errorf("unmounting %s: %v", target, err)
		}
	})
}

// filler is a file that takes all the room of a disk.
type filler struct {
	t    *testing.T
	file *os.File
}

// fill takes all that is left of a folder's disk, and proves it.
func fill(t *testing.T, dir string) *filler {
	t.Helper()
	file, err := os.Create(filepath.Join(dir, "filler"))
	check(t, err)
	f := &filler{t, file}
	f.top()
	if space, err := disk.Of(dir); err != nil || space.Free > 0 {
		t.Fatalf("%s is not full: %s (%v)", dir, space, err)
	}
	return f
}

// top takes what has become free meanwhile: a member of etcd that ends gives back the
// next part of its log.
func (f *filler) top() {
	f.t.Helper()
	for _, size := range []int{1 << 20, 4 << 10, 1} {
		var err error
		for err == nil {
			_, err = f.file.Write(make([]byte, size))
		}
		if !errors.Is(err, unix.ENOSPC) {
			f.t.Fatalf("filling a disk: %v, want that it is full", err)
		}
	}
}

// empty gives all of it back.
func (f *filler) empty() {
	f.t.Helper()
	check(f.t, errors.Join(os.Remove(f.file.Name()), f.file.Close()))
}

// exists succeeds when a file is there.
func exists(path ...string) error {
	_, err := os.Stat(filepath.Join(path...))
	return err
}

// runs succeeds when a process does.
func runs(m *harness.Marina, name string) error {
	if m.Processes()[name] == 0 {
		return fmt.Errorf("%s does not run", name)
	}
	return nil
}

// says tells unless a condition has a status and says all the words.
func says(conditions []metav1.Condition, conditionType string, want metav1.ConditionStatus, words ...string) error {
	c := meta.FindStatusCondition(conditions, conditionType)
	if c == nil || c.Status != want {
		return fmt.Errorf("condition %s is %v, want it to be %s", conditionType, c, want)
	}
	for _, word := range words {
		if !strings.Contains(c.Message, word) {
			return fmt.Errorf("condition %s is %s because %q, which does not say %q", conditionType, c.Status, c.Message, word)
		}
	}
	return nil
}

// prints tells unless "marina up" has printed all the words.
func prints(m *harness.Marina, words ...string) error {
	for _, word := range words {
		if !strings.Contains(m.Output(), word) {
			return fmt.Errorf("marina up has not said %q: %s", word, m.Output())
		}
	}
	return nil
}
