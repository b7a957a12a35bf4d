package local

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/utils/clock"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/controlplane/host"
)

const (
	testNamespace = "marina-test-0000"
	testVersion   = "v0.0.0"
)

// fixture is the folders of a Host whose programs are this test binary.
type fixture struct {
	dir, bin, history, control string
	self                       string
	firstPort                  int
	clock                      clock.Clock
	files                      StaticFiles
}

// nextRange gives each fixture ports of its own, between the range of real Hosts and
// that of outgoing connections, so that tests may run at the same time as each other
// and as those of other packages. It begins anew after many more than run at a time.
var nextRange atomic.Int32

const (
	testPorts     = 20
	firstTestPort = 31000
	testRanges    = (32768 - firstTestPort) / testPorts
)

func newFixture(t testing.TB) *fixture {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	f := &fixture{
		dir: filepath.Join(root, "state"), bin: filepath.Join(root, "bin"), self: self,
		history: filepath.Join(root, "history"), control: root,
		firstPort: firstTestPort + int(nextRange.Add(1))%testRanges*testPorts,
		files:     StaticFiles{},
	}
	for _, program := range []string{"kubernetes/" + testVersion + "/kube-apiserver", "etcd/" + testVersion + "/etcd"} {
		path := filepath.Join(f.bin, program)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(self, path); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		// Whatever a test has left running.
		h := f.open(t)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := h.Stop(ctx, true); err != nil {
			t.Error(err)
		}
		if left, err := scan(h.dir); err != nil || len(left) > 0 {
			t.Errorf("after Stop these processes run, %v: %v: want none", err, left)
		}
	})
	return f
}

// open begins a Host on the fixture's folder; it is the test's to stop.
func (f *fixture) open(t testing.TB) *Host {
	t.Helper()
	h, err := New(Options{
		Dir: f.dir, BinDir: f.bin, Self: f.self, Files: f.files, Clock: f.clock,
		FirstPort: f.firstPort, LastPort: f.firstPort + testPorts - 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// host is open, stopped without its processes when the test ends.
func (f *fixture) host(t testing.TB) *Host {
	t.Helper()
	h := f.open(t)
	t.Cleanup(func() { abandon(t, h) })
	return h
}

// abandon ends a Host as its death would: its processes live on. A second time it does
// nothing.
func abandon(t testing.TB, h *Host) {
	t.Helper()
	if err := h.Stop(context.Background(), false); err != nil {
		t.Error(err)
	}
}

// component is an API server's like, with the given number of replicas.
func (f *fixture) component(replicas int) component.Component {
	return component.Component{
		Namespace: testNamespace, Name: "kube-apiserver", Replicas: replicas, Start: component.StartParallel,
		Main: component.Process{
			Name: "kube-apiserver", Program: "kube-apiserver", Version: testVersion,
			Args: []string{
				"--name=$(REPLICA)", "--listen=$(ADDRESS):$(PORT_https)",
				"--history=" + f.history, "--control=" + f.control,
			},
		},
		Ports:     []component.Port{{Name: "https"}},
		Readiness: component.Probe{Port: "https", Path: "/readyz"},
		Grace:     10 * time.Second,
	}
}

// sidecar is a process that only waits to be stopped.
func (f *fixture) sidecar(name string) component.Process {
	return component.Process{
		Name: name, Program: "kube-apiserver", Version: testVersion,
		Args: []string{"--name=$(REPLICA)/" + name, "--history=" + f.history},
	}
}

// setReady makes a replica answer that it is ready, or that it is not.
func (f *fixture) setReady(t testing.TB, replica string, ready bool) {
	t.Helper()
	path := filepath.Join(f.control, replica+".notready")
	var err error
	if ready {
		err = os.Remove(path)
	} else {
		err = os.WriteFile(path, nil, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// events are what the processes have noted, in order.
func (f *fixture) events(t testing.TB) []string {
	t.Helper()
	text, err := os.ReadFile(f.history)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return strings.FieldsFunc(string(text), func(r rune) bool { return r == '\n' })
}

func (f *fixture) count(t testing.TB, event string) int {
	t.Helper()
	n := 0
	for _, e := range f.events(t) {
		if e == event {
			n++
		}
	}
	return n
}

// pids are the fixture's processes that run now, by what MARINA_PROCESS says.
func (f *fixture) pids(t testing.TB) map[string]int {
	t.Helper()
	pids, err := Running(f.dir)
	if err != nil {
		t.Fatal(err)
	}
	return pids
}

func (f *fixture) replicaDir(ordinal int) string {
	return filepath.Join(f.dir, testNamespace, "kube-apiserver", fmt.Sprintf("kube-apiserver-%d", ordinal))
}

func apply(t testing.TB, h *Host, c component.Component) {
	t.Helper()
	if err := h.Apply(t.Context(), c); err != nil {
		t.Fatalf("Apply: %v", err)
	}
}

func statusOf(t testing.TB, h *Host, c component.Component) component.Status {
	t.Helper()
	s, err := h.Status(t.Context(), c.Namespace, c.Name)
	if err != nil {
		t.Fatalf("Status: %v", err)
	}
	return s
}

func waitDone(t testing.TB, h *Host, c component.Component) {
	t.Helper()
	waitStatus(t, h, c, "every replica is ready and up to date", component.Status.Done)
}

func waitStatus(t testing.TB, h *Host, c component.Component, what string, condition func(component.Status) bool) {
	t.Helper()
	var last component.Status
	waitFor(t, func() string { return fmt.Sprintf("%s; last status: %+v", what, last) }, func() bool {
		last = statusOf(t, h, c)
		return condition(last)
	})
}

// waitStarted waits until the processes have noted their start: those without a probe
// may be up to it still when their Component is done.
func (f *fixture) waitStarted(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		waitFor(t, is(name+" has started"), func() bool { return f.count(t, "start "+name) == 1 })
	}
}

// applied is a component that runs: the start of most tests.
func applied(t testing.TB, h *Host, c component.Component) {
	t.Helper()
	apply(t, h, c)
	waitDone(t, h, c)
}

// waitFor waits until the condition holds.
func waitFor(t testing.TB, what func() string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	late := time.After(time.Minute)
	for !condition() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("after a minute still not: %s", what())
		}
	}
}

func is(what string) func() string { return func() string { return what } }

// address of a replica's https port.
func address(t testing.TB, h *Host, c component.Component, ordinal int) string {
	t.Helper()
	return reserve(t, h, c).Replicas[ordinal]["https"].String()
}

func reserve(t testing.TB, h *Host, c component.Component) component.Addresses {
	t.Helper()
	a, err := h.Reserve(t.Context(), host.ReservationOf(c))
	if err != nil {
		t.Fatalf("Reserve: %v", err)
	}
	return a
}

// get asks over a fresh connection.
func get(address, path string) (string, error) {
	client := &http.Client{
		Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
		Timeout:   20 * time.Second,
	}
	resp, err := client.Get("https://" + address + path)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}
