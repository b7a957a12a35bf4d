package local

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/marina-dev/marina/controlplane/component"
)

// What a crash, a full disk or a person may have done to a file while nobody looked.
var damages = map[string]func(path string) error{
	"missing":   os.Remove,
	"empty":     func(path string) error { return os.Truncate(path, 0) },
	"truncated": func(path string) error { return os.Truncate(path, 3) },
	"garbage":   func(path string) error { return os.WriteFile(path, []byte("\x00\xff"), 0o600) },
	"a link to nowhere": func(path string) error {
		return errors.Join(os.Remove(path), os.Symlink("/nowhere", path))
	},
}

func TestDamagedFilesOfAComponentAreWrittenAgain(t *testing.T) {
	for damage, harm := range damages {
		t.Run(damage, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.files["serving"] = map[string][]byte{"tls.crt": []byte("certificate")}
			c := f.component(1)
			c.Mounts = []component.Mount{{Path: "serving", Secret: "serving"}}
			h := f.host(t)
			applied(t, h, c)
			before := f.pids(t)
			path := filepath.Join(f.replicaDir(0), "files", "serving", "tls.crt")
			whole := func() bool {
				data, err := os.ReadFile(path)
				return err == nil && string(data) == "certificate"
			}

			check(t, harm(path))
			kill(t, before[testNamespace+"/kube-apiserver/0/kube-apiserver"], syscall.SIGKILL)
			waitFor(t, is("the file is whole when the process starts again"), whole)
			waitDone(t, h, c)

			before = f.pids(t)
			abandon(t, h)
			check(t, harm(path))
			applied(t, f.host(t), c)
			waitFor(t, is("the file is whole when a Host begins"), whole)
			if diff := cmp.Diff(before, f.pids(t)); diff != "" {
				t.Errorf("processes have changed:\n%s", diff)
			}
		})
	}
}

func TestADamagedLogIsBegunAnew(t *testing.T) {
	for damage, harm := range damages {
		t.Run(damage, func(t *testing.T) {
			if damage == "a link to nowhere" {
				harm = func(path string) error {
					return errors.Join(os.Remove(path), os.Symlink(filepath.Join(filepath.Dir(path), "other"), path))
				}
			}
			t.Parallel()
			f := newFixture(t)
			c := f.component(1)
			h := f.host(t)
			applied(t, h, c)
			check(t, harm(filepath.Join(f.replicaDir(0), "kube-apiserver.log")))
			process := testNamespace + "/kube-apiserver/0/kube-apiserver"
			before := f.pids(t)[process]
			kill(t, before, syscall.SIGKILL)
			waitFor(t, is("another process runs"), func() bool {
				pid := f.pids(t)[process]
				return pid != 0 && pid != before
			})
			waitDone(t, h, c)
		})
	}
}

func TestAFileThatCannotBeWrittenIsNamed(t *testing.T) {
	for _, name := range []string{"files/serving/tls.crt", "kube-apiserver.log"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.files["serving"] = map[string][]byte{"tls.crt": []byte("certificate")}
			c := f.component(1)
			c.Mounts = []component.Mount{{Path: "serving", Secret: "serving"}}
			// A folder in its place stops root too, which permissions would not.
			path := filepath.Join(f.replicaDir(0), name)
			h := f.host(t)
			check(t, os.MkdirAll(filepath.Join(path, "folder"), 0o700))
			apply(t, h, c)
			waitStatus(t, h, c, "the message names "+path, func(s component.Status) bool { return strings.Contains(s.Message, path+": ") })
			check(t, os.RemoveAll(path))
			waitDone(t, h, c)
		})
	}
}
