package local

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/marina-dev/marina/controlplane/component"
)

func TestANewHostAdoptsWhatRuns(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	h := f.host(t)
	c := f.component(3)
	c.Start = component.StartOrdered
	c.Balanced = []component.Balanced{{Port: "https"}}
	c.Sidecars = []component.Process{f.sidecar("side")}
	applied(t, h, c)
	before, addresses := f.pids(t), reserve(t, h, c)
	abandon(t, h)

	h = f.host(t)
	if s := statusOf(t, h, c); s.Gone {
		t.Errorf("status %+v before Apply: want not Gone, since it runs", s)
	}
	if diff := cmp.Diff(addresses, reserve(t, h, c)); diff != "" {
		t.Errorf("addresses (-before +after):\n%s", diff)
	}
	applied(t, h, c)
	if diff := cmp.Diff(before, f.pids(t)); diff != "" {
		t.Errorf("processes (-before +after):\n%s", diff)
	}

	// An adopted process is supervised as if it were our own.
	const victim = testNamespace + "/kube-apiserver/0/kube-apiserver"
	kill(t, before[victim], syscall.SIGKILL)
	waitFor(t, is("the killed one runs again"), func() bool {
		pid := f.pids(t)[victim]
		return pid != 0 && pid != before[victim]
	})
	waitDone(t, h, c)
}

func TestANewHostStartsWhatDiedMeanwhile(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	h := f.host(t)
	c := f.component(2)
	c.Sidecars = []component.Process{f.sidecar("side")}
	applied(t, h, c)
	before := f.pids(t)
	abandon(t, h)
	const dead = testNamespace + "/kube-apiserver/1/side"
	kill(t, before[dead], syscall.SIGKILL)
	waitFor(t, is("it is dead"), func() bool { return f.pids(t)[dead] == 0 })

	h = f.host(t)
	applied(t, h, c)
	after := f.pids(t)
	if after[dead] == 0 || after[dead] == before[dead] {
		t.Errorf("%s has pid %d, want a new process", dead, after[dead])
	}
	delete(before, dead)
	delete(after, dead)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("the others were touched (-before +after):\n%s", diff)
	}
}

func TestANewHostRollsWhatRunsSomethingElse(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	h := f.host(t)
	c := f.component(3)
	c.Balanced = []component.Balanced{{Port: "https"}}
	applied(t, h, c)
	before := f.pids(t)
	abandon(t, h)

	h = f.host(t)
	c.Main.Args = append(c.Main.Args, "--any=new")
	applied(t, h, c)
	mostDown(t, f, c, 1)
	after := f.pids(t)
	const balancer = testNamespace + "/kube-apiserver/balancer"
	if before[balancer] == 0 || after[balancer] != before[balancer] {
		t.Errorf("the balancer had pid %d and has %d: want it to live through the roll", before[balancer], after[balancer])
	}
	for id, pid := range after {
		if id != balancer && before[id] == pid {
			t.Errorf("%s still has pid %d, want a new process", id, pid)
		}
	}
}

func TestGarbageIsCollected(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	h := f.host(t)
	kept, orphan := f.component(1), f.component(2)
	orphan.Name, orphan.Balanced = "orphan", []component.Balanced{{Port: "https"}}
	orphan.Sidecars = []component.Process{f.sidecar("side")}
	reservedOnly := f.component(1)
	reservedOnly.Name = "reserved-only"
	applied(t, h, kept)
	applied(t, h, orphan)
	reserve(t, h, reservedOnly)
	before := f.pids(t)
	abandon(t, h)
	somebodys := filepath.Join(f.dir, "backups", "monday")
	check(t, os.MkdirAll(somebodys, 0o700))

	h = f.host(t)
	collected, err := h.CollectGarbage(t.Context(), func(_, name string) bool { return name == kept.Name })
	if err != nil {
		t.Fatal(err)
	}
	if len(collected) != 2 || collected[0].Name != "orphan" || collected[1].Name != "reserved-only" {
		t.Errorf("collected %v, want orphan and reserved-only", collected)
	}
	waitStatus(t, h, orphan, "the orphan is gone", func(s component.Status) bool { return s.Gone })
	orphans := h.Orphans()
	if len(orphans) != 1 || orphans[0].Name != kept.Name {
		t.Errorf("orphans %v: want the one that is kept, until it is applied", orphans)
	}
	applied(t, h, kept)
	const id = testNamespace + "/kube-apiserver/0/kube-apiserver"
	if diff := cmp.Diff(map[string]int{id: before[id]}, f.pids(t)); diff != "" {
		t.Errorf("processes (-want +got):\n%s", diff)
	}
	if orphans := h.Orphans(); len(orphans) != 0 {
		t.Errorf("orphans %v: want none", orphans)
	}
	if _, err := os.Stat(somebodys); err != nil {
		t.Errorf("a folder that is of no Component: %v", err)
	}
}

func TestOneHostAtATime(t *testing.T) {
	f := newFixture(t)
	h := f.host(t)
	if _, err := New(Options{Dir: f.dir, BinDir: f.bin, Files: f.files}); err == nil {
		t.Error("a second Host on the same folder: want an error, or both would supervise the same processes")
	}
	abandon(t, h)
	abandon(t, f.open(t))
}

func TestAProcessNumberThatWasGivenAgainIsNotOurs(t *testing.T) {
	stat, ok := readStat(os.Getpid())
	if !ok {
		t.Fatal("cannot read our own stat")
	}
	now := identity{pid: os.Getpid(), start: stat.start}
	h, err := open(now)
	if err != nil || !now.alive() {
		t.Fatalf("open of a process that runs: %v", err)
	}
	h.close()
	// The same number, of a process that started at another time.
	earlier := identity{pid: os.Getpid(), start: stat.start - 1}
	if earlier.alive() {
		t.Error("a process that has taken over the number passes for the one before")
	}
	if h, err := open(earlier); !errors.Is(err, errGone) {
		h.close()
		t.Errorf("open of a process whose number was given again: %v, want errGone", err)
	}
}
