package up

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/simulator"
)

// envAsMarina makes the test binary behave as marina does: tests of signals need a
// process of its own.
const envAsMarina = "MARINA_TEST_AS_MARINA"

func TestMain(m *testing.M) {
	// The simulator is started without anything in its environment.
	asSimulator := len(os.Args) > 1 && os.Args[1] == "simulator"
	if os.Getenv(envAsMarina) == "" && !asSimulator {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	cmd := NewCommand()
	if asSimulator {
		cmd = simulator.NewCommand()
		cmd.SetArgs(os.Args[2:])
	}
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	os.Exit(failure.Print(os.Stderr, cmd.ExecuteContext(ctx)))
}

// programs is the folder of the real programs.
func programs(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../../bin")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := findPrograms(dir); err != nil {
		t.Fatalf("run 'make kubernetes-1.37 etcd': %v", err)
	}
	return dir
}

// testOptions are those of a Marina of the test's own, on free ports.
func testOptions(t *testing.T) Options {
	t.Helper()
	first := freePorts(t, 100)
	return Options{
		DataDir: t.TempDir(),
		BinDir:  programs(t),
		Self:    os.Args[0],
		Port:    first,
		Tenants: PortRange{First: first + managementPorts, Last: first + 99},
	}
}

// freePorts finds ports in a row that nobody uses, below those that the kernel gives
// to outgoing connections. Where it begins is random, for tests that run beside.
func freePorts(t *testing.T, n int) int {
	t.Helper()
	for range 100 {
		first := 10000 + rand.IntN(10000/n)*n
		if allFree(first, n) {
			return first
		}
	}
	t.Fatalf("found no %d free ports in a row", n)
	return 0
}

func allFree(first, n int) bool {
	for port := first; port < first+n; port++ {
		listener, err := net.Listen("tcp", net.JoinHostPort(address, strconv.Itoa(port)))
		if err != nil {
			return false
		}
		listener.Close()
	}
	return true
}

// processes are those that hosts started for a data directory, by name.
func processes(t *testing.T, dataDir string) map[string]int {
	t.Helper()
	resolved, err := filepath.EvalSymlinks(dataDir)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	environs, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range environs {
		environ, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		env := map[string]string{}
		for _, pair := range bytes.Split(environ, []byte{0}) {
			name, value, _ := strings.Cut(string(pair), "=")
			env[name] = value
		}
		if name := env["MARINA_PROCESS"]; name != "" && strings.HasPrefix(env["MARINA_DIR"], resolved+"/") {
			if found[name], err = strconv.Atoi(filepath.Base(filepath.Dir(path))); err != nil {
				t.Fatal(err)
			}
		}
	}
	return found
}

// assertError fails unless the error, as a person reads it, has all the parts.
func assertError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", parts)
	}
	var text bytes.Buffer
	failure.Print(&text, err)
	for _, part := range parts {
		if !strings.Contains(text.String(), part) {
			t.Errorf("the error lacks %q:\n%s", part, text.String())
		}
	}
}

// write makes a file with its folders.
func write(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}

func pidText() string { return fmt.Sprint(os.Getpid()) }
