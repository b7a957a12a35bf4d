package local

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/marina-dev/marina/controlplane/component"
)

func TestAChangeRollsOneByOne(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	h := f.host(t)
	c := f.component(3)
	applied(t, h, c)
	before := f.pids(t)

	// The first one to be replaced is still there when it is looked.
	stays := filepath.Join(f.control, "kube-apiserver-2.stays")
	check(t, syscall.Mkfifo(stays, 0o600))
	c.Main.Args = append(c.Main.Args, "--any=new")
	apply(t, h, c)
	if s := statusOf(t, h, c); s.Updated != 0 {
		t.Errorf("right after Apply %d replicas count as updated, want 0", s.Updated)
	}
	gate, err := os.OpenFile(stays, os.O_WRONLY, 0) // opens when the replica has come to it
	check(t, err)
	check(t, os.Remove(stays))
	check(t, gate.Close())
	waitDone(t, h, c)
	for id, pid := range f.pids(t) {
		if before[id] == pid {
			t.Errorf("%s still has pid %d, want a new process", id, pid)
		}
	}
	mostDown(t, f, c, 1)
}

// mostDown checks, by what the replicas themselves have noted, that since all were
// ready for the first time never more than so many were down together.
func mostDown(t *testing.T, f *fixture, c component.Component, most int) {
	t.Helper()
	ready, began := map[string]bool{}, false
	for _, e := range f.events(t) {
		event, name, _ := strings.Cut(e, " ")
		ready[name] = event == "ready"
		up := 0
		for _, is := range ready {
			if is {
				up++
			}
		}
		began = began || up == c.Replicas
		if down := c.Replicas - up; began && down > most {
			t.Errorf("after %q %d replicas are down, want at most %d; all events: %q", e, down, most, f.events(t))
			return
		}
	}
	if !began {
		t.Errorf("events %q: want all to be ready once", f.events(t))
	}
}

func TestARollThatFailsStopsAndIsCorrected(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	h := f.host(t)
	c := f.component(3)
	applied(t, h, c)
	before := f.pids(t)
	good := c.Main.Args

	c.Main.Args = append(good[:len(good):len(good)], "--exit=1")
	apply(t, h, c)
	waitStatus(t, h, c, "replica 2 fails", func(s component.Status) bool {
		return s.Ready == 2 && strings.Contains(s.Message, "kube-apiserver-2: exited with status 1")
	})
	c.Main.Args = append(good[:len(good):len(good)], "--any=corrected")
	apply(t, h, c)
	waitDone(t, h, c)
	mostDown(t, f, c, 1)
	for id, pid := range f.pids(t) {
		if before[id] == pid {
			t.Errorf("%s still has pid %d, want a new process", id, pid)
		}
	}
}

func TestGoingBackRestartsOnlyWhatWasChanged(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	h := f.host(t)
	c := f.component(3)
	applied(t, h, c)
	before := f.pids(t)

	changed := c
	changed.Main.Args = append(c.Main.Args[:len(c.Main.Args):len(c.Main.Args)], "--exit=1")
	apply(t, h, changed)
	waitStatus(t, h, changed, "replica 2 fails", func(s component.Status) bool { return s.Ready == 2 && s.Message != "" })
	apply(t, h, c)
	waitDone(t, h, c)
	after := f.pids(t)
	const last = testNamespace + "/kube-apiserver/2/kube-apiserver"
	delete(before, last)
	delete(after, last)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("replicas that run what is applied were touched (-before +after):\n%s", diff)
	}
}

func TestAReloadedMountIsRewrittenInPlace(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.files["serving"] = map[string][]byte{"tls.crt": []byte("old"), "tls.key": []byte("same"), "gone": []byte("x")}
	h := f.host(t)
	c := f.component(2)
	c.Mounts = []component.Mount{{Path: "serving", Secret: "serving"}}
	applied(t, h, c)
	pids := f.pids(t)
	key := filepath.Join(f.replicaDir(1), "files", "serving", "tls.key")
	untouched := modified(t, f.dir)[key]

	f.files["serving"] = map[string][]byte{"tls.crt": []byte("new"), "tls.key": []byte("same")}
	apply(t, h, c)
	for ordinal := range 2 {
		dir := filepath.Join(f.replicaDir(ordinal), "files", "serving")
		waitFor(t, is("the new certificate is in "+dir), func() bool {
			text, err := os.ReadFile(filepath.Join(dir, "tls.crt"))
			return err == nil && string(text) == "new"
		})
		waitFor(t, is("what vanished is gone from "+dir), func() bool {
			_, err := os.Stat(filepath.Join(dir, "gone"))
			return os.IsNotExist(err)
		})
	}
	waitDone(t, h, c)
	if diff := cmp.Diff(pids, f.pids(t)); diff != "" {
		t.Errorf("processes were restarted (-before +after):\n%s", diff)
	}
	if got := modified(t, f.dir)[key]; !got.Equal(untouched) {
		t.Errorf("the file that did not change was written")
	}
}

func TestAMountWithAHashRestartsAndAReloadedOneBesideItDoesNotWait(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.files["keys"] = map[string][]byte{"sa.key": []byte("old")}
	f.files["serving"] = map[string][]byte{"tls.crt": []byte("old")}
	h := f.host(t)
	c := f.component(2)
	c.Mounts = []component.Mount{{Path: "keys", Secret: "keys", Hash: "1"}, {Path: "serving", Secret: "serving"}}
	applied(t, h, c)

	// Replica 1 is replaced first, and is not ready: the roll stops there.
	f.setReady(t, "kube-apiserver-1", false)
	waitStatus(t, h, c, "replica 1 is not ready", func(s component.Status) bool { return s.Ready == 1 })
	f.files["keys"] = map[string][]byte{"sa.key": []byte("new")}
	f.files["serving"] = map[string][]byte{"tls.crt": []byte("new")}
	c.Mounts[0].Hash = "2"
	apply(t, h, c)
	content := func(ordinal int, name string) string {
		text, _ := os.ReadFile(filepath.Join(f.replicaDir(ordinal), "files", name))
		return string(text)
	}
	waitFor(t, is("replica 1 is the new one"), func() bool {
		return f.count(t, "start kube-apiserver-1") == 2 && content(1, "keys/sa.key") == "new"
	})
	waitFor(t, is("replica 0 has the new certificate"), func() bool { return content(0, "serving/tls.crt") == "new" })
	if got := content(0, "keys/sa.key"); got != "old" {
		t.Errorf("the key of replica 0, which still runs with the old one, is %q: want it untouched", got)
	}
	f.setReady(t, "kube-apiserver-1", true)
	waitDone(t, h, c)
	if got := content(0, "keys/sa.key"); got != "new" {
		t.Errorf("the key of replica 0 is %q after the roll, want the new one", got)
	}
}

func TestFewerAndMoreReplicas(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	h := f.host(t)
	c := f.component(3)
	applied(t, h, c)
	before := f.pids(t)
	c.Replicas = 1
	apply(t, h, c)
	waitFor(t, is("one process is left"), func() bool { return len(f.pids(t)) == 1 })
	waitDone(t, h, c)
	c.Replicas = 2
	applied(t, h, c)
	const first = testNamespace + "/kube-apiserver/0/kube-apiserver"
	if got := f.pids(t); len(got) != 2 || got[first] != before[first] {
		t.Errorf("processes %v, before %v: want two, the first of them untouched", got, before)
	}
}
