package up

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/marina-dev/marina/cmd/marina/controllers"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
	"github.com/marina-dev/marina/pkg/reconcile"
)

// marina is 'marina up' as a process of its own, started by this test binary.
type marina struct {
	cmd *exec.Cmd
	// out and log are the files of standard output and standard error.
	out, log string
	exited   chan struct{}
}

// launch starts 'marina up'.
func launch(t *testing.T, o Options) *marina {
	t.Helper()
	dir := t.TempDir()
	m := &marina{out: filepath.Join(dir, "out"), log: filepath.Join(dir, "log"), exited: make(chan struct{})}
	m.cmd = exec.Command(os.Args[0], "--data-dir", o.DataDir, "--bin-dir", o.BinDir,
		"--port", fmt.Sprint(o.Port), "--port-range", o.Tenants.String())
	m.cmd.Env = append(os.Environ(), envAsMarina+"=1")
	out, log := create(t, m.out), create(t, m.log)
	defer out.Close()
	defer log.Close()
	m.cmd.Stdout, m.cmd.Stderr = out, log
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(m.exited)
		_ = m.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = m.cmd.Process.Kill()
		<-m.exited
	})
	return m
}

func create(t *testing.T, path string) *os.File {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// ready waits until Marina says that it is.
func (m *marina) ready(t *testing.T) {
	t.Helper()
	await(t, "starting marina up", func(context.Context) error {
		select {
		case <-m.exited:
			t.Fatalf("marina up has ended: %s", read(t, m.log))
		default:
		}
		if out := read(t, m.out); !strings.Contains(out, "Marina is ready") {
			return fmt.Errorf("it says %q", out)
		}
		return nil
	})
}

// end sends a signal, unless it is none, and returns the exit code.
func (m *marina) end(t *testing.T, signal syscall.Signal) int {
	t.Helper()
	if signal != 0 {
		if err := m.cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "waiting for the end of marina up", func(context.Context) error {
		select {
		case <-m.exited:
			return nil
		default:
			return errors.New("it runs")
		}
	})
	return m.cmd.ProcessState.ExitCode()
}

// members are the processes of the default EtcdCluster, which is hosted as tenants
// are.
func members(t *testing.T, o Options) map[string]int {
	t.Helper()
	found := processes(t, o.DataDir)
	for name := range found {
		if !strings.HasPrefix(name, "marina-system/etcd-default/") {
			delete(found, name)
		}
	}
	return found
}

// awaitMembers waits until the default EtcdCluster is as its status says it can be.
func awaitMembers(t *testing.T, o Options) {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", dataDir(o.DataDir).kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	scheme, err := controllers.Scheme()
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	await(t, "waiting for the EtcdCluster", func(ctx context.Context) error {
		etcd := &v1alpha1.EtcdCluster{}
		if err := c.Get(ctx, client.ObjectKey{Name: "default"}, etcd); err != nil {
			return err
		}
		if !reconcile.IsTrue(etcd.Status.Conditions, v1alpha1.ConditionAvailable) {
			return fmt.Errorf("its conditions are %+v", etcd.Status.Conditions)
		}
		return nil
	})
}

func TestCommand(t *testing.T) {
	o := testOptions(t)
	t.Cleanup(func() {
		for name, pid := range processes(t, o.DataDir) {
			t.Errorf("%s (pid %d) is left", name, pid)
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	first := launch(t, o)
	first.ready(t)
	awaitMembers(t, o)
	before := members(t, o)
	if len(before) != 3 {
		t.Fatalf("found %v, want three members of etcd", before)
	}

	t.Run("a second one on the same folder is refused", func(t *testing.T) {
		second := launch(t, o)
		if code := second.end(t, 0); code != 1 {
			t.Errorf("exit code %d, want 1", code)
		}
		want := fmt.Sprintf("is in use by process %d", first.cmd.Process.Pid)
		if log := read(t, second.log); !strings.Contains(log, want) {
			t.Errorf("it says %q, want %q", log, want)
		}
	})

	t.Run("killed: what it hosts lives on, and the next one adopts it", func(t *testing.T) {
		first.end(t, syscall.SIGKILL)
		if diff := cmp.Diff(before, members(t, o)); diff != "" {
			t.Fatalf("without marina up:\n%s", diff)
		}
		tenants := dataDir(o.DataDir).tenants()
		orphan, somebodys := filepath.Join(tenants, "marina-deleted-0d8ec3f1"), filepath.Join(tenants, "backups", "monday", "file")
		write(t, filepath.Join(orphan, "kube-apiserver", "kube-apiserver-0", "file"), "", 0o600)
		write(t, somebodys, "", 0o600)
		addToBook(t, filepath.Join(tenants, "addresses.json"), "marina-deleted-0d8ec3f1/kube-apiserver")
		second := launch(t, o)
		second.ready(t)
		awaitMembers(t, o)
		await(t, "collecting what belongs to no control plane", func(context.Context) error {
			if _, err := os.Stat(orphan); !os.IsNotExist(err) {
				return errors.Join(fmt.Errorf("%s is still there", orphan), err)
			}
			return nil
		})
		if _, err := os.Stat(somebodys); err != nil {
			t.Errorf("what Marina has not made: %v", err)
		}
		if diff := cmp.Diff(before, members(t, o)); diff != "" {
			t.Errorf("with the next marina up:\n%s", diff)
		}
		t.Run("SIGTERM stops everything", func(t *testing.T) {
			if code := second.end(t, syscall.SIGTERM); code != 0 {
				t.Errorf("exit code %d, want 0: %s", code, read(t, second.log))
			}
			if left := processes(t, o.DataDir); len(left) > 0 {
				t.Errorf("processes left: %v", left)
			}
			if pid := read(t, filepath.Join(o.DataDir, "marina.pid")); pid != "" {
				t.Errorf("marina.pid still says %q", pid)
			}
		})
	})
	t.Run("without the tenants' data nothing is begun", func(t *testing.T) {
		tenants := dataDir(o.DataDir).tenants()
		if err := os.Rename(tenants, tenants+".away"); err != nil {
			t.Fatal(err)
		}
		third := launch(t, o)
		if code := third.end(t, 0); code != 1 {
			t.Errorf("exit code %d, want 1", code)
		}
		want := "the data of the clusters is missing in " + tenants
		if log := read(t, third.log); !strings.Contains(log, want) {
			t.Errorf("it says %q, want %q", log, want)
		}
		if made, err := names(tenants); err != nil || len(made) > 0 {
			t.Errorf("it has made %v (%v)", made, err)
		}
		// As what is there, but of an API that has never stored anything there.
		if err := os.Rename(tenants+".away", tenants); err != nil {
			t.Fatal(err)
		}
		write(t, dataDir(o.DataDir).owner(), "another\n", 0o600)
		fourth := launch(t, o)
		if code := fourth.end(t, 0); code != 1 {
			t.Errorf("exit code %d, want 1", code)
		}
		if log := read(t, fourth.log); !strings.Contains(log, "holds clusters of another management API") {
			t.Errorf("it says %q", log)
		}
		if left := processes(t, o.DataDir); len(left) > 0 {
			t.Errorf("processes left: %v", left)
		}
	})
}

// addToBook makes a Component own an address.
func addToBook(t *testing.T, path, name string) {
	t.Helper()
	held := map[string]any{}
	if err := json.Unmarshal([]byte(read(t, path)), &held); err != nil {
		t.Fatal(err)
	}
	held[name] = map[string]any{}
	text, err := json.Marshal(held)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, string(text), 0o600)
}
