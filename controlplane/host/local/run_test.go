package local

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	testclock "k8s.io/utils/clock/testing"

	"github.com/marina-dev/marina/controlplane/component"
)

func TestParallelStartsAllAtOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	h := f.host(t)
	c := f.component(3)
	for _, name := range []string{"kube-apiserver-0", "kube-apiserver-1", "kube-apiserver-2"} {
		f.setReady(t, name, false)
	}
	apply(t, h, c)
	waitFor(t, is("all three run though none is ready"), func() bool { return len(f.pids(t)) == 3 })
	if s := statusOf(t, h, c); s.Ready != 0 || s.Replicas != 3 || s.Gone {
		t.Errorf("status %+v: want none of 3 ready", s)
	}
	f.setReady(t, "kube-apiserver-1", true)
	waitStatus(t, h, c, "replica 1 alone is ready", func(s component.Status) bool {
		return slices.Equal(s.ReadyOrdinals, []int{1})
	})
	f.setReady(t, "kube-apiserver-0", true)
	f.setReady(t, "kube-apiserver-2", true)
	waitDone(t, h, c)
	if s := statusOf(t, h, c); s.Message != "" {
		t.Errorf("message %q, want none when all is well", s.Message)
	}
}

func TestOrderedHoldsTheOthersBack(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	h := f.host(t)
	c := f.component(3)
	c.Start = component.StartOrdered
	applied(t, h, c)
	events := f.events(t)
	ready := slices.Index(events, "ready kube-apiserver-0")
	for _, other := range []string{"start kube-apiserver-1", "start kube-apiserver-2"} {
		if i := slices.Index(events, other); i < ready {
			t.Errorf("events %q: want %q only after replica 0 was ready", events, other)
		}
	}
}

func TestSidecarsStartFirstAndStopLast(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	h := f.host(t)
	c := f.component(1)
	c.Sidecars = []component.Process{f.sidecar("one"), f.sidecar("two")}
	applied(t, h, c)
	f.waitStarted(t, "kube-apiserver-0/one", "kube-apiserver-0/two")
	if err := h.Stop(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	want := []string{"term kube-apiserver-0", "term kube-apiserver-0/two", "term kube-apiserver-0/one"}
	var got []string
	for _, e := range f.events(t) {
		if strings.HasPrefix(e, "term") {
			got = append(got, e)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("stopped in another order (-want +got):\n%s", diff)
	}
}

func TestAKilledReplicaIsStartedAgainAlone(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	h := f.host(t)
	c := f.component(3)
	applied(t, h, c)
	before := f.pids(t)
	const victim = testNamespace + "/kube-apiserver/1/kube-apiserver"
	kill(t, before[victim], syscall.SIGKILL)
	waitStatus(t, h, c, "replica 1 is not ready", func(s component.Status) bool {
		return slices.Equal(s.ReadyOrdinals, []int{0, 2})
	})
	waitDone(t, h, c)
	after := f.pids(t)
	if after[victim] == before[victim] {
		t.Errorf("replica 1 still has pid %d, want a new process", before[victim])
	}
	delete(before, victim)
	delete(after, victim)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("the other replicas were touched (-before +after):\n%s", diff)
	}
}

func TestAHeldReplicaIsNotReady(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	h := f.host(t)
	c := f.component(2)
	applied(t, h, c)
	pid := f.pids(t)[testNamespace+"/kube-apiserver/0/kube-apiserver"]
	kill(t, pid, syscall.SIGSTOP)
	waitStatus(t, h, c, "replica 0 is not ready", func(s component.Status) bool {
		return slices.Equal(s.ReadyOrdinals, []int{1})
	})
	kill(t, pid, syscall.SIGCONT)
	waitDone(t, h, c)
	if got := f.pids(t)[testNamespace+"/kube-apiserver/0/kube-apiserver"]; got != pid {
		t.Errorf("replica 0 has pid %d, want %d: it was held, not dead", got, pid)
	}
}

func TestNotReadyIsExplainedAfterAWhile(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	fake := newFakeClock()
	f.clock = fake
	h := f.host(t)
	c := f.component(1)
	f.setReady(t, "kube-apiserver-0", false)
	apply(t, h, c)
	waitFor(t, is("replica 0 answers that it is not ready"), func() bool {
		return seen(h, c, 0) == notReady && fake.Waiters() == 1
	})
	if s := statusOf(t, h, c); s.Message != "" {
		t.Errorf("message %q, want none while it may just be starting", s.Message)
	}
	fake.Step(10 * time.Second)
	const want = "kube-apiserver-0: runs but is not ready: status 500: [-]etcd failed: reason withheld"
	waitStatus(t, h, c, want, func(s component.Status) bool { return s.Message == want })
}

func TestApplyUnchangedDoesNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.files["config"] = map[string][]byte{"a.yaml": []byte("a"), "b.yaml": []byte("b")}
	h := f.host(t)
	c := f.component(2)
	c.Data = true
	c.Mounts = []component.Mount{{Path: "config", Secret: "config"}}
	applied(t, h, c)
	pids, files := f.pids(t), modified(t, f.dir)

	for range 3 {
		apply(t, h, c)
	}
	waitDone(t, h, c)
	if diff := cmp.Diff(pids, f.pids(t)); diff != "" {
		t.Errorf("processes (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(files, modified(t, f.dir)); diff != "" {
		t.Errorf("files were written (-before +after):\n%s", diff)
	}
}

func TestWhatAProcessGets(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	h := f.host(t)
	c := f.component(1)
	c.Main.Env = map[string]string{"DATA_AT": "$(FILES)", "COST": "5$$"}
	applied(t, h, c)
	text, err := get(address(t, h, c, 0), "/environ")
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{}
	for line := range strings.Lines(text) {
		k, v, _ := strings.Cut(strings.TrimSpace(line), "=")
		env[k] = v
	}
	want := map[string]string{
		"DATA_AT": filepath.Join(h.dir, testNamespace, "kube-apiserver", "kube-apiserver-0", "files"),
		"COST":    "5$",
		"HOME":    filepath.Join(h.dir, testNamespace, "kube-apiserver", "kube-apiserver-0"),
		"PATH":    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",

		"MARINA_DIR":     h.dir,
		"MARINA_PROCESS": testNamespace + "/kube-apiserver/0/kube-apiserver",
		"MARINA_HASH":    env["MARINA_HASH"],
		"MARINA_ORDER":   "0",
		"MARINA_GRACE":   "10s",
	}
	if diff := cmp.Diff(want, env); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
}

func kill(t testing.TB, pid int, sig syscall.Signal) {
	t.Helper()
	if pid <= 0 {
		t.Fatalf("there is no such process to send %v to", sig)
	}
	if err := syscall.Kill(pid, sig); err != nil {
		t.Fatal(err)
	}
}

// modified are all files below dir but logs, with the time they were written.
func modified(t testing.TB, dir string) map[string]time.Time {
	t.Helper()
	times := map[string]time.Time{}
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && filepath.Ext(path) != ".log" {
			times[path] = info.ModTime()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return times
}

func newFakeClock() *testclock.FakeClock { return testclock.NewFakeClock(time.Now()) }

// seen is the readiness of a replica that its unit has taken note of.
func seen(h *Host, c component.Component, ordinal int) readiness {
	h.mu.Lock()
	u := h.units[key{c.Namespace, c.Name}]
	h.mu.Unlock()
	u.mu.Lock()
	defer u.mu.Unlock()
	if r := u.replicas[ordinal]; r != nil {
		return r.seen
	}
	return unknown
}
