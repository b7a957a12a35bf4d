package up

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/marina-dev/marina/pkg/pki"
)

func TestLimits(t *testing.T) {
	enough := limits{openFiles: 1 << 20, inotifyInstances: 8192, inotifyWatches: 1 << 19}
	with := func(change func(*limits)) limits {
		l := enough
		change(&l)
		return l
	}
	cases := map[string]struct {
		limits limits
		errors [][]string
		warns  bool
	}{
		"Enough":       {limits: enough},
		"NothingKnown": {limits: limits{}},
		"TheKernelsDefaults": {
			limits: limits{openFiles: 4096, inotifyInstances: 128, inotifyWatches: 8192},
			warns:  true,
		},
		"FewOpenFiles": {
			limits: with(func(l *limits) { l.openFiles = 1024 }),
			errors: [][]string{{"1024 files", "4096", "ulimit -Hn", "LimitNOFILE"}},
		},
		"FewInstances": {
			limits: with(func(l *limits) { l.inotifyInstances = 44 }),
			errors: [][]string{{"fs.inotify.max_user_instances is 44", "sudo sysctl -w fs.inotify.max_user_instances=8192"}},
		},
		"FewWatches": {
			limits: with(func(l *limits) { l.inotifyWatches = 1023 }),
			errors: [][]string{{"fs.inotify.max_user_watches is 1023", "sudo sysctl -w fs.inotify.max_user_watches=524288"}},
		},
		"AllAtOnce": {
			limits: limits{openFiles: 256, inotifyInstances: 8, inotifyWatches: 8},
			errors: [][]string{{"256 files"}, {"max_user_instances"}, {"max_user_watches"}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			errs := tc.limits.check()
			if len(errs) != len(tc.errors) {
				t.Fatalf("%d errors, want %d: %v", len(errs), len(tc.errors), errs)
			}
			for i, parts := range tc.errors {
				assertError(t, errs[i], parts...)
			}
			if got := tc.limits.warn(); (got != "") != tc.warns {
				t.Errorf("warning %q, want one: %v", got, tc.warns)
			}
		})
	}
}

// What the processes get that we start is what matters.
func TestOpenFilesAreRaised(t *testing.T) {
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before) })
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 512, Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	l, err := readLimits()
	if err != nil {
		t.Fatal(err)
	}
	if l.openFiles != before.Max || l.inotifyInstances == 0 || l.inotifyWatches == 0 {
		t.Errorf("read %+v, want %d open files, and what the kernel says of inotify", l, before.Max)
	}
	child, err := exec.Command("sh", "-c", "ulimit -n").Output()
	if got, want := strings.TrimSpace(string(child)), fmt.Sprint(before.Max); err != nil || got != want {
		t.Errorf("a process that we start may open %s files, want %s (%v)", got, want, err)
	}
}

func TestFindPrograms(t *testing.T) {
	both := []string{"kube-apiserver", "kube-controller-manager"}
	cases := map[string]struct {
		// files are executable ones, by folder.
		files map[string][]string
		// plain are files that cannot be executed.
		plain  []string
		want   string
		errors []string
	}{
		"TheNewestCounts": {
			files: map[string][]string{"kubernetes/v1.9.4": both, "kubernetes/v1.36.4": both, "kubernetes/v1.36.10": both, "etcd/v3.7.3": {"etcd"}},
			want:  "v1.36.10",
		},
		"OneThatIsIncompleteDoesNot": {
			files: map[string][]string{"kubernetes/v1.36.4": both, "kubernetes/v1.37.1": {"kube-apiserver"}, "etcd/v3.7.3": {"etcd"}},
			want:  "v1.36.4",
		},
		"NorWhatIsNoProgram": {
			files: map[string][]string{"kubernetes/v1.36.4": both, "kubernetes/v1.37.1": {"kube-apiserver"}, "etcd/v3.7.3": {"etcd"}},
			plain: []string{"kubernetes/v1.37.1/kube-controller-manager", "kubernetes/README"},
			want:  "v1.36.4",
		},
		"NorWhatIsNoVersion": {
			files:  map[string][]string{"kubernetes/latest": both, "etcd/v3.7.3": {"etcd"}},
			errors: []string{"make kubernetes-1.37"},
		},
		"NoEtcd": {
			files:  map[string][]string{"kubernetes/v1.37.1": both},
			want:   "v1.37.1",
			errors: []string{"no etcd in", "make etcd"},
		},
		"Nothing": {errors: []string{"make kubernetes-1.37", "make etcd", "--bin-dir"}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for folder, files := range tc.files {
				for _, file := range files {
					write(t, filepath.Join(dir, folder, file), "", 0o755)
				}
			}
			for _, file := range tc.plain {
				write(t, filepath.Join(dir, file), "", 0o644)
			}
			got, err := findPrograms(dir)
			if got != tc.want {
				t.Errorf("found %q, want %q", got, tc.want)
			}
			if tc.errors != nil {
				assertError(t, err, tc.errors...)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestPort(t *testing.T) {
	keys := keyStore{dir: t.TempDir()}
	ca, err := pki.NewCA("stranger", time.Now(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := keys.write("ca.crt", ca.CertPEM); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", address+":0")
	if err != nil {
		t.Fatal(err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			connection.Close()
		}
	}()
	assertError(t, checkPort(port, keys), "taken by another program", "--port", "ss -ltnp")
	listener.Close()
	if err := checkPort(port, keys); err != nil {
		t.Errorf("a free port: %v", err)
	}
}

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

func TestOptions(t *testing.T) {
	valid := Options{DataDir: "data", Port: 7443, Tenants: PortRange{21000, 30999}}
	with := func(change func(*Options)) Options {
		o := valid
		change(&o)
		return o
	}
	cases := map[string]struct {
		options Options
		errors  []string
	}{
		"Valid":         {options: valid},
		"NoDataDir":     {options: with(func(o *Options) { o.DataDir = "" }), errors: []string{"--data-dir"}},
		"PortTooHigh":   {options: with(func(o *Options) { o.Port = 65527 }), errors: []string{"--port 65527", "65526"}},
		"NoPort":        {options: with(func(o *Options) { o.Port = 0 }), errors: []string{"--port 0"}},
		"PortsOverlap":  {options: with(func(o *Options) { o.Port = 20991 }), errors: []string{"20991-21000", "--port-range"}},
		"PortsMeetOnly": {options: with(func(o *Options) { o.Port = 20990 })},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			err := tc.options.complete()
			if tc.errors != nil {
				assertError(t, err, tc.errors...)
				return
			}
			if err != nil || !filepath.IsAbs(tc.options.DataDir) || tc.options.Log == nil {
				t.Errorf("completed to %+v, %v", tc.options, err)
			}
		})
	}
}

func TestPortRange(t *testing.T) {
	cases := map[string]struct {
		want PortRange
		ok   bool
	}{
		"21000-30999": {PortRange{21000, 30999}, true},
		"1-65535":     {PortRange{1, 65535}, true},
		"80-80":       {PortRange{80, 80}, true},
		"80":          {},
		"":            {},
		"0-80":        {},
		"80-65536":    {},
		"81-80":       {},
		"a-b":         {},
		"1-2-3":       {},
	}
	for text, tc := range cases {
		t.Run(text, func(t *testing.T) {
			var got PortRange
			err := got.Set(text)
			if (err == nil) != tc.ok || got != tc.want {
				t.Errorf("got %v, %v; want %v, %v", got, err, tc.want, tc.ok)
			}
			if tc.ok && got.String() != text {
				t.Errorf("prints as %q", got)
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
