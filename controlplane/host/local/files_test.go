package local

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// fakeReader has one Secret and one ConfigMap.
type fakeReader struct {
	client.Reader
	secret    *corev1.Secret
	configMap *corev1.ConfigMap
}

func (r fakeReader) Get(_ context.Context, k client.ObjectKey, into client.Object, _ ...client.GetOption) error {
	switch o := into.(type) {
	case *corev1.Secret:
		if client.ObjectKeyFromObject(r.secret) == k {
			r.secret.DeepCopyInto(o)
			return nil
		}
	case *corev1.ConfigMap:
		if client.ObjectKeyFromObject(r.configMap) == k {
			r.configMap.DeepCopyInto(o)
			return nil
		}
	}
	return apierrors.NewNotFound(schema.GroupResource{}, k.Name)
}

func TestAPIFiles(t *testing.T) {
	meta := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: testNamespace, Name: name}
	}
	files := APIFiles{fakeReader{
		secret:    &corev1.Secret{ObjectMeta: meta("s"), Data: map[string][]byte{"tls.crt": []byte("crt")}},
		configMap: &corev1.ConfigMap{ObjectMeta: meta("c"), Data: map[string]string{"a": "text"}, BinaryData: map[string][]byte{"b": {0}}},
	}}
	cases := map[string]struct {
		mount component.Mount
		want  map[string][]byte
	}{
		"Secret":    {component.Mount{Secret: "s"}, map[string][]byte{"tls.crt": []byte("crt")}},
		"ConfigMap": {component.Mount{ConfigMap: "c"}, map[string][]byte{"a": []byte("text"), "b": {0}}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := files.Read(t.Context(), testNamespace, tc.mount)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("content (-want +got):\n%s", diff)
			}
		})
	}
}

// The cache is behind when it has just been written, which is nobody's fault.
func TestAMountThatIsNotThereIsWaitedFor(t *testing.T) {
	files := APIFiles{fakeReader{secret: &corev1.Secret{}, configMap: &corev1.ConfigMap{}}}
	for name, m := range map[string]component.Mount{
		"Secret":    {Path: "x", Secret: "other"},
		"ConfigMap": {Path: "x", ConfigMap: "other"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readFiles(t.Context(), files, testNamespace, []component.Mount{m})
			e := reconcile.As(err)
			if e == nil || e.Kind != reconcile.KindWait || e.Reason != "MountMissing" || e.After != 100*time.Millisecond {
				t.Errorf("%#v, want to wait 100 ms because of MountMissing", e)
			}
			if result, err := reconcile.Result(err); err != nil || result.RequeueAfter == 0 {
				t.Errorf("%v and error %v for the controller: want it to look again, without an error to log", result, err)
			}
		})
	}
}

func TestReadFiles(t *testing.T) {
	from := StaticFiles{
		"serving": {"tls.crt": []byte("crt"), "tls.key": []byte("key")},
		"ca":      {"ca.crt": []byte("ca"), "ca.key": []byte("secret")},
		"config":  {"audit.yaml": []byte("audit")},
	}
	set, err := readFiles(t.Context(), from, testNamespace, []component.Mount{
		{Path: "serving", Secret: "serving"},
		{Path: "ca", Secret: "ca", Keys: []string{"ca.crt"}},
		{Path: "config", ConfigMap: "config", Hash: "1"},
		{Path: "ca", ConfigMap: "config", Hash: "1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []file{
		{"ca/audit.yaml", []byte("audit"), false},
		{"ca/ca.crt", []byte("ca"), true},
		{"config/audit.yaml", []byte("audit"), false},
		{"serving/tls.crt", []byte("crt"), true},
		{"serving/tls.key", []byte("key"), true},
	}
	if diff := cmp.Diff(want, set.files, cmp.AllowUnexported(file{})); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"serving"}, set.reloadedDirs); diff != "" {
		t.Errorf("folders that hold reloaded files only (-want +got):\n%s", diff)
	}
}

func TestReadFilesRefuses(t *testing.T) {
	from := StaticFiles{"s": {"a": nil}, "odd": {"../a": nil}}
	cases := map[string]component.Mount{
		"APathElsewhere":   {Path: "../x", Secret: "s"},
		"AnAbsolutePath":   {Path: "/etc", Secret: "s"},
		"NoSource":         {Path: "x"},
		"TwoSources":       {Path: "x", Secret: "s", ConfigMap: "s"},
		"AMissingKey":      {Path: "x", Secret: "s", Keys: []string{"b"}},
		"AMissingSecret":   {Path: "x", Secret: "other"},
		"AKeyThatIsNoFile": {Path: "x", Secret: "odd"},
	}
	for name, m := range cases {
		t.Run(name, func(t *testing.T) {
			if set, err := readFiles(t.Context(), from, testNamespace, []component.Mount{m}); err == nil {
				t.Errorf("read %+v, want an error", set.files)
			}
		})
	}
}

