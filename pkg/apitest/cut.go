package apitest

import (
	"errors"
	"net/http"
	"testing"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/transport"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// errCut is what a client sees of a request that was cut.
var errCut = errors.New("cut")

// Cut cuts one request of its clients and all that follow: before it gets to the server, or
// when it has been carried out.
type Cut struct {
	// At is the number of the request that is cut first; 1 is the first one, 0 is none.
	At int
	// Executed is whether that one is carried out.
	Executed bool
	// Asked are the requests so far: "GET /api/v1/nodes".
	Asked []string
}

func (c *Cut) wrap(next http.RoundTripper) http.RoundTripper {
	return RoundTripper(func(r *http.Request) (*http.Response, error) {
		c.Asked = append(c.Asked, r.Method+" "+r.URL.Path)
		if n := len(c.Asked); c.At == 0 || n < c.At {
			return next.RoundTrip(r)
		} else if n == c.At && c.Executed {
			response, err := next.RoundTrip(r)
			if err == nil {
				response.Body.Close()
			}
		}
		return nil, errCut
	})
}

// RoundTripper is a function as an http.RoundTripper.
type RoundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (do RoundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return do(r) }

// Clients are those of a manager that has just started, of the management cluster and of a
// tenant, which are one server. A request to the tenant that could take for ever fails the
// test: one that hangs would hold up all the others. The requests of both are cut, if cut is
// not nil; those to the tenant pass through the wrappers first.
func (s *Server) Clients(t testing.TB, cut *Cut, tenant ...transport.WrapperFunc) (client.Client, kubernetes.Interface) {
	t.Helper()
	config := rest.CopyConfig(s.Config)
	if cut != nil {
		config.Wrap(cut.wrap)
	}
	management, err := client.New(config, client.Options{Scheme: s.Scheme, Mapper: s.Client.RESTMapper()})
	if err != nil {
		t.Fatal(err)
	}
	for _, wrap := range append(tenant, bounded(t)) {
		config.Wrap(wrap)
	}
	ofTenant, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return management, ofTenant
}

func bounded(t testing.TB) transport.WrapperFunc {
	return func(next http.RoundTripper) http.RoundTripper {
		return RoundTripper(func(r *http.Request) (*http.Response, error) {
			if _, ok := r.Context().Deadline(); !ok {
				t.Errorf("%s %s has no time limit", r.Method, r.URL.Path)
			}
			return next.RoundTrip(r)
		})
	}
}
