package machine

import (
	"sync"
	"testing"
	"time"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
)

// A cloud of which every answer takes 20 s makes nodes late, and none of them twice; nor is
// anything left of them.
func TestSlowCloud(t *testing.T) {
	const delay = 20 * time.Second
	w := newWorld(t)
	fault := w.Inject(front.Fault{Effect: front.Slow(delay)})
	w.answerLate(t, delay)
	for range 3 {
		w.machine(t)
	}
	w.ready(t)
	w.holds(t, map[string]int{"server": 3, "port": 3})
	if n := w.Count(front.Match{Service: "compute", Method: "POST", Path: "/servers"}); n != 3 {
		t.Errorf("%d servers were asked for, for 3 nodes", n)
	}
	w.dismissed(t)
	if fault.Hits() == 0 {
		t.Fatal("no harm was done")
	}
}

// answerLate lets the time go by that each answer takes, as soon as somebody waits for one.
func (w *world) answerLate(t testing.TB, delay time.Duration) {
	var passing sync.WaitGroup
	ended, ticker := make(chan struct{}), time.NewTicker(time.Millisecond)
	passing.Go(func() {
		for {
			select {
			case <-ended:
				return
			case <-ticker.C:
				if w.clock.HasWaiters() {
					w.clock.Step(delay)
				}
			}
		}
	})
	t.Cleanup(func() {
		close(ended)
		passing.Wait()
		ticker.Stop()
	})
}
