package local

import (
	"path/filepath"
	"syscall"
	"testing"
)

// TestHandle looks at the end of processes both ways: by a pidfd, and by looking from
// time to time as on a kernel without.
func TestHandle(t *testing.T) {
	f := newFixture(t)
	ways := map[string]func(*handle) *handle{
		"ByPidfd": func(h *handle) *handle { return h },
		"ByLooking": func(h *handle) *handle {
			h.close()
			return newHandle(h.identity, -1)
		},
		"ByPidfdOpenedLater": func(h *handle) *handle {
			h.close()
			later, err := open(h.identity)
			if err != nil {
				t.Fatal(err)
			}
			return later
		},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			start := func(args ...string) *handle {
				dir := t.TempDir()
				h, err := launch(&processPlan{
					id:   processID{key{testNamespace, "x"}, 0, "x"},
					path: filepath.Join(f.bin, "kubernetes", testVersion, "kube-apiserver"),
					args: args, dir: dir, log: filepath.Join(dir, "x.log"),
				}, dir)
				if err != nil {
					t.Fatal(err)
				}
				return way(h)
			}
			ended := func(h *handle, want string) {
				t.Helper()
				how, ok := h.wait()
				if !ok || how != want {
					t.Errorf("wait = %q, %v: want %q", how, ok, want)
				}
				if h.alive() {
					t.Error("it passes for alive after its end")
				}
				if err := h.signal(syscall.SIGTERM); err != nil {
					t.Errorf("signal after its end: %v, want none", err)
				}
				h.close()
			}

			h := start()
			if err := h.signal(syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			ended(h, "was killed by SIGKILL")

			h = start()
			waited := make(chan bool)
			go func() {
				_, ended := h.wait()
				waited <- ended
			}()
			h.close()
			if <-waited {
				t.Error("wait says that the process ended, when the handle was closed")
			}
			again, err := open(h.identity)
			if err != nil {
				t.Fatalf("open: %v: want the process to live on", err)
			}
			if err := again.signal(syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			ended(again, "was killed by SIGKILL")
		})
	}
}

func TestHowAProcessExited(t *testing.T) {
	f := newFixture(t)
	dir := t.TempDir()
	h, err := launch(&processPlan{
		id:   processID{key{testNamespace, "x"}, 0, "x"},
		path: filepath.Join(f.bin, "kubernetes", testVersion, "kube-apiserver"),
		args: []string{"--exit=7"}, dir: dir, log: filepath.Join(dir, "x.log"),
	}, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	if how, ok := h.wait(); !ok || how != "exited with status 7" {
		t.Errorf("wait = %q, %v: want exited with status 7", how, ok)
	}
}
