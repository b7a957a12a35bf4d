package failure

import (
	"net/http"

	"k8s.io/client-go/rest"
)

// Reach makes every request of a client that gets no answer at all fail with a
// copy of u. A command may talk to two API servers, the management cluster's and
// a tenant's, and what to do differs.
func Reach(config *rest.Config, u Unreachable) {
	u.Server = config.Host
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return &reach{next: next, as: u} })
}

type reach struct {
	next http.RoundTripper
	as   Unreachable
}

// RoundTrip leaves an error alone that the caller caused, by an interrupt or a
// time limit of its own.
func (r *reach) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := r.next.RoundTrip(req)
	if err == nil || req.Context().Err() != nil {
		return res, err
	}
	u := r.as
	u.Err = err
	return nil, &u
}
