package openstack

import (
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/marina-dev/marina/pkg/apitest"
)

// wire is what all requests of Marina to the cloud go through. It counts them, and is cut.
type wire struct {
	mu    sync.Mutex
	calls []call
	// cut is asked about each call; nil lets all through.
	cut func(call) fate
}

// call is one request: its method, and its path in the service with {id} for ids.
type call struct {
	method, path string
	// status is that of the answer; 0 if there was none.
	status int
}

func (c call) String() string { return c.method + " " + c.path }

// fate is what becomes of a call.
type fate int

const (
	arrives fate = iota
	// isLost before it comes to the cloud.
	isLost
	// answerIsLost when it has been carried out.
	answerIsLost
)

var errCut = errors.New("cut")

var (
	endpoint = regexp.MustCompile(`^.*?/v[0-9][0-9.]*(/[0-9a-f]{32}(/|$))?`)
	ids      = regexp.MustCompile(`[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
)

func callOf(r *http.Request) call {
	path := ids.ReplaceAllString(endpoint.ReplaceAllString(r.URL.Path, "/"), "{id}")
	return call{method: r.Method, path: "/" + strings.Trim(path, "/")}
}

// wrap is for openstack.Pool.
func (w *wire) wrap(next http.RoundTripper) http.RoundTripper {
	return apitest.RoundTripper(func(r *http.Request) (*http.Response, error) {
		c := callOf(r)
		becomes := w.decide(c)
		if becomes == isLost {
			return nil, errCut
		}
		response, err := next.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		c.status = response.StatusCode
		w.mu.Lock()
		w.calls = append(w.calls, c)
		w.mu.Unlock()
		if becomes == answerIsLost {
			return nil, errors.Join(errCut, response.Body.Close())
		}
		return response, nil
	})
}

func (w *wire) decide(c call) fate {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut == nil {
		return arrives
	}
	return w.cut(c)
}

// cutBy sets what decides about calls, one after the other.
func (w *wire) cutBy(decide func(call) fate) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = decide
}

// reset forgets the calls.
func (w *wire) reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = nil
}

// work are the calls that do something: all but tokens, the catalogue and the discovery of
// versions.
func (w *wire) work() []call {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(w.calls), func(c call) bool { return c.path == "/" || strings.HasPrefix(c.path, "/auth/") })
}

// done is how many calls of a kind, such as "POST /servers", have succeeded.
func (w *wire) done(kind string) (n int) {
	for _, c := range w.work() {
		if c.String() == kind && c.status >= 200 && c.status < 300 {
			n++
		}
	}
	return n
}

// changes are the calls that are to change something.
func (w *wire) changes() []call {
	return slices.DeleteFunc(w.work(), func(c call) bool { return c.method == http.MethodGet })
}
