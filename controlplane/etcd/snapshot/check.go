// Package snapshot takes snapshots of an etcd, checks them, and makes members' data of
// them. It runs in a process of its own beside the members, see component.EtcdSnapshot,
// and knows nothing of who wants a snapshot or why.
package snapshot

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"go.etcd.io/bbolt"
)

// Info is what is known of a snapshot that has been checked.
type Info struct {
	// Name without the ending.
	Name string `json:"name"`
	// Size of the file in bytes, with the hash at its end.
	Size int64 `json:"size"`
	// Revision of the store.
	Revision int64 `json:"revision"`
	// SHA256 is what the member has computed of the content, in hexadecimal.
	SHA256 string `json:"sha256"`
	// Taken is when the file was complete.
	Taken time.Time `json:"taken"`
}

// ending of the names of snapshots that are complete.
const ending = ".db"

// Check reads a snapshot and compares it with the hash that the member has put at its
// end, as etcdutl does. It fails for a file without one: that is no snapshot, but a copy
// of a database.
func Check(path string) (Info, error) {
	file, err := os.Open(path)
	if err != nil {
		return Info{}, err
	}
	defer file.Close()
	stat, err := file.Stat()
	if err != nil {
		return Info{}, err
	}
	content := stat.Size() - sha256.Size
	// A database is pages of at least 512 bytes.
	if content <= 0 || content%512 != 0 {
		return Info{}, fmt.Errorf("%s has no hash at its end: it is incomplete, or no snapshot", path)
	}
	hash := sha256.New()
	if _, err := io.CopyN(hash, file, content); err != nil {
		return Info{}, err
	}
	want := make([]byte, sha256.Size)
	if _, err := io.ReadFull(file, want); err != nil {
		return Info{}, err
	}
	if !bytes.Equal(hash.Sum(nil), want) {
		return Info{}, fmt.Errorf("%s is damaged: its SHA-256 is %x, and the member has computed %x", path, hash.Sum(nil), want)
	}
	revision, err := revisionOf(path)
	if err != nil {
		return Info{}, fmt.Errorf("%s: %w", path, err)
	}
	return Info{
		Name: strings.TrimSuffix(stat.Name(), ending), Size: stat.Size(), Revision: revision,
		SHA256: hex.EncodeToString(want), Taken: stat.ModTime().UTC().Truncate(time.Second),
	}, nil
}

// revisionOf is the last revision in a database: the keys of its bucket begin with it. A
// store to which nothing was ever written is at its first.
func revisionOf(path string) (revision int64, err error) {
	db, err := bbolt.Open(path, 0, &bbolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		return 0, err
	}
	defer db.Close()
	err = db.View(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket([]byte("key"))
		if bucket == nil {
			return errors.New("it is no database of etcd")
		}
		revision = 1
		if last, _ := bucket.Cursor().Last(); len(last) >= 8 {
			revision = int64(binary.BigEndian.Uint64(last))
		}
		return nil
	})
	return revision, err
}
