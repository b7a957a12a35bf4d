package snapshot

import (
	"crypto/sha256"
	"encoding/binary"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"
)

// stored writes a snapshot of an etcd at a revision, as a member sends it.
func stored(t testing.TB, path string, revision uint64) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(func(tx *bbolt.Tx) error {
		bucket, err := tx.CreateBucket([]byte("key"))
		if err != nil {
			return err
		}
		for r := uint64(1); r <= revision; r++ {
			key := append(binary.BigEndian.AppendUint64(nil, r), "_\x00\x00\x00\x00\x00\x00\x00\x00"...)
			if err := bucket.Put(key, []byte("value")); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(content)
	if err := os.WriteFile(path, append(content, sum[:]...), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestCheck(t *testing.T) {
	for name, tc := range map[string]struct {
		change func([]byte) []byte
		says   string
	}{
		"Good":             {change: func(b []byte) []byte { return b }},
		"OneBitIsAnother":  {change: func(b []byte) []byte { b[len(b)/2] ^= 1; return b }, says: "is damaged"},
		"TheHashIsAnother": {change: func(b []byte) []byte { b[len(b)-1] ^= 1; return b }, says: "is damaged"},
		"ItEndsTooEarly":   {change: func(b []byte) []byte { return b[:len(b)-100] }, says: "incomplete"},
		"APageIsMissing":   {change: func(b []byte) []byte { return append(b[:len(b)-512-32], b[len(b)-32:]...) }, says: "is damaged"},
		"ACopyOfADatabase": {change: func(b []byte) []byte { return b[:len(b)-32] }, says: "no hash at its end"},
		"Empty":            {change: func([]byte) []byte { return nil }, says: "no hash at its end"},
	} {
		path := filepath.Join(t.TempDir(), "before.db")
		stored(t, path, 7)
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, tc.change(content), 0o600); err != nil {
			t.Fatal(err)
		}
		info, err := Check(path)
		if tc.says == "" {
			if err != nil || info.Name != "before" || info.Revision != 7 || info.Size != int64(len(content)) || len(info.SHA256) != 64 {
				t.Errorf("%s: %+v, %v", name, info, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, want %q", name, err, tc.says)
		}
	}
}

// TestOldSnapshotsMakeRoom: what was not completed goes, and of the rest the oldest.
func TestOldSnapshotsMakeRoom(t *testing.T) {
	for name, tc := range map[string]struct {
		keep int
		want []string
	}{
		"One":   {1, []string{"notes.txt"}},
		"Two":   {2, []string{"newest.db", "notes.txt"}},
		"Three": {3, []string{"middle.db", "newest.db", "notes.txt"}},
		"Many":  {9, []string{"middle.db", "newest.db", "notes.txt", "oldest.db"}},
	} {
		dir := t.TempDir()
		for i, file := range []string{"oldest.db", "middle.db", "newest.db", "begun.part", "notes.txt"} {
			path := filepath.Join(dir, file)
			at := time.Unix(int64(1000+i), 0)
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(path, at, at); err != nil {
				t.Fatal(err)
			}
		}
		if err := (&Taking{Dir: dir, Name: "next", Keep: tc.keep}).makeRoom(); err != nil {
			t.Fatal(err)
		}
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, entry := range entries {
			got = append(got, entry.Name())
		}
		slices.Sort(got)
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestNothingIsReadyBeforeItIsGood: what a host and the controller go by.
func TestNothingIsReadyBeforeItIsGood(t *testing.T) {
	s := &state{taking: &Taking{}}
	ask := func(path string) (int, string) {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w.Code, w.Body.String()
	}
	s.taking.Written.Store(300 << 20)
	if code, body := ask(Path); code != http.StatusServiceUnavailable || !strings.Contains(body, "300 MiB") {
		t.Errorf("%d %q, want how far it is", code, body)
	}
	s.err = os.ErrPermission
	if code, body := ask(Path); code != http.StatusServiceUnavailable || !strings.Contains(body, "permission denied") {
		t.Errorf("%d %q, want why there is none", code, body)
	}
	s.info = &Info{Name: "before", Revision: 7}
	if code, body := ask(Path); code != http.StatusOK || !strings.Contains(body, `"revision":7`) {
		t.Errorf("%d %q, want what is known of it", code, body)
	}
	if code, _ := ask("/before.db"); code != http.StatusNotFound {
		t.Errorf("%d for a file, want that nothing of a tenant is served", code)
	}
}

func TestRestoreRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "before.db")
	stored(t, path, 1)
	data := filepath.Join(dir, "data", "etcd")
	kept := filepath.Join(data+".old", "kept")
	for _, folder := range []string{filepath.Join(data, "member"), kept} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, tc := range map[string]struct {
		path, member string
		putAside     bool
		says         string
	}{
		"NoSuchFile":       {path: filepath.Join(dir, "other.db"), member: "a", says: "no such file"},
		"ThereIsData":      {path: path, member: "a", says: "is not empty: put it aside"},
		"ThereIsOldToo":    {path: path, member: "a", putAside: true, says: "etcd.old is there from before"},
		"NotOneOfThem":     {path: path, member: "c", says: "c is none of the members a=https://a:2380, b=https://b:2380"},
		"NoSuchFileAtLast": {path: filepath.Join(dir, "other.db"), member: "a", putAside: true, says: "no such file"},
	} {
		r := Restoring{Dir: filepath.Join(dir, "data"), PutAside: tc.putAside, Member: tc.member, Members: []string{"a=https://a:2380", "b=https://b:2380"}, Token: "again"}
		_, err := r.From(tc.path)
		if err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, want %q", name, err, tc.says)
		}
		for _, folder := range []string{filepath.Join(data, "member"), kept} {
			if _, err := os.Stat(folder); err != nil {
				t.Errorf("%s: what was there: %v", name, err)
			}
		}
	}
}
