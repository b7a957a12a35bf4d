package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/go-logr/logr"
)

// The address book is written down twice. It cannot be made again from anything else
// once nothing runs: clients and members of etcd go on looking for the ports that are
// in it.
const (
	bookFile = "addresses.json"
	bookCopy = "addresses.copy.json"
)

// load reads the book, from its copy if the file itself is lost or damaged, and makes
// both the same again. A book that cannot be read is not begun anew while something is
// hosted.
func (b *addressBook) load(log logr.Logger) error {
	held, err := readBook(b.file(bookFile))
	if err == nil {
		b.take(held)
		if copied, copyErr := os.ReadFile(b.file(bookCopy)); copyErr != nil || string(copied) != string(b.text()) {
			b.repair(log, bookCopy)
		}
		return nil
	}
	held, copyErr := readBook(b.file(bookCopy))
	switch {
	case copyErr == nil:
		log.Info("The address book cannot be read: taking its copy, nothing is lost", "file", b.file(bookFile), "reason", err.Error(), "copy", b.file(bookCopy))
		b.take(held)
		b.repair(log, bookFile)
		return nil
	case errors.Is(err, os.ErrNotExist) && errors.Is(copyErr, os.ErrNotExist) && !hosts(b.dir):
		return nil
	}
	return fmt.Errorf("local host: the address book %s cannot be read (%w), and neither can its copy %s (%w): "+
		"restore one of them from a backup of the data directory; it holds the ports that kubeconfigs and members of etcd name",
		b.file(bookFile), err, b.file(bookCopy), copyErr)
}

// take makes what was read the book.
func (b *addressBook) take(held map[string]reservation) {
	b.held = held
	for _, r := range held {
		for _, port := range r.ports() {
			b.taken[port] = true
		}
	}
}

// repair writes one of the two files. That this fails, on a disk that is full, is no
// reason to serve nobody: the other one is good.
func (b *addressBook) repair(log logr.Logger, name string) {
	if err := writeDurably(b.file(name), b.text()); err != nil {
		log.Error(err, "Writing the address book", "file", b.file(name))
	}
}

func (b *addressBook) file(name string) string { return filepath.Join(b.dir, name) }

// readBook reads one of the two files. The error does not name it if it is damaged.
func readBook(path string) (map[string]reservation, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var held map[string]reservation
	if err := json.Unmarshal(text, &held); err != nil {
		return nil, fmt.Errorf("it is damaged: %w", err)
	}
	if held == nil {
		return nil, errors.New("it is damaged: it holds no object")
	}
	owner := map[int]string{}
	for k, r := range held {
		for _, port := range r.ports() {
			if port < 1 || port > 65535 || owner[port] != "" {
				return nil, fmt.Errorf("it is damaged: port %d of %s is no port or also that of %q", port, k, owner[port])
			}
			owner[port] = k
		}
	}
	return held, nil
}

// text is what is written.
func (b *addressBook) text() []byte {
	text, err := json.MarshalIndent(b.held, "", "  ")
	if err != nil {
		// Only strings and numbers are in it.
		panic("local: address book: " + err.Error())
	}
	return append(text, '\n')
}

// save writes both files. The copy comes first: what is only in the copy is not given
// to anybody, and the next load makes them the same.
func (b *addressBook) save() error {
	text := b.text()
	for _, name := range []string{bookCopy, bookFile} {
		if err := writeDurably(b.file(name), text); err != nil {
			return fmt.Errorf("local host: writing the address book: %w", err)
		}
	}
	return nil
}

// writeDurably replaces a file in one step, so that a crash, of the machine too, leaves
// the old content or the new.
func writeDurably(path string, data []byte) error {
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		// On a disk that is full, each byte counts.
		os.Remove(tmp)
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// hosts reports whether there is a folder of a Component.
func hosts(dir string) bool {
	folders, err := componentDirs(dir)
	return err != nil || len(folders) > 0
}
