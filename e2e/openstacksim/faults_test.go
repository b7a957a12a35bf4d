package openstacksim_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"
	"github.com/gophercloud/gophercloud/v2/openstack/compute/v2/servers"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
	"github.com/gophercloud/gophercloud/v2/openstack/loadbalancer/v2/loadbalancers"
	"github.com/gophercloud/gophercloud/v2/openstack/networking/v2/networks"

	"github.com/marina-dev/marina/e2e/openstacksim"
	"github.com/marina-dev/marina/e2e/openstacksim/front"
)

// creation is the call that costs money.
var creation = front.Match{Service: "compute", Method: "POST", Path: "/servers"}

func TestFaultsAreDone(t *testing.T) {
	for name, test := range map[string]struct {
		effect front.Effect
		status int // 0: no answer
		left   int
	}{
		"throttled":                  {front.Throttle(7 * time.Second), 429, 0},
		"server error":               {front.Fail(500), 500, 0},
		"bad gateway":                {front.Fail(502), 502, 0},
		"reset":                      {front.Reset(), 0, 0},
		"hanging":                    {front.Hang(), 0, 0},
		"response lost after commit": {front.LoseResponse(), 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			c, network, _ := nodes(t, openstacksim.Options{})
			fault := c.Inject(front.Fault{Match: creation, Effect: test.effect, Times: 1})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if name == "hanging" {
				go func() {
					<-fault.Hit()
					cancel()
				}()
			}
			_, err := servers.Create(ctx, c.compute, c.opts("node", network), nil).Extract()
			var answered gophercloud.ErrUnexpectedResponseCode
			switch {
			case err == nil:
				t.Fatal("the call succeeded")
			case errors.As(err, &answered):
				if answered.Actual != test.status {
					t.Errorf("got %d, want %d", answered.Actual, test.status)
				}
				if after := answered.ResponseHeader.Get("Retry-After"); test.status == 429 && after != "7" {
					t.Errorf("Retry-After is %q, want 7", after)
				}
			case test.status != 0:
				t.Errorf("got %v, want an answer of %d", err, test.status)
			}
			if fault.Hits() != 1 {
				t.Errorf("the fault hit %d calls, want 1", fault.Hits())
			}
			found := list(t, c.clients, servers.ListOpts{Name: "^node$"})
			if len(found) != test.left {
				t.Errorf("%d servers are found by name, want %d", len(found), test.left)
			}
			_, err = servers.Create(t.Context(), c.compute, c.opts("next", network), nil).Extract()
			check(t, err) // the fault is used up
		})
	}
}

func TestFaultsWaitForTheirTurn(t *testing.T) {
	c := start(t, openstacksim.Options{})
	other := c.in(t, c.AddProject("other"))
	fault := c.Inject(front.Fault{
		Match: front.Match{Service: "network", Path: "/networks*", Project: c.project.ID}, Effect: front.Fail(503), Skip: 1, Times: 2,
	})
	ask := func(k *clients) bool {
		_, err := networks.List(k.network, nil).AllPages(t.Context())
		return err == nil
	}
	got := []bool{ask(c.clients), ask(other), ask(c.clients), ask(c.clients), ask(other), ask(c.clients)}
	if diff := cmp.Diff([]bool{true, true, false, false, true, true}, got); diff != "" {
		t.Error("which calls succeed (-want +got)", diff)
	}
	all := c.Inject(front.Fault{Match: front.Match{Service: "network"}, Effect: front.Fail(500)})
	if ask(c.clients) || ask(other) {
		t.Error("a fault without an end ended")
	}
	all.Remove()
	if !ask(c.clients) || fault.Hits() != 2 || all.Hits() != 2 {
		t.Errorf("hits: %d and %d, want 2 and 2", fault.Hits(), all.Hits())
	}
}

func TestSlowCallsWaitOnTheClock(t *testing.T) {
	c := start(t, openstacksim.Options{})
	c.clock.timers = make(chan time.Duration, 1)
	c.Inject(front.Fault{Match: front.Match{Service: "network"}, Effect: front.Slow(20 * time.Second)})
	done := make(chan error, 1)
	go func() {
		_, err := networks.List(c.network, nil).AllPages(context.Background())
		done <- err
	}()
	if waits := <-c.clock.timers; waits != 20*time.Second {
		t.Errorf("the call waits for %s, want 20 s", waits)
	}
	select {
	case <-done:
		t.Fatal("a slow call was answered at once")
	default:
	}
	c.clock.Step(20 * time.Second)
	check(t, <-done)
}

func TestCallsAreRecordedByTemplate(t *testing.T) {
	c, network, _ := nodes(t, openstacksim.Options{})
	c.ResetCalls()
	s := c.server(t, "node", network)
	c.shown(t, s.ID)
	_, err := servers.Get(t.Context(), c.compute, "nobody").Extract()
	if err == nil {
		t.Error("nobody was found")
	}
	_, err = volumes.Create(t.Context(), c.volumes, volumes.CreateOpts{Size: 1}, nil).Extract()
	check(t, err)
	_, err = loadbalancers.List(c.balancers, nil).AllPages(t.Context())
	check(t, err)
	_, err = images.Get(t.Context(), c.images, c.image).Extract()
	check(t, err)
	var got []string
	for i, call := range c.Calls(front.Match{Project: c.project.ID}) {
		got = append(got, call.String())
		if call.N != i {
			t.Errorf("call %d has the number %d", i, call.N)
		}
	}
	if diff := cmp.Diff([]string{"compute POST /servers", "compute GET /servers/{id}", "compute GET /servers/{id}",
		"block-storage POST /volumes", "load-balancer GET /lbaas/loadbalancers", "image GET /images/{id}"}, got); diff != "" {
		t.Error("(-want +got)", diff)
	}
	if n := c.Count(front.Match{Path: "/servers/{id}", Status: 404}); n != 1 || c.Work() != 6 {
		t.Errorf("%d calls with 404 and %d in all, want 1 and 6", n, c.Work())
	}
}

// A controller is stopped at each call: before it, and after it without the answer.
func TestHooksStopTheCallerAtEachCall(t *testing.T) {
	work := func(c *cloud) error {
		ctx := context.Background()
		n, err := networks.Create(ctx, c.network, networks.CreateOpts{Name: "n"}).Extract()
		if err != nil {
			return err
		}
		return networks.Delete(ctx, c.network, n.ID).ExtractErr()
	}
	for name, test := range map[string]struct {
		before bool
		at     int
		left   int
	}{
		"before the creation": {true, 0, 0},
		"after the creation":  {false, 0, 1},
		"before the deletion": {true, 1, 1},
		"after the deletion":  {false, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c := start(t, openstacksim.Options{})
			c.ResetCalls()
			var once sync.Once
			stop := func(call front.Call) (v front.Verdict) {
				if call.N == test.at {
					once.Do(func() { v = front.Cut })
				}
				return v
			}
			if test.before {
				c.BeforeCalls(stop)
			} else {
				c.AfterCalls(stop)
			}
			if err := work(c); err == nil {
				t.Error("the caller was not stopped")
			}
			if left := c.Leaks(c.project.ID); len(left) != test.left {
				t.Errorf("left behind: %v, want %d", left, test.left)
			}
			if got := c.Calls(front.Match{})[test.at].Status; (got == 0) != test.before {
				t.Errorf("the call is recorded with the status %d", got)
			}
		})
	}
}
