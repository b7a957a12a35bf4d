package faults

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/marina-dev/marina/e2e/harness"
	"github.com/marina-dev/marina/pkg/api/v1alpha1"
)

// point is a moment of a start, by what can be seen of it.
type point struct {
	name    string
	reached func(m *harness.Marina) error
}

// points are those of a first start, in their order.
var points = []point{
	{"the data directory is taken", func(m *harness.Marina) error { return exists(m.Dir, "marina.pid") }},
	{"the first key is made", func(m *harness.Marina) error { return exists(m.Dir, "pki", "ca.key") }},
	{"the API server starts", func(m *harness.Marina) error { return runs(m, "management/kube-apiserver/0/kube-apiserver") }},
	{"etcd has a folder", func(m *harness.Marina) error { return exists(m.Dir, "etcd", "member") }},
	{"etcd has a log", func(m *harness.Marina) error { return exists(m.Dir, "etcd", "member", "wal") }},
	{"the controller-manager starts", func(m *harness.Marina) error {
		return runs(m, "management/kube-controller-manager/0/kube-controller-manager")
	}},
	{"the tenants' etcd starts", func(m *harness.Marina) error { return runs(m, "marina-system/etcd-default/0/etcd") }},
}

// beginUntil begins a start and waits for a point of it.
func beginUntil(t *testing.T, m *harness.Marina, p point) {
	t.Helper()
	check(t, m.Begin())
	// More often than Await asks: some of them pass quickly.
	late := time.After(3 * time.Minute)
	for p.reached(m) != nil {
		select {
		case <-late:
			t.Fatalf("after three minutes still not: %s: %v: %s", p.name, p.reached(m), m.Output())
		case <-time.After(time.Millisecond):
		}
	}
}

func TestASignalEndsAStart(t *testing.T) {
	for i, p := range points {
		t.Run(p.name, func(t *testing.T) {
			signal, want := syscall.SIGINT, 130
			if i%2 == 1 {
				signal, want = syscall.SIGTERM, 0
			}
			m := harness.Prepare(t, t.TempDir())
			beginUntil(t, m, p)
			check(t, m.Signal(signal))
			code, err := m.ExitCode(t.Context())
			check(t, err)
			if strings.Contains(m.Output(), "Marina is ready") {
				// The last point may be the end of the start; then it is an ordinary stop.
				want = 0
			}
			if code != want {
				t.Errorf("exit code %d after %s, want %d: %s", code, signal, want, m.Output())
			}
			if left := m.Processes(); len(left) > 0 {
				t.Errorf("processes left: %v", left)
			}
		})
	}
}

// A start that is killed goes on with the next one, wherever that was.
func TestAFirstStartThatIsKilled(t *testing.T) {
	m := harness.Prepare(t, t.TempDir())
	for _, p := range points {
		beginUntil(t, m, p)
		check(t, m.Kill())
	}
	check(t, m.Start(t.Context()))
	check(t, harness.Await(t.Context(), time.Minute, func(ctx context.Context) error {
		etcd := &v1alpha1.EtcdCluster{}
		err := m.Client.Get(ctx, types.NamespacedName{Name: "default"}, etcd)
		return errors.Join(err, says(etcd.Status.Conditions, v1alpha1.ConditionAvailable, "True"))
	}))
	check(t, m.Stop())
	if left := m.Processes(); len(left) > 0 {
		t.Errorf("processes left after a clean stop: %v", left)
	}
}
