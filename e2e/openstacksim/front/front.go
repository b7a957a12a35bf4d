// Package front is the simulator's HTTP side: it finds the route of a request, writes
// down the call, does the faults that a test has asked for, and answers in the dialect of
// the service. What a request means, the services know.
package front

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"path"
	"strings"
	"sync"

	"github.com/marina-dev/marina/e2e/openstacksim/state"
)

// Caller is whose token a request carries.
type Caller struct {
	UserID, UserName       string
	ProjectID, ProjectName string
	Roles                  []string
	Admin                  bool
}

// Front answers all services on one listener.
type Front struct {
	state *state.State
	mux   *http.ServeMux
	// auth finds whose a token is. It is called under the lock.
	auth func(token string) (Caller, bool)

	routes   map[string]*route
	services []*Service

	mu     sync.Mutex
	calls  []*Call
	next   int // the number of the next call
	faults []*Fault
	before Hook
	after  Hook
	done   chan struct{}
}

// New is a front without services.
func New(s *state.State) *Front {
	return &Front{state: s, mux: http.NewServeMux(), routes: map[string]*route{}, done: make(chan struct{})}
}

// Authenticate sets who knows whose a token is.
func (f *Front) Authenticate(auth func(token string) (Caller, bool)) { f.auth = auth }

// Close lets go of what hangs.
func (f *Front) Close() { close(f.done) }

// ServeHTTP answers one request.
func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// Read whole, so that the server notices when a client goes.
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	// OpenStack does not tell /servers/ from /servers.
	r.URL.Path, r.URL.RawPath = path.Clean("/"+r.URL.Path), ""

	_, pattern := f.mux.Handler(r)
	rt := f.routes[pattern]
	if rt == nil {
		f.record(Call{Service: "unknown", Method: r.Method, Path: r.URL.Path, URL: r.URL.RequestURI(), Status: http.StatusNotFound, Time: f.state.Clock().Now().UTC()})
		f.nowhere(r.URL.Path).write(w)
		return
	}
	req := &Request{Request: r, Body: body, state: f.state}
	f.state.Look(func() { req.Caller, req.known = f.auth(r.Header.Get("X-Auth-Token")) })
	call := f.record(Call{Service: rt.service.Name, Method: r.Method, Path: rt.path, URL: r.URL.RequestURI(), Project: req.Caller.ProjectID, Time: f.state.Clock().Now().UTC()})
	f.answer(w, req, rt, call)
}

// nowhere is the answer of a path that there is not.
func (f *Front) nowhere(path string) Reply {
	for _, s := range f.services {
		if s.Nowhere != nil && strings.HasPrefix(path, s.Prefix+"/") {
			return s.Nowhere()
		}
	}
	return Plain(http.StatusNotFound, "The resource could not be found.<br /><br />\n\n\n")
}

func (f *Front) answer(w http.ResponseWriter, r *Request, rt *route, recorded *Call) {
	call := *recorded
	if f.hook(&f.before, call) == Cut {
		cut(w)
		return
	}
	effect := f.fault(call)
	if !f.wait(r, effect) {
		cut(w)
		return
	}
	var reply Reply
	if effect.status != 0 {
		reply = rt.service.fail(effect.failure())
	} else {
		// The path values of the pattern are set only while the mux serves.
		f.mux.ServeHTTP(nil, r.WithContext(with(r.Context(), r, &reply)))
	}
	call = f.finish(recorded, reply.Status)
	if f.hook(&f.after, call) == Cut || effect.lost {
		cut(w)
		return
	}
	reply.write(w)
}

// cut breaks the connection without an answer.
func cut(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn() // no good-bye either
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // a reset, not an end
	}
	_ = conn.Close()
}
