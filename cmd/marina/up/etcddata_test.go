package up

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
)

// written is how many keys are in the data that tests spoil.
const written = 200

// openData starts the management etcd alone.
func openData(t *testing.T, d dataDir) (*managementEtcd, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	return startEtcd(ctx, d, freePorts(t, 1))
}

// etcdData is a data directory with data of etcd.
func etcdData(t *testing.T) dataDir {
	t.Helper()
	d := used(t)
	if err := os.RemoveAll(d.etcd()); err != nil {
		t.Fatal(err)
	}
	server, err := openData(t, d)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	for i := range written {
		put := &etcdserverpb.PutRequest{Key: fmt.Appendf(nil, "/%d", i), Value: make([]byte, 4096)}
		if _, err := server.Server.Put(t.Context(), put); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func TestDamagedDataOfEtcd(t *testing.T) {
	whole := etcdData(t)
	const served = ""
	at := func(size int64) func(string) error {
		return func(path string) error { return os.Truncate(path, size) }
	}
	cases := map[string]struct {
		file string
		harm func(path string) error
		want string
	}{
		"none":                         {"", nil, served},
		"the database ends in half":    {"snap/db", at(400 << 10), "is truncated: it has 409600 of"},
		"the database ends at a page":  {"snap/db", at(3 * 4096), "is truncated: it has 12288 of"},
		"the database ends within one": {"snap/db", at(3*4096 + 100), "is truncated: it has 12388 of"},
		"the database has no slack":    {"snap/db", at(8 << 20), served},
		"the database is garbage":      {"snap/db", harms["garbage"], "the management etcd does not start"},
		"the database is missing":      {"snap/db", os.Remove, served},
		"the database is empty":        {"snap/db", harms["empty"], served},
		"the log has a torn end":       {"wal", tearLog, served},
		"the log is empty":             {"wal/0000000000000000-0000000000000000.wal", harms["empty"], "the management etcd does not start"},
		"the log is garbage":           {"wal/0000000000000000-0000000000000000.wal", harms["garbage"], "the management etcd does not start"},
		"the log is missing":           {"wal", os.RemoveAll, "the data of the management etcd is missing"},
		"a folder is where the log is": {"wal/0000000000000000-0000000000000000.wal", harms["a folder"], "the management etcd does not start"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			d := dataDir(t.TempDir())
			if err := os.CopyFS(string(d), os.DirFS(string(whole))); err != nil {
				t.Fatal(err)
			}
			if tc.harm != nil {
				if err := tc.harm(filepath.Join(d.etcd(), "member", tc.file)); err != nil {
					t.Fatal(err)
				}
			}
			rest := tree(t, d.tenants())
			err := checkEtcdData(d)
			var server *managementEtcd
			if err == nil {
				server, err = openData(t, d)
			}
			if diff := cmp.Diff(rest, tree(t, d.tenants())); diff != "" {
				t.Errorf("data of tenants has changed:\n%s", diff)
			}
			if tc.want != served {
				if err == nil {
					server.Close()
				}
				assertError(t, err, tc.want, d.etcd(), "backup")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer server.Close()
			all, err := server.Server.Range(t.Context(), &etcdserverpb.RangeRequest{Key: []byte("/"), RangeEnd: []byte("0"), CountOnly: true})
			if err != nil || all.Count != written {
				t.Errorf("%d keys, want %d (%v)", all.GetCount(), written, err)
			}
		})
	}
}

// What a first start leaves that is killed in the middle is no data.
func TestDataOfEtcdIsBegunAnewUntilItHasServed(t *testing.T) {
	whole := etcdData(t)
	if _, err := os.Stat(whole.unbegun()); !os.IsNotExist(err) {
		t.Fatalf("etcd has served and is not taken to have begun (%v)", err)
	}
	for name, tc := range map[string]struct {
		unbegun, hosts, kept bool
	}{
		"it has served":             {kept: true},
		"it has not served":         {unbegun: true},
		"tenants have data":         {unbegun: true, hosts: true, kept: true},
		"it has served, as tenants": {hosts: true, kept: true},
	} {
		t.Run(name, func(t *testing.T) {
			d := dataDir(t.TempDir())
			if err := os.CopyFS(string(d), os.DirFS(string(whole))); err != nil {
				t.Fatal(err)
			}
			if tc.unbegun {
				write(t, d.unbegun(), "", 0o600)
			}
			if !tc.hosts {
				if err := os.RemoveAll(d.tenants()); err != nil {
					t.Fatal(err)
				}
			}
			if err := beginEtcdData(d); err != nil {
				t.Fatal(err)
			}
			if got := d.used(); got != tc.kept {
				t.Errorf("the data is there: %v, want %v", got, tc.kept)
			}
			if _, err := os.Stat(filepath.Join(d.etcd(), "member.old", "snap", "db")); (err == nil) == tc.kept {
				t.Errorf("what was there is put aside: %v, want %v", err == nil, !tc.kept)
			}
		})
	}
}

func TestAFolderThatCannotBeReadIsNotTakenForAnEmptyOne(t *testing.T) {
	d := used(t)
	// Longer than a name may be; root may read everything else.
	if _, err := names(filepath.Join(string(d), strings.Repeat("x", 300))); err == nil {
		t.Error("want an error")
	}
	for name, path := range map[string]string{"a folder that is not there": filepath.Join(string(d), "none"), "a file": d.version()} {
		if found, err := names(path); err != nil || len(found) > 0 {
			t.Errorf("%s: %v, %v: want nothing", name, found, err)
		}
	}
}

// tearLog adds the first half of a record to a log, as a crash does in a write.
func tearLog(dir string) error {
	path := filepath.Join(dir, "0000000000000000-0000000000000000.wal")
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	end := len(data)
	for end > 0 && data[end-1] == 0 {
		end--
	}
	// Records are of 8 bytes each, after a length of 8 bytes.
	end = (end + 7) / 8 * 8
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.WriteAt([]byte{64, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3}, int64(end)); err != nil {
		return err
	}
	return os.Truncate(path, int64(end+11))
}
