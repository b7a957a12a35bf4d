package local

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/marina-dev/marina/controlplane/component"
	"github.com/marina-dev/marina/pkg/reconcile"
)

func TestDeleteLeavesNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.files["config"] = map[string][]byte{"a": []byte("a")}
	h := f.host(t)
	c := f.component(3)
	c.Balanced, c.Data = []component.Balanced{{Port: "https"}}, true
	c.Sidecars = []component.Process{f.sidecar("side")}
	c.Mounts = []component.Mount{{Path: "config", Secret: "config"}}
	applied(t, h, c)
	deleteAndWait(t, h, c)
	nothingIsLeft(t, f, h)
}

func TestDeleteInTheMiddleOfAStart(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	h := f.host(t)
	c := f.component(3)
	c.Balanced, c.Start = []component.Balanced{{Port: "https"}}, component.StartOrdered
	f.setReady(t, "kube-apiserver-0", false)
	apply(t, h, c)
	waitFor(t, is("the first replica starts"), func() bool { return f.count(t, "start kube-apiserver-0") == 1 })
	deleteAndWait(t, h, c)
	nothingIsLeft(t, f, h)
	if got := f.count(t, "start kube-apiserver-1"); got != 0 {
		t.Errorf("replica 1 was started while all were stopped")
	}
}

func TestDeleteRightAfterApply(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	h := f.host(t)
	c := f.component(3)
	apply(t, h, c)
	deleteAndWait(t, h, c)
	nothingIsLeft(t, f, h)
}

func TestDeleteOfWhatAnEarlierHostRan(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.clock = newFakeClock() // nothing is killed, however long it takes to end
	h := f.host(t)
	c := f.component(2)
	c.Balanced = []component.Balanced{{Port: "https"}}
	c.Sidecars = []component.Process{f.sidecar("side")}
	applied(t, h, c)
	f.waitStarted(t, "kube-apiserver-0/side", "kube-apiserver-1/side")
	abandon(t, h)
	h = f.host(t)
	deleteAndWait(t, h, c)
	nothingIsLeft(t, f, h)
	// Its spec is not known any more; the order to stop in is.
	events := f.events(t)
	for _, replica := range []string{"kube-apiserver-0", "kube-apiserver-1"} {
		if main, side := slices.Index(events, "term "+replica), slices.Index(events, "term "+replica+"/side"); main < 0 || side < main {
			t.Errorf("events %q: want the sidecar of %s stopped after it", events, replica)
		}
	}
}

