package up

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/marina-dev/marina/cmd/marina/cli/failure"
)

// dataVersion counts the layouts of the data directory. A newer Marina reads older
// ones; an older one must not touch what it does not understand.
const dataVersion = 1

// dataDir is the folder that holds everything.
type dataDir string

func (d dataDir) version() string    { return filepath.Join(string(d), "version") }
func (d dataDir) pid() string        { return filepath.Join(string(d), "marina.pid") }
func (d dataDir) kubeconfig() string { return filepath.Join(string(d), "kubeconfig") }
func (d dataDir) pki() string        { return filepath.Join(string(d), "pki") }
func (d dataDir) etcd() string       { return filepath.Join(string(d), "etcd") }
func (d dataDir) etcdLog() string    { return filepath.Join(string(d), "logs", "etcd.log") }
func (d dataDir) management() string { return filepath.Join(string(d), "management") }
func (d dataDir) tenants() string    { return filepath.Join(string(d), "tenants") }
func (d dataDir) cloud() string      { return filepath.Join(string(d), "cloud") }
func (d dataDir) owner() string      { return filepath.Join(d.tenants(), "owner") }

// openDataDir creates the folder if necessary and takes it for this process, until
// the lock is released.
func openDataDir(d dataDir) (*lock, error) {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return nil, notWritable(d, err)
	}
	held, err := takeLock(d.pid())
	var busy *busyError
	switch {
	case errors.As(err, &busy):
		return nil, busy.explain(d)
	case err != nil:
		return nil, notWritable(d, err)
	}
	if err := checkVersion(d); err != nil {
		held.release()
		return nil, err
	}
	return held, nil
}

// used reports whether Marina has begun to keep data there. Keys are made before. That
// there is a folder for it says nothing: it may be a disk of its own.
func (d dataDir) used() bool {
	_, err := os.Stat(filepath.Join(d.etcd(), "member"))
	return !errors.Is(err, fs.ErrNotExist)
}

// checkVersion refuses a folder of a newer Marina, and marks a new one.
func checkVersion(d dataDir) error {
	data, err := os.ReadFile(d.version())
	restore := fmt.Sprintf("if no newer Marina has used it, run 'echo %d > %s'; otherwise use that one, or choose another --data-dir", dataVersion, d.version())
	if errors.Is(err, fs.ErrNotExist) {
		if d.used() {
			return failure.New(restore, "%s is missing: it says which versions of Marina can read what is there", d.version())
		}
		if err := writeFile(d.version(), []byte(strconv.Itoa(dataVersion)+"\n")); err != nil {
			return notWritable(d, err)
		}
		return nil
	}
	if err != nil {
		return notWritable(d, err)
	}
	found, err := strconv.Atoi(strings.TrimSpace(string(data)))
	switch {
	case err != nil || found < 1:
		return failure.New(restore, "%s holds %q and not the version of a layout", d.version(), data)
	case found > dataVersion:
		return failure.New("use that newer version of Marina, or choose another --data-dir",
			"the data directory %s was written by a newer Marina: its layout is %d, and this Marina knows up to %d", d, found, dataVersion)
	}
	return nil
}

// lock is a file that this process holds. The kernel releases it when the process
// dies, however that happens.
type lock struct{ file *os.File }

// busyError says that another process holds the lock.
type busyError struct{ holder string }

func (e *busyError) Error() string { return "held by process " + e.holder }

// explain tells who holds it. What the file says is for people only, and may be lost.
func (e *busyError) explain(d dataDir) error {
	if _, err := strconv.Atoi(e.holder); err != nil {
		return failure.New(fmt.Sprintf("stop the one that 'fuser %s' shows, or choose another --data-dir", d.pid()),
			"the data directory %s is in use by another process", d)
	}
	return failure.New(fmt.Sprintf("stop it with 'kill %s', or choose another --data-dir", e.holder),
		"the data directory %s is in use by process %s", d, e.holder)
}

// takeLock locks a file and writes this process's number into it.
func takeLock(path string) (*lock, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		err = replaceContent(file, strconv.Itoa(os.Getpid())+"\n")
	} else if errors.Is(err, syscall.EWOULDBLOCK) {
		holder, _ := os.ReadFile(path)
		err = &busyError{holder: strings.TrimSpace(string(holder))}
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return &lock{file: file}, nil
}

// release empties the file, so that nobody takes its number for a running
// process, and lets go of it. The file stays: removing it would let two processes
// each lock a file of that name.
func (l *lock) release() {
	_ = replaceContent(l.file, "")
	_ = l.file.Close()
}

func replaceContent(file *os.File, content string) error {
	if err := file.Truncate(0); err != nil {
		return err
	}
	_, err := file.WriteAt([]byte(content), 0)
	return err
}
