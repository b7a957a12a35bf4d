package up

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/bbolt"

	"github.com/marina-dev/marina/cmd/marina/cli/failure"
)

// checkEtcdData refuses a data directory whose management etcd has lost its data. It
// would begin anew, without a cluster; then all that is hosted here would belong to
// nobody, and be removed.
func checkEtcdData(d dataDir) error {
	wal := filepath.Join(d.etcd(), "member", "wal")
	logs, err := names(wal)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(logs, func(name string) bool { return strings.HasSuffix(name, ".wal") }) {
		return nil
	}
	hosts, err := d.hosts()
	if err != nil {
		return err
	}
	if hosts {
		return failure.New("restore "+d.etcd()+" from a backup of the data directory, or choose another --data-dir; to give up all clusters, stop their processes and move "+d.tenants()+" away",
			"the data of the management etcd is missing in %s, but there is data of what it knew in %s", wal, d.tenants())
	}
	return nil
}

// hosts reports whether something of tenants is there.
func (d dataDir) hosts() (bool, error) {
	namespaces, err := names(d.tenants())
	if err != nil {
		return false, err
	}
	for _, namespace := range namespaces {
		components, err := names(filepath.Join(d.tenants(), namespace))
		if err != nil || len(components) > 0 {
			return true, err
		}
	}
	return false, nil
}

// unbegun is a file that is there until etcd has served for the first time.
func (d dataDir) unbegun() string { return filepath.Join(d.etcd(), "unbegun") }

// beginEtcdData makes sure that etcd finds all or nothing. One that is killed in the
// middle of its first start leaves data with which it never becomes ready; nobody has
// ever been told that something is stored there. Even so it is only put aside.
func beginEtcdData(d dataDir) error {
	hosts, err := d.hosts()
	if err != nil {
		return err
	}
	_, err = os.Stat(d.unbegun())
	if unbegun := err == nil; unbegun && d.used() && !hosts {
		return putAside(filepath.Join(d.etcd(), "member"))
	}
	if d.used() {
		return nil
	}
	if err := os.MkdirAll(d.etcd(), 0o700); err != nil {
		return err
	}
	return writeFile(d.unbegun(), nil)
}

// etcdHasBegun comes before anything is stored in etcd.
func etcdHasBegun(d dataDir) error {
	err := os.Remove(d.unbegun())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// checkDatabase refuses a database that ends too early. etcd would read it by several
// goroutines, and the first that reads what is not there would end this process.
func checkDatabase(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		// etcd makes it from its log again, as far as that reaches back.
		return nil
	}
	if err != nil {
		return err
	}
	db, err := bbolt.Open(path, 0, &bbolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer db.Close()
	return db.View(func(tx *bbolt.Tx) error {
		if tx.Size() > info.Size() {
			return fmt.Errorf("%s is truncated: it has %d of %d bytes", path, info.Size(), tx.Size())
		}
		return nil
	})
}

// names are those of what is in a folder; none if it is not there, or no folder.
func names(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil
	}
	var all []string
	for _, entry := range entries {
		all = append(all, entry.Name())
	}
	return all, err
}

// putAside makes room for something new, in the place of what was put aside before.
func putAside(path string) error {
	aside := path + ".old"
	if err := os.RemoveAll(aside); err != nil {
		return err
	}
	return os.Rename(path, aside)
}
