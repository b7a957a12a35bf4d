package local

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// One of the two files of the address book may be spoilt in any way: nobody gets
// another address.
func TestTheAddressBookOutlivesTheLossOfAFile(t *testing.T) {
	harm := map[string]func(t *testing.T, path string){
		"missing": func(t *testing.T, path string) { check(t, os.Remove(path)) },
		"empty":   func(t *testing.T, path string) { check(t, os.Truncate(path, 0)) },
		"truncated": func(t *testing.T, path string) {
			info, err := os.Stat(path)
			check(t, err)
			check(t, os.Truncate(path, info.Size()/2))
		},
		"garbage":         func(t *testing.T, path string) { check(t, os.WriteFile(path, []byte("\x00\x01\x02"), 0o600)) },
		"null":            func(t *testing.T, path string) { check(t, os.WriteFile(path, []byte("null"), 0o600)) },
		"of another kind": func(t *testing.T, path string) { check(t, os.WriteFile(path, []byte(`{"a":[1]}`), 0o600)) },
		"with a port twice": func(t *testing.T, path string) {
			check(t, os.WriteFile(path, []byte(`{"a":{"balanced":80},"b":{"balanced":80}}`), 0o600))
		},
		"a folder": func(t *testing.T, path string) {
			check(t, os.Remove(path))
			check(t, os.Mkdir(path, 0o700))
		},
	}
	for name, spoil := range harm {
		for _, file := range []string{"addresses.json", "addresses.copy.json"} {
			t.Run(file+" "+name, func(t *testing.T) {
				f := newFixture(t)
				before := mustReserve(t, f.book(t), reservationOf("a", 3, "https"))
				spoil(t, filepath.Join(f.dir, file))
				after := mustReserve(t, f.book(t), reservationOf("a", 3, "https"))
				if diff := cmp.Diff(before, after); diff != "" {
					t.Errorf("addresses have changed:\n%s", diff)
				}
				if name == "a folder" {
					check(t, os.Remove(filepath.Join(f.dir, file)))
				}
				// Both are good again, so that the next loss does no harm either.
				f.book(t)
				for _, file := range []string{"addresses.json", "addresses.copy.json"} {
					if held, err := readBook(filepath.Join(f.dir, file)); err != nil || len(held) != 1 {
						t.Errorf("%s holds %v afterwards (%v)", file, held, err)
					}
				}
			})
		}
	}
}

func TestALostAddressBookIsNotBegunAnew(t *testing.T) {
	f := newFixture(t)
	mustReserve(t, f.book(t), reservationOf("a", 3, "https"))
	check(t, os.MkdirAll(f.replicaDir(0), 0o700))
	saved := map[string][]byte{}
	for _, file := range []string{"addresses.json", "addresses.copy.json"} {
		text, err := os.ReadFile(filepath.Join(f.dir, file))
		check(t, err)
		saved[file] = text
		check(t, os.Remove(filepath.Join(f.dir, file)))
	}
	h, err := New(Options{Dir: f.dir, BinDir: f.bin, Files: f.files})
	if err == nil {
		abandon(t, h)
		t.Fatal("New without an address book but with something hosted: want an error")
	}
	for _, part := range []string{"addresses.json", "addresses.copy.json", "restore one of them from a backup"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error lacks %q: %v", part, err)
		}
	}
	if _, err := os.Stat(f.replicaDir(0)); err != nil {
		t.Errorf("what is hosted: %v", err)
	}
	// One of them is enough.
	check(t, os.WriteFile(filepath.Join(f.dir, "addresses.copy.json"), saved["addresses.copy.json"], 0o600))
	if got := len(f.book(t).held); got != 1 {
		t.Errorf("%d reservations after the restore, want 1", got)
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