func TestDeleteOfAFolderWithoutProcesses(t *testing.T) {
	f := newFixture(t)
	h := f.host(t)
	c := f.component(1)
	if err := os.MkdirAll(filepath.Join(f.replicaDir(0), "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	if s := statusOf(t, h, c); s.Gone {
		t.Errorf("status %+v: want not Gone while its data is there", s)
	}
	deleteAndWait(t, h, c)
	nothingIsLeft(t, f, h)
}

func TestDeleteOfWhatWasNeverApplied(t *testing.T) {
	f := newFixture(t)
	h := f.host(t)
	c := f.component(3)
	reserve(t, h, c)
	if s := statusOf(t, h, c); !s.Gone {
		t.Errorf("status %+v of what was only reserved: want Gone", s)
	}
	gone, err := h.Delete(t.Context(), c.Namespace, c.Name)
	if err != nil || !gone {
		t.Errorf("Delete: %v, %v: want it gone at once", gone, err)
	}
	nothingIsLeft(t, f, h)
}

// What is deleted gets two seconds, however long its own grace is: an API server
// without its etcd would use all of a minute.
func TestADeletedProcessThatIgnoresSIGTERMIsKilledSoon(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	fake := newFakeClock()
	f.clock = fake
	h := f.host(t)
	c := f.component(1)
	c.Main.Args = append(c.Main.Args, "--ignore-term")
	c.Grace = 42 * time.Second
	applied(t, h, c)
	if _, err := h.Delete(t.Context(), c.Namespace, c.Name); err != nil {
		t.Fatal(err)
	}
	waitFor(t, is("it was told to stop, and the grace is running"), func() bool {
		return f.count(t, "term kube-apiserver-0") == 1 && fake.Waiters() == 1
	})
	if s := statusOf(t, h, c); s.Ready != 0 || !strings.Contains(s.Message, "kube-apiserver-0") {
		t.Errorf("status %+v: want it to say what is waited for", s)
	}
	if err := h.Apply(t.Context(), c); !isWait(err) {
		t.Errorf("Apply while it is deleted: %v, want a Wait", err)
	}
	fake.Step(2*time.Second - 1)
	if got := len(f.pids(t)); got != 1 {
		t.Errorf("%d processes before the grace is over, want it to be left alone", got)
	}
	fake.Step(1)
	deleteAndWait(t, h, c)
	nothingIsLeft(t, f, h)
}

func TestStopAllGoesByOrder(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	h := f.host(t)
	etcd, api, old := f.component(1), f.component(2), f.component(1)
	etcd.Name, old.Name = "etcd", "old"
	for _, c := range []component.Component{etcd, api, old} {
		applied(t, h, c)
	}
	abandon(t, h)
	h = f.host(t)
	applied(t, h, etcd)
	applied(t, h, api)
	// Nobody has applied old since; it has to be stopped all the same.
	err := h.StopAll(t.Context(), func(_, name string) int {
		if name == "etcd" {
			return 1
		}
		return 0
	})
	if err != nil {
		t.Fatal(err)
	}
	var stopped []string
	for _, e := range f.events(t) {
		if name, ok := strings.CutPrefix(e, "term "); ok {
			stopped = append(stopped, name)
		}
	}
	if len(stopped) != 4 || stopped[3] != "etcd-0" {
		t.Errorf("stopped %q: want all four, etcd last", stopped)
	}
	if got := f.pids(t); len(got) > 0 {
		t.Errorf("processes %v are left, want none", got)
	}
	if err := h.Apply(t.Context(), api); err == nil {
		t.Error("Apply after StopAll: want an error")
	}
}

func TestStopAllGivesUpInTime(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	h := f.host(t)
	c := f.component(1)
	c.Main.Args = append(c.Main.Args, "--ignore-term")
	applied(t, h, c)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.Stop(ctx, true); !errors.Is(err, context.Canceled) {
		t.Errorf("Stop: %v, want the context's error", err)
	}
	for _, pid := range f.pids(t) {
		kill(t, pid, syscall.SIGKILL) // not to wait for its grace
	}
}

func deleteAndWait(t testing.TB, h *Host, c component.Component) {
	t.Helper()
	// As a controller does: again, each time it is told that something changed.
	changed := make(chan struct{}, 1)
	h.Subscribe(func(string, string) {
		select {
		case changed <- struct{}{}:
		default:
		}
	})
	late := time.After(time.Minute)
	for {
		gone, err := h.Delete(t.Context(), c.Namespace, c.Name)
		if err != nil {
			t.Fatalf("Delete: %v", err)
		}
		if gone {
			break
		}
		select {
		case <-changed:
		case <-late:
			t.Fatalf("after a minute not gone: %+v", statusOf(t, h, c))
		}
	}
	if s := statusOf(t, h, c); !s.Gone {
		t.Errorf("status %+v after Delete, want Gone", s)
	}
}

// nothingIsLeft checks processes, folders and addresses.
func nothingIsLeft(t testing.TB, f *fixture, h *Host) {
	t.Helper()
	if got := f.pids(t); len(got) > 0 {
		t.Errorf("processes %v are left", got)
	}
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			t.Errorf("the folder %s is left", e.Name())
		}
	}
	if orphans := h.Orphans(); len(orphans) > 0 {
		t.Errorf("orphans %v: want none", orphans)
	}
	h.book.mu.Lock()
	defer h.book.mu.Unlock()
	if len(h.book.held) > 0 || len(h.book.taken) > 0 {
		t.Errorf("addresses %v are still reserved, ports %v", h.book.held, h.book.taken)
	}
}

func isWait(err error) bool {
	return err != nil && reconcile.As(err).Kind == reconcile.KindWait
}
