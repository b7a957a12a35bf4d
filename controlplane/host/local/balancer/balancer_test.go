package balancer

import (
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
)

func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }

func TestOnlyReadyBackendsGetConnections(t *testing.T) {
	a, b := newFakeServer(t, "a", http.StatusOK), newFakeServer(t, "b", http.StatusInternalServerError)
	address, balancer, _ := start(t, Options{Backends: addresses(a, b)})
	waitReady(t, balancer, a)
	for range 6 {
		if got, err := who(address); err != nil || got != "a" {
			t.Fatalf("served by %q, %v: want a, the only one that is ready", got, err)
		}
	}

	b.ready.Store(http.StatusOK)
	waitReady(t, balancer, a, b)
	served := map[string]int{}
	for range 6 {
		got, err := who(address)
		if err != nil {
			t.Fatal(err)
		}
		served[got]++
	}
	if served["a"] == 0 || served["b"] == 0 {
		t.Errorf("served by %v: want both, since both are ready", served)
	}
}

func TestABackendThatDiesFailsNoRequest(t *testing.T) {
	a, b, c := newFakeServer(t, "a", 200), newFakeServer(t, "b", 200), newFakeServer(t, "c", 200)
	address, balancer, _ := start(t, Options{Backends: addresses(a, b, c)})
	waitReady(t, balancer, a, b, c)
	a.Close()
	// The checks have not noticed yet: it is the dial that fails.
	for range 9 {
		if got, err := who(address); err != nil || got == "a" {
			t.Fatalf("served by %q, %v: want one of the two that live", got, err)
		}
	}
	waitReady(t, balancer, b, c)
}

func TestNotReadyKeepsItsConnections(t *testing.T) {
	a, b := newFakeServer(t, "a", 200), newFakeServer(t, "b", 500)
	address, balancer, _ := start(t, Options{Backends: addresses(a, b)})
	waitReady(t, balancer, a)
	held := hold(t, address)

	// As in a graceful shutdown: it says no, and finishes what it has.
	a.ready.Store(http.StatusInternalServerError)
	b.ready.Store(http.StatusOK)
	waitReady(t, balancer, b)
	if got, err := who(address); err != nil || got != "b" {
		t.Errorf("served by %q, %v: want b, since a is not ready any more", got, err)
	}
	for range 3 {
		drainToken(a.checked)
		<-a.checked
	}
	if err := echo(held, "still there"); err != nil {
		t.Errorf("after three more checks that answered not ready: %v: want the connection to go on", err)
	}
}

func TestABackendThatHangsLosesItsConnections(t *testing.T) {
	t.Parallel()
	a, b := newFakeServer(t, "a", 200), newFakeServer(t, "b", 500)
	address, balancer, _ := start(t, Options{Backends: addresses(a, b)})
	waitReady(t, balancer, a)
	held := hold(t, address)

	a.hangs.Store(true)
	b.ready.Store(http.StatusOK)
	waitReady(t, balancer, b)
	if err := held.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	_, err := held.Read(make([]byte, 1))
	if err == nil || os.IsTimeout(err) {
		t.Errorf("reading from the connection to a backend that hangs: %v: want it to be closed", err)
	}
}

func TestWhenNoBackendIsReadyAllAreTried(t *testing.T) {
	a := newFakeServer(t, "a", 500)
	address, _, _ := start(t, Options{Backends: addresses(a)})
	if got, err := who(address); err != nil || got != "a" {
		t.Errorf("served by %q, %v: want a, which is better than nothing", got, err)
	}
}

func TestWhenNoBackendLivesTheConnectionIsClosed(t *testing.T) {
	a := newFakeServer(t, "a", 200)
	a.Close()
	address, _, _ := start(t, Options{Backends: addresses(a)})
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
		t.Errorf("reading: %v: want the connection to be closed at once", err)
	}
}

func TestOrder(t *testing.T) {
	type state struct {
		address string
		ready   bool
		open    int64
	}
	cases := map[string]struct {
		states []state
		want   []string
		why    string
	}{
		"FewestConnectionsFirst": {
			states: []state{{"a", true, 3}, {"b", true, 1}, {"c", true, 2}},
			want:   []string{"b", "c", "a"},
			why:    "a replica that has just come back has the fewest",
		},
		"ReadyFirst": {
			states: []state{{"a", false, 0}, {"b", true, 9}, {"c", false, 1}},
			want:   []string{"b", "a", "c"},
			why:    "those that are not ready are the last resort",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			b := &balancer{}
			for _, s := range tc.states {
				be := newBackend(s.address, b.options.Log)
				be.ready.Store(s.ready)
				be.open.Store(s.open)
				b.backends = append(b.backends, be)
			}
			var got []string
			for _, be := range b.order() {
				got = append(got, be.address)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.why, diff)
			}
		})
	}
}

func TestOrderRotatesAmongEquals(t *testing.T) {
	b := newBalancer(Options{Backends: []string{"a", "b", "c"}})
	first := map[string]int{}
	for range 6 {
		first[b.order()[0].address]++
	}
	if diff := cmp.Diff(map[string]int{"a": 2, "b": 2, "c": 2}, first); diff != "" {
		t.Errorf("first in order (-want +got):\n%s", diff)
	}
}

func TestArgsAreWhatTheFlagsRead(t *testing.T) {
	want := Options{
		Listen:    "127.0.0.1:21000",
		Backends:  []string{"127.0.0.1:21001", "127.0.0.1:21002"},
		ReadyPath: "/health",
		Drain:     2 * time.Second,
	}
	var got Options
	flags := pflag.NewFlagSet("balancer", pflag.ContinueOnError)
	got.AddFlags(flags)
	if err := flags.Parse(want.Args()); err != nil {
		t.Fatal(err)
	}
	if got.Listen != want.Listen || got.ReadyPath != want.ReadyPath || got.Drain != want.Drain || !cmp.Equal(got.Backends, want.Backends) {
		t.Errorf("parsed %+v from %q, want %+v", got, want.Args(), want)
	}
}

func TestRunRefuses(t *testing.T) {
	cases := map[string]Options{
		"NoListen":           {Backends: []string{"127.0.0.1:1"}},
		"NoBackend":          {Listen: "127.0.0.1:0"},
		"ABackendWithNoPort": {Listen: "127.0.0.1:0", Backends: []string{"127.0.0.1"}},
	}
	for name, o := range cases {
		t.Run(name, func(t *testing.T) {
			if err := Run(t.Context(), o); err == nil {
				t.Error("Run returned nil, want an error that says what is missing")
			}
		})
	}
}

func drainToken(c chan struct{}) {
	select {
	case <-c:
	default:
	}
}