func TestDigestsTellWhatChanged(t *testing.T) {
	read := func(reloaded, fixed string) fileSet {
		from := StaticFiles{"r": {"a": []byte(reloaded)}, "f": {"a": []byte(fixed)}}
		set, err := readFiles(t.Context(), from, testNamespace, []component.Mount{{Path: "r", Secret: "r"}, {Path: "f", Secret: "f", Hash: "1"}})
		if err != nil {
			t.Fatal(err)
		}
		return set
	}
	base := read("1", "1")
	if same := read("1", "1"); same.digest != base.digest || same.reloadedDigest != base.reloadedDigest {
		t.Error("the same content has other digests")
	}
	if other := read("2", "1"); other.digest == base.digest || other.reloadedDigest == base.reloadedDigest {
		t.Error("another reloaded file: want both digests to change")
	}
	if other := read("1", "2"); other.digest == base.digest || other.reloadedDigest != base.reloadedDigest {
		t.Error("another fixed file: want the digest of all to change, and that of the reloaded ones not")
	}
}

func TestSyncTree(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "files")
	set := fileSet{
		files:        []file{{"r/a", []byte("1"), true}, {"r/b", []byte("1"), true}, {"f/a", []byte("1"), false}},
		reloadedDirs: []string{"r"},
	}
	if err := set.writeAll(dir); err != nil {
		t.Fatal(err)
	}
	checkTree(t, dir, map[string]string{"r/a": "1", "r/b": "1", "f/a": "1"})
	before := modified(t, dir)
	if err := set.writeAll(dir); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, modified(t, dir)); diff != "" {
		t.Errorf("the same again wrote something (-before +after):\n%s", diff)
	}

	// Reloaded files change, and vanish; what stands in the fixed folder stays.
	set.files = []file{{"r/a", []byte("2"), true}, {"f/a", []byte("2"), false}, {"f/b", []byte("2"), false}}
	if err := set.writeReloaded(dir); err != nil {
		t.Fatal(err)
	}
	checkTree(t, dir, map[string]string{"r/a": "2", "f/a": "1"})

	// A crash in the middle of a write, and a folder that is mounted no more.
	if err := os.WriteFile(filepath.Join(dir, "r", ".tmp-1"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	set.files = []file{{"f/a", []byte("2"), false}}
	if err := set.writeAll(dir); err != nil {
		t.Fatal(err)
	}
	checkTree(t, dir, map[string]string{"f/a": "2"})
	if _, err := os.Stat(filepath.Join(dir, "r")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder of a mount that is gone: %v, want it removed", err)
	}
}

// checkTree compares all files and looks at their modes.
func checkTree(t testing.TB, dir string, want map[string]string) {
	t.Helper()
	got := map[string]string{}
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		mode := os.FileMode(0o600)
		if info.IsDir() {
			mode = 0o700
		} else {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			relative, _ := filepath.Rel(dir, path)
			got[relative] = string(text)
		}
		if info.Mode().Perm() != mode {
			t.Errorf("%s has mode %o, want %o", path, info.Mode().Perm(), mode)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestLogs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.log")
	if got := lastWords(path, 0); got != "" {
		t.Errorf("the last line of no log is %q, want none", got)
	}
	write := func(text string) {
		t.Helper()
		f, err := openLog(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	write("one\n")
	write("two\x1b[31m\tbad\n\n")
	if got := lastWords(path, 0); got != "two [31m bad" {
		t.Errorf("last line %q, want that of the second run, printable", got)
	}
	if err := os.Truncate(path, 50<<20+1); err != nil {
		t.Fatal(err)
	}
	write("three\n")
	if text, err := os.ReadFile(path); err != nil || string(text) != "three\n" {
		t.Errorf("log %d bytes, %v: want a new one when the old was over 50 MiB", len(text), err)
	}
	if info, err := os.Stat(path + ".old"); err != nil || info.Size() != 50<<20+1 {
		t.Errorf("the old log: %v, want it kept aside", err)
	}
	long := make([]byte, 1000)
	for i := range long {
		long[i] = 'x'
	}
	write(string(long) + " the reason\n")
	if got := lastWords(path, 0); len(got) > 210 || got[len(got)-10:] != "the reason" {
		t.Errorf("last line %q: want the end of it, and short", got)
	}
}
