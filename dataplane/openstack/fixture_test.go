package openstack

import (
	"context"
	"sync"
	"testing"
	"time"

	testclock "k8s.io/utils/clock/testing"

	"github.com/marina-dev/marina/e2e/openstacksim"
)

// world is a cloud on a clock that stands still, with a project, and a pool that waits on
// no clock at all.
type world struct {
	*openstacksim.Simulator
	clock                   *testclock.FakeClock
	project                 openstacksim.Project
	flavor, image, external string
	pool                    *Pool

	mu     sync.Mutex
	waited []time.Duration
}

func newWorld(t testing.TB, o openstacksim.Options) *world {
	t.Helper()
	w := &world{clock: testclock.NewFakeClock(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))}
	o.Clock = w.clock
	var err error
	if w.Simulator, err = openstacksim.Start(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	w.project = w.AddProject("tenant")
	w.flavor = w.AddFlavor("b3-8", 2, 8192, 50)
	w.image = w.AddImage("ubuntu", nil)
	w.external = w.AddExternalNetwork("public", "203.0.113.0/24")
	w.AddVolumeType("ssd")
	w.pool = &Pool{Wait: func(_ context.Context, d time.Duration) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.waited = append(w.waited, d)
		return nil
	}}
	w.SetUp()
	return w
}

func (w *world) cloud() Cloud { return Cloud{AuthURL: w.AuthURL(), Region: openstacksim.Region} }

func (w *world) password(t testing.TB) Credentials { return parsed(t, w.CloudsYAML(w.project)) }

func parsed(t testing.TB, file string) Credentials {
	t.Helper()
	credentials, err := ParseCloudsYAML([]byte(file), "openstack")
	if err != nil {
		t.Fatal(err)
	}
	return credentials
}

// client logs in by password.
func (w *world) client(t testing.TB) *Client {
	t.Helper()
	c, err := w.pool.Client(t.Context(), w.cloud(), w.password(t))
	if err != nil {
		t.Fatal(err)
	}
	return c
}
