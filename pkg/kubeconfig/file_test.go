package kubeconfig

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/clientcmd"
)

func TestDefaultPath(t *testing.T) {
	list := string(os.PathListSeparator)
	cases := map[string]struct{ kubeconfig, want string }{
		"Unset":           {want: "/home/ana/.kube/config"},
		"OneFile":         {kubeconfig: "/tmp/a", want: "/tmp/a"},
		"TheFirstOfAList": {kubeconfig: "/tmp/a" + list + "/tmp/b", want: "/tmp/a"},
		"AnEmptyFirst":    {kubeconfig: list + "/tmp/b", want: "/tmp/b"},
		"AnEmptyList":     {kubeconfig: list + list, want: "/home/ana/.kube/config"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			env := func(key string) string { return map[string]string{"KUBECONFIG": tc.kubeconfig}[key] }
			if got := DefaultPath(env, "/home/ana"); got != tc.want {
				t.Errorf("DefaultPath = %q, want %q", got, tc.want)
			}
		})
	}
}

func TestWriteFile(t *testing.T) {
	cases := map[string]struct {
		prepare func(t testing.TB, path string)
	}{
		"New":                  {prepare: func(testing.TB, string) {}},
		"InPlaceOfAnOpenOne":   {prepare: func(t testing.TB, path string) { writeOld(t, path, 0o644) }},
		"InPlaceOfAReadOnly":   {prepare: func(t testing.TB, path string) { writeOld(t, path, 0o400) }},
		"ThroughASymbolicLink": {prepare: linkElsewhere},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "new", "dir")
			path := filepath.Join(dir, "config")
			tc.prepare(t, path)
			before, linkErr := os.Readlink(path)

			if err := WriteFile(path, simple("a", "https://a")); err != nil {
				t.Fatalf("WriteFile: %v", err)
			}
			got, err := clientcmd.LoadFromFile(path)
			if err != nil {
				t.Fatalf("read back: %v", err)
			}
			if got.CurrentContext != "a" {
				t.Errorf("current context %q, want a", got.CurrentContext)
			}
			assertMode(t, path, 0o600)
			assertMode(t, dir, 0o700)
			if after, err := os.Readlink(path); linkErr == nil && (err != nil || after != before) {
				t.Errorf("the link to %s became %q, %v", before, after, err)
			}
			entries, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, entry := range entries {
				names = append(names, entry.Name())
			}
			if diff := cmp.Diff([]string{"config"}, names); diff != "" {
				t.Errorf("left in the directory (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWriteFileLeavesNothingBehindWhenItFails(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "config")
	// A directory that is not empty cannot be replaced, whoever runs the test.
	if err := os.MkdirAll(filepath.Join(path, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(path, simple("a", "https://a")); err == nil {
		t.Fatal("want an error")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("%v, %v in the directory; want no temporary file, it would hold a key", entries, err)
	}
}

func writeOld(t testing.TB, path string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("old"), mode); err != nil {
		t.Fatal(err)
	}
}

func linkElsewhere(t testing.TB, path string) {
	t.Helper()
	target := filepath.Join(t.TempDir(), "dotfiles")
	writeOld(t, target, 0o600)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}

func assertMode(t testing.TB, path string, want os.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != want {
		t.Errorf("%s has mode %o, want %o: it is a credential", path, got, want)
	}
}
