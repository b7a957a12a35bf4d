package up

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDataDir(t *testing.T) {
	cases := map[string]struct {
		prepare func(t *testing.T, dir string) (dataDir string)
		errors  []string
	}{
		"ANewOne": {
			prepare: func(_ *testing.T, dir string) string { return filepath.Join(dir, "not", "there", "yet") },
		},
		"OneOfThisVersion": {
			prepare: func(t *testing.T, dir string) string {
				write(t, filepath.Join(dir, "version"), "1\n", 0o600)
				return dir
			},
		},
		"OneOfANewerVersion": {
			prepare: func(t *testing.T, dir string) string {
				write(t, filepath.Join(dir, "version"), "2\n", 0o600)
				return dir
			},
			errors: []string{"written by a newer Marina", "layout is 2", "up to 1", "--data-dir"},
		},
		"OneThatIsSpoilt": {
			prepare: func(t *testing.T, dir string) string {
				write(t, filepath.Join(dir, "version"), "", 0o600)
				return dir
			},
			errors: []string{"not the version of a layout"},
		},
		"OneThatIsHeld": {
			prepare: func(t *testing.T, dir string) string {
				held, err := openDataDir(dataDir(dir))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(held.release)
				return dir
			},
			errors: []string{"in use by process " + pidText(), "kill " + pidText()},
		},
		"OneThatWasHeld": {
			prepare: func(t *testing.T, dir string) string {
				held, err := openDataDir(dataDir(dir))
				if err != nil {
					t.Fatal(err)
				}
				held.release()
				return dir
			},
		},
		// Permissions would not stop root, who may run the tests.
		"OneThatCannotBe": {
			prepare: func(t *testing.T, dir string) string {
				write(t, filepath.Join(dir, "file"), "", 0o600)
				return filepath.Join(dir, "file", "data")
			},
			errors: []string{"cannot be written to", "--data-dir"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			dir := tc.prepare(t, t.TempDir())
			held, err := openDataDir(dataDir(dir))
			if tc.errors != nil {
				assertError(t, err, tc.errors...)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			pid, err := os.ReadFile(filepath.Join(dir, "marina.pid"))
			if got := string(pid); err != nil || got != pidText()+"\n" {
				t.Errorf("marina.pid holds %q, want our pid (%v)", got, err)
			}
			held.release()
			if pid, err := os.ReadFile(filepath.Join(dir, "marina.pid")); err != nil || len(pid) != 0 {
				t.Errorf("after release marina.pid holds %q, want nothing (%v)", pid, err)
			}
		})
	}
}

func TestWriteFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for _, content := range []string{"one", "another"} {
		if err := writeFile(path, []byte(content)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if diff := cmp.Diff(content, string(got)); diff != "" || err != nil {
			t.Errorf("%v\n%s", err, diff)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600 (%v)", info.Mode(), err)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("%d files, want one (%v)", len(entries), err)
	}
}
