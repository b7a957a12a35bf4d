package balancer

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
)

// fakeServer is a replica: /readyz is controlled, /who answers its name, and /echo
// sends back what it gets for as long as the client likes.
type fakeServer struct {
	*httptest.Server
	name string
	// ready is the status of /readyz; hangs makes it not answer at all.
	ready atomic.Int32
	hangs atomic.Bool
	// checked gets a token, if there is room, each time /readyz has answered.
	checked chan struct{}
}

func newFakeServer(t testing.TB, name string, ready int) *fakeServer {
	t.Helper()
	s := &fakeServer{name: name, checked: make(chan struct{}, 1)}
	s.ready.Store(int32(ready))
	mux := http.NewServeMux()
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, r *http.Request) {
		if s.hangs.Load() {
			<-r.Context().Done()
			return
		}
		w.WriteHeader(int(s.ready.Load()))
		select {
		case s.checked <- struct{}{}:
		default:
		}
	})
	mux.HandleFunc("/who", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, name) })
	mux.HandleFunc("/echo", func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		io.Copy(conn, rw)
	})
	s.Server = httptest.NewUnstartedServer(mux)
	// A client that is cut off is part of several tests.
	s.Config.ErrorLog = discardLog()
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func (s *fakeServer) address() string { return s.Listener.Addr().String() }

// start serves the options on a free port until the test ends, and returns the
// address, the balancer, and a function that ends it and waits until it has.
func start(t testing.TB, o Options) (address string, b *balancer, stop func()) {
	t.Helper()
	if o.Log.GetSink() == nil {
		o.Log = logr.Discard()
	}
	if o.ReadyPath == "" {
		o.ReadyPath = "/readyz"
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b = newBalancer(o)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.serve(ctx, listener) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	t.Cleanup(stop)
	return listener.Addr().String(), b, stop
}

// who asks over a fresh connection who serves it.
func who(address string) (string, error) {
	client := &http.Client{
		Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: insecure()},
		Timeout:   10 * time.Second,
	}
	resp, err := client.Get("https://" + address + "/who")
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

// hold opens a connection that stays, and returns it once the server has echoed.
func hold(t testing.TB, address string) *tls.Conn {
	t.Helper()
	conn, err := tls.Dial("tcp", address, insecure())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := echo(conn, "hello"); err != nil {
		t.Fatal(err)
	}
	return conn
}

// echo reports whether the connection still carries both ways.
func echo(conn net.Conn, text string) error {
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, text); err != nil {
		return err
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(conn, got); err != nil {
		return err
	}
	if string(got) != text {
		return errors.New("got " + string(got) + ", want " + text)
	}
	return nil
}

// waitFor waits until the condition holds.
func waitFor(t testing.TB, what string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	late := time.After(30 * time.Second)
	for !condition() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("after 30s still not: %s", what)
		}
	}
}

// waitReady waits until the balancer holds exactly the named backends for ready.
func waitReady(t testing.TB, b *balancer, want ...*fakeServer) {
	t.Helper()
	addresses := map[string]bool{}
	for _, s := range want {
		addresses[s.address()] = true
	}
	waitFor(t, fmt.Sprintf("%d backends are ready", len(want)), func() bool {
		for _, backend := range b.backends {
			if backend.ready.Load() != addresses[backend.address] {
				return false
			}
		}
		return true
	})
}

func insecure() *tls.Config { return &tls.Config{InsecureSkipVerify: true} }

func addresses(servers ...*fakeServer) []string {
	var all []string
	for _, s := range servers {
		all = append(all, s.address())
	}
	return all
}
