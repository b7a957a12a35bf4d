package local

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/marina-dev/marina/controlplane/component"
)

func TestAReplicaThatHasLostItsDataIsNotStarted(t *testing.T) {
	const process = testNamespace + "/kube-apiserver/0/kube-apiserver"
	cases := map[string]struct {
		lose func(data string) error
		// goOn ends the wait.
		goOn func(data string) error
		// restart ends the Host too.
		restart bool
		// anew is whether what it stores then is something else.
		anew bool
	}{
		"the folder, until it is back":       {lose: moveAway, goOn: moveBack},
		"also when a Host begins":            {lose: moveAway, goOn: moveBack, restart: true},
		"what is in it, as without its disk": {lose: emptyOut, goOn: func(data string) error { return os.WriteFile(filepath.Join(data, "file"), nil, 0o600) }},
		"until somebody wants it to begin with nothing": {anew: true, lose: os.RemoveAll, goOn: func(data string) error {
			return os.Remove(filepath.Join(filepath.Dir(data), dataMark))
		}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			c := f.component(1)
			c.Data = true
			data := filepath.Join(f.replicaDir(0), "data")
			// It has data before it is ready for the first time, as etcd does.
			f.setReady(t, "kube-apiserver-0", false)
			h := f.host(t)
			apply(t, h, c)
			waitFor(t, is("it runs"), func() bool { return f.count(t, "start kube-apiserver-0") == 1 })
			check(t, os.Mkdir(filepath.Join(data, "member"), 0o700))
			check(t, os.WriteFile(filepath.Join(data, "member", "file"), []byte("of a tenant"), 0o600))
			f.setReady(t, "kube-apiserver-0", true)
			waitStatus(t, h, c, "it is done, and what it has stored is known", func(s component.Status) bool {
				return s.Done() && s.Data[0] != ""
			})
			before := f.pids(t)[process]
			stored := dataOf(t, h, c)

			if tc.restart {
				abandon(t, h)
			}
			check(t, tc.lose(data))
			kill(t, before, syscall.SIGKILL)
			if tc.restart {
				h = f.host(t)
				apply(t, h, c)
			}
			waitStatus(t, h, c, "the message tells of the data", func(s component.Status) bool {
				return strings.Contains(s.Message, "its data in "+data+" is gone")
			})
			if pid := f.pids(t)[process]; pid != 0 {
				t.Fatalf("process %d runs without the data", pid)
			}
			check(t, tc.goOn(data))
			waitDone(t, h, c)
			if got := f.count(t, "start kube-apiserver-0"); got != 2 {
				t.Errorf("it was started %d times, want 2", got)
			}
			if tc.anew {
				check(t, os.WriteFile(filepath.Join(data, "file"), []byte("of a tenant"), 0o600))
				// It is looked for when it starts.
				kill(t, f.pids(t)[process], syscall.SIGKILL)
				waitFor(t, is("it runs again"), func() bool { return f.count(t, "start kube-apiserver-0") == 3 })
				waitDone(t, h, c)
			}
			if got := dataOf(t, h, c); (got != stored) != tc.anew || stored == "" || got == "" {
				t.Errorf("what is stored is identified as %q, before as %q: want another one: %v", got, stored, tc.anew)
			}
		})
	}
}

// dataOf identifies what the first replica has stored.
func dataOf(t *testing.T, h *Host, c component.Component) string {
	t.Helper()
	s := statusOf(t, h, c)
	if len(s.Data) != c.Replicas {
		t.Fatalf("status %+v: want the identity of each replica's data", s)
	}
	return s.Data[0]
}

func moveAway(data string) error { return os.Rename(data, data+".away") }

func moveBack(data string) error {
	// The folder is there again, empty.
	if err := os.RemoveAll(data); err != nil {
		return err
	}
	return os.Rename(data+".away", data)
}

// emptyOut leaves the folders.
func emptyOut(data string) error { return os.Remove(filepath.Join(data, "member", "file")) }

func TestAComponentWithoutDataMayBeginEmpty(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.component(1)
	c.Data = true
	h := f.host(t)
	applied(t, h, c)
	// It has stored nothing: there is nothing to lose.
	kill(t, f.pids(t)[testNamespace+"/kube-apiserver/0/kube-apiserver"], syscall.SIGKILL)
	waitFor(t, is("it was started again"), func() bool { return f.count(t, "start kube-apiserver-0") == 2 })
	waitDone(t, h, c)
}

// TestWhatNobodyRunsKeepsItsData: a Component whose replicas are taken back to none has
// its data and its address when they come again.
func TestWhatNobodyRunsKeepsItsData(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	c := f.component(1)
	c.Data = true
	h := f.host(t)
	apply(t, h, c)
	waitDone(t, h, c)
	at := address(t, h, c, 0)
	file := filepath.Join(f.replicaDir(0), "data", "file")
	check(t, os.WriteFile(file, []byte("kept"), 0o600))

	c.Replicas = 0
	apply(t, h, c)
	waitFor(t, is("it has ended"), func() bool { return len(f.pids(t)) == 0 })
	if s := statusOf(t, h, c); s.Replicas != 0 || s.Done() {
		t.Errorf("status %+v, want none of none", s)
	}
	if content, err := os.ReadFile(file); err != nil || string(content) != "kept" {
		t.Fatalf("its data is %q, %v", content, err)
	}

	c.Replicas = 1
	apply(t, h, c)
	waitDone(t, h, c)
	if got := address(t, h, c, 0); got != at {
		t.Errorf("it has the address %s, before %s", got, at)
	}
}
