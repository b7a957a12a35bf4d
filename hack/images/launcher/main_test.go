package main

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// present is a file that is there.
func present(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "present")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestHold(t *testing.T) {
	present := present(t)
	for name, tc := range map[string]struct {
		mark, delay string
		waits       time.Duration
		err         string
	}{
		"the first start":               {mark: filepath.Join(t.TempDir(), "first"), delay: "5s"},
		"a start in the same pod":       {mark: present, delay: "5s", waits: 5 * time.Second},
		"nothing is asked for":          {mark: present},
		"a delay that is none":          {mark: present, delay: "five", err: "MARINA_RESTART_DELAY"},
		"a mark that cannot be left":    {mark: filepath.Join(t.TempDir(), "no", "folder"), delay: "5s", err: "MARINA_RESTART_MARK"},
		"a delay without a mark's name": {delay: "5s", err: "MARINA_RESTART_MARK"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				err := hold(t.Context(), tc.mark, tc.delay)
				if tc.err == "" && err != nil || tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err)) {
					t.Errorf("got error %v, want one with %q", err, tc.err)
				}
				if waited := time.Since(began); waited != tc.waits {
					t.Errorf("it waited %s, want %s", waited, tc.waits)
				}
			})
		})
	}
}

// Whoever has started once in a pod waits the next time.
func TestHoldLeavesTheMark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mark, began := filepath.Join(t.TempDir(), "mark"), time.Now()
		for range 2 {
			if err := hold(t.Context(), mark, "5s"); err != nil {
				t.Fatal(err)
			}
		}
		if waited := time.Since(began); waited != 5*time.Second {
			t.Errorf("two starts waited %s, want 5s", waited)
		}
	})
}

// A pod that is deleted meanwhile does not use up its grace.
func TestHoldEndsWhenToldTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mark := filepath.Join(t.TempDir(), "mark")
		if err := hold(t.Context(), mark, "5s"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if err := hold(ctx, mark, "5s"); err != nil {
			t.Fatal(err)
		}
		if waited := time.Since(began); waited != time.Second {
			t.Errorf("it waited %s, want 1s", waited)
		}
	})
}

// The program gets what launcher was given, at each start.
func TestLauncherBecomesTheProgram(t *testing.T) {
	bin, libexec := t.TempDir(), t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-ldflags", "-X main.folder="+libexec, "-o", filepath.Join(bin, "kube-apiserver"), ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	program := "#!/bin/sh\necho \"$1 $WHO\"\nexit 3\n"
	if err := os.WriteFile(filepath.Join(libexec, "kube-apiserver"), []byte(program), 0o700); err != nil {
		t.Fatal(err)
	}
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer server.Close()
	mark := filepath.Join(t.TempDir(), "mark")
	for _, start := range []string{"first", "second"} {
		cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "kube-apiserver"), "--flag")
		cmd.Env = []string{"WHO=tenant", "PATH=" + os.Getenv("PATH"), "MARINA_RESTART_DELAY=1ms", "MARINA_RESTART_MARK=" + mark,
			"MARINA_AWAIT_IF=" + bin, "MARINA_AWAIT_URL=" + server.URL, "MARINA_AWAIT_LIMIT=1m"}
		out, err := cmd.Output()
		if string(out) != "--flag tenant\n" || cmd.ProcessState.ExitCode() != 3 {
			t.Errorf("%s start: it said %q and ended with %v, want the program's words and its exit code 3", start, out, err)
		}
		if _, err := os.Stat(mark); err != nil {
			t.Errorf("%s start: %v", start, err)
		}
	}
	if asked != 2 {
		t.Errorf("what it awaits was asked %d times in two starts, want once each", asked)
	}
}

// Told to end while it waits, it ends as a process does that is told to.
func TestLauncherEndsWhenToldTo(t *testing.T) {
	mark := present(t)
	launcher := filepath.Join(t.TempDir(), "kube-apiserver")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", launcher, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), launcher)
	cmd.Env = []string{"MARINA_RESTART_DELAY=1h", "MARINA_RESTART_MARK=" + mark}
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// What it says is how one knows that it waits.
	if line, err := bufio.NewReader(said).ReadString('\n'); err != nil || !strings.Contains(line, "waiting 1h") {
		t.Errorf("it says %q, %v", line, err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 143 {
		t.Errorf("it ended with %v, want exit code 143", err)
	}
}

func TestAwait(t *testing.T) {
	there := present(t)
	for name, tc := range map[string]struct {
		file, limit string
		// refused is how often it is told to wait; less than none is for ever.
		refused int
		asked   int // less than none for any number
		err     string
	}{
		"it answers at once":         {file: there, limit: "1h", asked: 1},
		"it answers in the end":      {file: there, limit: "1h", refused: 2, asked: 3},
		"it never does":              {file: there, limit: "3s", refused: -1, asked: -1, err: "503"},
		"there is nothing to await":  {file: there + "-not", limit: "1h", refused: -1},
		"a limit that is none":       {file: there, limit: "long", err: "MARINA_AWAIT_LIMIT"},
		"a file that cannot be seen": {file: filepath.Join(there, "below"), limit: "1h", err: "MARINA_AWAIT_IF"},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if asked++; tc.refused < 0 || asked <= tc.refused {
					w.WriteHeader(http.StatusServiceUnavailable)
				}
			}))
			err := await(t.Context(), tc.file, server.URL, tc.limit)
			server.Close() // waits for what is being answered
			if tc.err == "" && err != nil || tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err)) {
				t.Errorf("got error %v, want one with %q", err, tc.err)
			}
			if tc.asked >= 0 && asked != tc.asked || tc.asked < 0 && asked == 0 {
				t.Errorf("it asked %d times, want %d", asked, tc.asked)
			}
		})
	}
}

// A pod that is deleted meanwhile does not use up its grace.
func TestAwaitEndsWhenToldTo(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		cancel()
	}))
	defer server.Close()
	there := present(t)
	if err := await(ctx, there, server.URL, "1h"); err != nil {
		t.Fatal(err)
	}
}
