package failure

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"
)

// server is an API server as a client sees it.
type server func(*http.Request) (*http.Response, error)

func (s server) RoundTrip(req *http.Request) (*http.Response, error) { return s(req) }

// silent never answers, as an API server without its store.
func silent(req *http.Request) (*http.Response, error) {
	<-req.Context().Done()
	return nil, req.Context().Err()
}

// ask sends a request through the transport that Reach makes. It calls read before it
// closes the answer.
func ask(t testing.TB, ctx context.Context, s server, query string, read func()) error {
	t.Helper()
	config := &rest.Config{Host: "http://server"}
	Reach(config, Unreachable{What: "it", Do: "start it", DoIfSilent: "look after it"})
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, config.Host+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := config.WrapTransport(s).RoundTrip(req)
	if err != nil {
		return err
	}
	read()
	return res.Body.Close()
}

func TestRequestsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		err := ask(t, t.Context(), silent, "", nil)
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("it was waited for %s, want 10s", took)
		}
		var out strings.Builder
		code := Print(&out, err)
		want := "Error: it does not answer at http://server: no answer within 10 s\nWhat to do: look after it\n"
		if diff := cmp.Diff(want, out.String()); diff != "" || code != ExitFailure {
			t.Errorf("exit code %d, want 1; (-want +got):\n%s", code, diff)
		}
	})
}

func TestWatchesAreNotLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		start := time.Now()
		err := ask(t, ctx, silent, "?watch=true", nil)
		if took := time.Since(start); took != time.Hour || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a watch ended after %s with %v, want the caller's limit after 1h", took, err)
		}
	})
}

func TestTheCallersOwnLimitIsNoFailureOfTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if err := ask(t, ctx, silent, "", nil); Explain(err).Exit != ExitTimeout {
			t.Errorf("got %v, want the time-out of the caller", err)
		}
	})
}

// What an answer takes to be read is not limited, and its request lives as long.
func TestAnAnswerMayTakeLongToRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var of context.Context
		err := ask(t, t.Context(), func(req *http.Request) (*http.Response, error) {
			of = req.Context()
			return &http.Response{Body: io.NopCloser(strings.NewReader("a long list"))}, nil
		}, "", func() {
			<-time.After(time.Minute)
			if of.Err() != nil {
				t.Errorf("the request was ended while its answer was read: %v", context.Cause(of))
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		if of.Err() == nil {
			t.Error("the request lives on though its answer has been read")
		}
	})
}
