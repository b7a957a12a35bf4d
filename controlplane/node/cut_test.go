package node

import (
	"errors"
	"net/http"
)

// bounded sees that no request to a tenant may take for ever, and can be a tenant that is silent.
type bounded struct {
	*world
	next http.RoundTripper
}

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	if _, ok := r.Context().Deadline(); !ok {
		b.Errorf("%s %s has no time limit", r.Method, r.URL.Path)
	}
	if b.silent {
		return nil, errors.New("silent")
	}
	return b.next.RoundTrip(r)
}

// errCut is what the reconciler sees of a request that was cut.
var errCut = errors.New("cut")

// cut cuts one request and all that follow: before it gets to the server, or when it has
// been carried out.
type cut struct {
	next     http.RoundTripper
	at       int
	executed bool
	// asked are the requests so far.
	asked []string
}

func (c *cut) RoundTrip(r *http.Request) (*http.Response, error) {
	c.asked = append(c.asked, r.Method+" "+r.URL.Path)
	if n := len(c.asked); c.at == 0 || n < c.at {
		return c.next.RoundTrip(r)
	} else if n == c.at && c.executed {
		response, err := c.next.RoundTrip(r)
		if err == nil {
			response.Body.Close()
		}
	}
	return nil, errCut
}
