package failure

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"k8s.io/client-go/rest"
)

// answerTime is how long a request waits for an answer to begin. An API server that
// has lost its store gives none for a minute; a busy one answers in far less.
const answerTime = 10 * time.Second

var errLate = errors.New("no answer within 10 s")

// Reach makes every request of a client that gets no answer at all, or none in
// time, fail with a copy of u. A command may talk to two API servers, the management
// cluster's and a tenant's, and what to do differs.
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
	ctx, cancel := context.WithCancelCause(req.Context())
	// A watch may have nothing to tell for long.
	if req.URL.Query().Get("watch") != "true" {
		late := time.AfterFunc(answerTime, func() { cancel(errLate) })
		defer late.Stop()
	}
	res, err := r.next.RoundTrip(req.WithContext(ctx))
	if err == nil {
		res.Body = &body{ReadCloser: res.Body, done: func() { cancel(nil) }}
		return res, nil
	}
	defer cancel(nil)
	if req.Context().Err() != nil {
		return nil, err
	}
	u := r.as
	u.Err = err
	if errors.Is(context.Cause(ctx), errLate) {
		u.Err = errLate
	}
	return nil, &u
}

// body keeps the context of a request until its answer has been read.
type body struct {
	io.ReadCloser
	done func()
}

func (b *body) Close() error {
	defer b.done()
	return b.ReadCloser.Close()
}
