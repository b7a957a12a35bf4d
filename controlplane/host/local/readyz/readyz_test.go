package readyz

import (
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// serve starts an HTTPS server and returns its host:port and how many connections it
// has got.
func serve(t testing.TB, handler http.HandlerFunc) (string, *atomic.Int32) {
	t.Helper()
	var connections atomic.Int32
	s := httptest.NewUnstartedServer(handler)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String(), &connections
}

func ask(t testing.TB, target Target) *Asker {
	t.Helper()
	a := New(target)
	t.Cleanup(a.Close)
	return a
}

func TestAsk(t *testing.T) {
	address, connections := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" {
			w.WriteHeader(http.StatusNotFound)
		}
	})
	a := ask(t, Target{Address: address, Path: "/readyz", Timeout: 10 * time.Second})
	for range 3 {
		if err := a.Ask(t.Context()); err != nil {
			t.Fatalf("Ask: %v, want nil when the answer is 200", err)
		}
	}
	if got := connections.Load(); got != 1 {
		t.Errorf("three questions took %d connections, want 1", got)
	}
}

func TestNotReadyKeepsTheConnectionAndTellsWhy(t *testing.T) {
	address, connections := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		io.WriteString(w, "[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed\n")
	})
	a := ask(t, Target{Address: address, Path: "readyz", Timeout: 10 * time.Second})
	for range 2 {
		err := a.Ask(t.Context())
		var notReady *NotReadyError
		if !errors.As(err, &notReady) || err.Error() != "status 500: [-]etcd failed: reason withheld" {
			t.Errorf("Ask: %v, want the status and the check that failed", err)
		}
		if IsTimeout(err) {
			t.Error("an answer passes for none")
		}
	}
	if got := connections.Load(); got != 1 {
		t.Errorf("two questions took %d connections, want 1", got)
	}
}

func TestNoAnswerIsATimeout(t *testing.T) {
	address, _ := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	err := ask(t, Target{Address: address, Path: "/readyz", Timeout: 50 * time.Millisecond}).Ask(t.Context())
	if !IsTimeout(err) {
		t.Errorf("Ask of a server that hangs: %v, want a timeout", err)
	}
}

func TestRefusedIsNoTimeout(t *testing.T) {
	s := httptest.NewServer(nil)
	address := s.Listener.Addr().String()
	s.Close()
	err := ask(t, Target{Address: address, Path: "/readyz", Timeout: 10 * time.Second}).Ask(t.Context())
	if err == nil || IsTimeout(err) {
		t.Errorf("Ask where nobody listens: %v, want an error that is no timeout", err)
	}
}

func TestAskInPlainHTTP(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(s.Close)
	target := Target{Address: s.Listener.Addr().String(), Path: "/readyz", Timeout: 10 * time.Second}
	if err := ask(t, target).Ask(t.Context()); err == nil {
		t.Error("Ask over TLS of a server without: want an error")
	}
	target.Plain = true
	if err := ask(t, target).Ask(t.Context()); err != nil {
		t.Errorf("Ask over HTTP: %v", err)
	}
}

func TestDetailIsShort(t *testing.T) {
	got := detail(strings.Repeat("é", 500))
	if len(got) > 130 || strings.ContainsRune(got, '\uFFFD') {
		t.Errorf("detail %q: want it short, and cut between letters", got)
	}
}
