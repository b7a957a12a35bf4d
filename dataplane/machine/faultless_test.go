package machine

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/marina-dev/marina/e2e/openstacksim/front"
	"github.com/marina-dev/marina/e2e/openstacksim/nova"
	"github.com/marina-dev/marina/pkg/apitest"
)

// Nova's lists do not tell why a server is in ERROR that has found no host: it is asked for that
// one. Where nobody tells, it is a failure like any other.
func TestFaultInNoList(t *testing.T) {
	for name, test := range map[string]struct {
		alone    bool // whether the server by itself has the fault
		reason   string
		words    string
		failures bool
	}{
		"told of one": {true, "NoCapacity", "No valid host was found", false},
		"never told":  {false, "ServerError", "Nova gives no reason", true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.wrap = withoutFaults(test.alone)
			w.restart()
			m := w.machine(t)
			w.FailBuilds(nova.BuildFault{Times: 1})
			w.settle(t, "the failure", time.Second, func() bool { return m.Status.RetryAt != nil })
			w.is(t, m, "ServerReady", "False", test.reason, test.words)
			if (m.Status.Failures > 0) != test.failures {
				t.Errorf("%d failures of the server", m.Status.Failures)
			}
			if n := w.Count(front.Match{Method: "GET", Path: "/servers/{id}"}); n != 1 {
				t.Errorf("it was asked for %d times, want once", n)
			}
			w.ready(t)
			w.dismissed(t)
		})
	}
}

// withoutFaults takes the faults of servers out of lists, and out of what is told of one unless
// that has it.
func withoutFaults(alone bool) func(http.RoundTripper) http.RoundTripper {
	return func(next http.RoundTripper) http.RoundTripper {
		return apitest.RoundTripper(func(r *http.Request) (*http.Response, error) {
			response, err := next.RoundTrip(r)
			if err != nil || r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/servers/") || alone && !strings.HasSuffix(r.URL.Path, "/detail") {
				return response, err
			}
			var body struct {
				Servers []map[string]any `json:"servers"`
				Server  map[string]any   `json:"server,omitempty"`
			}
			err = json.NewDecoder(response.Body).Decode(&body)
			response.Body.Close()
			if err != nil {
				return nil, err
			}
			for _, s := range append(body.Servers, body.Server) {
				delete(s, "fault")
			}
			data, err := json.Marshal(body)
			response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(data)), int64(len(data))
			return response, err
		})
	}
}
