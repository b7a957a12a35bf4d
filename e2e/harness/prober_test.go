package harness

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// TestProber asks a server that answers the first request last, and refuses the
// second.
func TestProber(t *testing.T) {
	var mu sync.Mutex
	var connections int
	asked := map[string]int{}
	release := make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked[r.Method]++
		number := asked[http.MethodGet] + asked[http.MethodPost]
		mu.Unlock()
		switch {
		case number == 1:
			<-release
		case number == 2:
			http.Error(w, "try later", http.StatusServiceUnavailable)
		case r.Method == http.MethodPost:
			w.WriteHeader(http.StatusCreated)
		}
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			mu.Lock()
			connections++
			mu.Unlock()
		}
	}
	server.StartTLS()
	defer server.Close()

	config := &rest.Config{Host: server.URL, TLSClientConfig: rest.TLSClientConfig{Insecure: true}}
	p := StartProber(t, config)
	p.Mark()
	Check(t, Await(t.Context(), 30*time.Second, func(context.Context) error {
		if n := len(p.Report().Requests); n < 5 {
			return fmt.Errorf("%d requests have ended while the first is held", n)
		}
		return nil
	}))
	close(release)
	r := p.Stop()

	mu.Lock()
	defer mu.Unlock()
	if n := len(r.Requests); n != connections || n != asked[http.MethodGet]+asked[http.MethodPost] {
		t.Errorf("%d requests were reported; the server saw %v over %d connections: want one connection for each request, and nothing tried again", n, asked, connections)
	}
	if d := asked[http.MethodGet] - asked[http.MethodPost]; d != 0 && d != 1 {
		t.Errorf("asked %v: want reads and writes in turn", asked)
	}
	failed := r.Failed()
	if len(failed) != 1 || !strings.Contains(failed[0].Err.Error(), "503") || !strings.Contains(failed[0].Err.Error(), "try later") {
		t.Errorf("failed: %v, want the one that was refused, and what the server said", failed)
	}
	took := func(q Request) time.Duration { return q.End.Sub(q.Start) }
	slowest := slices.MaxFunc(r.Requests, func(a, b Request) int { return cmp.Compare(took(a), took(b)) })
	if r.LongestGap() > took(slowest) {
		t.Errorf("longest gap %s although only one request was slow", r.LongestGap())
	}
}
