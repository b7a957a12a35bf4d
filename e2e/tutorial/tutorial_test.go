package tutorial

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/marina-dev/marina/e2e/harness"
)

// Marina has the ports here that it has for everybody: these tests fail, with the
// words of 'marina up', while another one runs on this machine.

func TestTheTutorial(t *testing.T) {
	follow(t, filepath.Join("docs", "tutorial", "first-cluster.md"))
}

func TestTheFirstStepsOfTheReadme(t *testing.T) {
	follow(t, "README.md")
}

// follow does what a page of the repository says, in a home directory of its own.
func follow(t *testing.T, name string) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(harness.Root(), name))
	check(t, err)
	blocks, err := parse(string(page))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	// To build all of it from source takes longer than this may.
	for _, binary := range []string{"marina", "kubernetes", "etcd"} {
		_, err := harness.Binary(binary)
		check(t, err)
	}
	folder := t.TempDir()
	home := filepath.Join(folder, "home")
	check(t, os.Mkdir(home, 0o700))

	// What pages tell to start has its files in one of these.
	places := []string{folder, filepath.Join(harness.Root(), ".demo")}
	running, err := processes(places)
	check(t, err)
	if len(running) > 0 {
		t.Fatalf("a demo of your own is running, which would be stopped: run 'make demo-stop' first. It is %v", running)
	}
	t.Cleanup(func() { end(t, places) })

	r := &reader{folder: folder, env: environment(t, home), terminals: map[string]*terminal{}}
	if err := r.follow(t.Context(), blocks); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	check(t, r.close())
	left, err := processes(places)
	check(t, err)
	if len(left) > 0 {
		t.Errorf("%s leaves processes behind: %v", name, left)
	}
}

// environment is that of a person who has just come: nothing in it concerns Marina
// or kubectl. What was built and downloaded before is found.
func environment(t *testing.T, home string) []string {
	t.Helper()
	cache, err := os.UserCacheDir()
	check(t, err)
	env := []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "XDG_CACHE_HOME=" + cache, "CGO_ENABLED=0"}
	if owner, err := os.UserHomeDir(); err == nil {
		// It may say that git can trust this repository.
		env = append(env, "GIT_CONFIG_GLOBAL="+filepath.Join(owner, ".gitconfig"))
	}
	for _, name := range []string{"GOENV", "GOFLAGS", "GOCACHE", "GOMODCACHE"} {
		value, err := exec.Command("go", "env", name).Output()
		check(t, err)
		env = append(env, name+"="+strings.TrimSpace(string(value)))
	}
	return env
}

// end ends what a page that failed has left running.
func end(t *testing.T, places []string) {
	t.Helper()
	check(t, harness.Await(context.Background(), time.Minute, func(context.Context) error {
		left, err := processes(places)
		if err != nil || len(left) == 0 {
			return err
		}
		for pid := range left {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		return fmt.Errorf("these do not end: %v", left)
	}))
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
