package front

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/marina-dev/marina/e2e/openstacksim/state"
)

// Service is one service of the cloud.
type Service struct {
	// Name is its type in the catalog, as calls are recorded by it.
	Name string
	// Prefix comes before the paths of its routes.
	Prefix string
	// Error renders an error in its dialect.
	Error func(*Error) Reply
	// Before is asked before each handler, under the lock. It may refuse.
	Before func(*Request) error
	// Nowhere is the answer where there is no such path; Plain's if there is none.
	Nowhere func() Reply
	// Denied is the answer to a token that is none; that of Keystone's middleware if there is
	// none.
	Denied func() Reply
	// Header adds to every answer.
	Header func(r *Request, h http.Header)

	front *Front
}

// Handler answers a request, under the lock. What it returns is sent as JSON with the
// route's status, or as it is if it is a Reply.
type Handler func(*Request) (any, error)

type route struct {
	service *Service
	path    string
	status  int
	open    bool
	handle  Handler
}

// Add adds a service.
func (f *Front) Add(s *Service) *Service {
	s.front = f
	f.services = append(f.services, s)
	return s
}

// Handle adds a route that needs a token. The status is the one of success.
func (s *Service) Handle(method, path string, status int, h Handler) {
	s.add(s.Prefix, method, path, &route{service: s, path: path, status: status, handle: h})
}

// Open adds a route that needs no token, at a path of its own.
func (s *Service) Open(method, prefix, path string, status int, h Handler) {
	s.add(prefix, method, path, &route{service: s, path: path, status: status, handle: h, open: true})
}

func (s *Service) add(prefix, method, path string, rt *route) {
	full := prefix + path
	if path == "/" {
		full = prefix // trailing slashes are cut off before a route is looked for
	}
	pattern := method + " " + full
	s.front.routes[pattern] = rt
	s.front.mux.HandleFunc(pattern, func(_ http.ResponseWriter, r *http.Request) {
		carried := r.Context().Value(carryKey{}).(carry)
		carried.request.Request = r
		*carried.reply = rt.serve(carried.request)
	})
}

func (rt *route) serve(r *Request) (reply Reply) {
	header := http.Header{}
	do := r.state.Do
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		do = r.state.Look
	}
	do(func() {
		body, err := rt.run(r)
		if s := rt.service; s.Header != nil {
			s.Header(r, header)
		}
		if err != nil {
			reply = rt.service.fail(asError(err))
			return
		}
		var ok bool
		if reply, ok = body.(Reply); !ok {
			reply = JSON(rt.status, body)
		}
	})
	for k, v := range reply.Header {
		header[k] = v
	}
	reply.Header = header
	return reply
}

func (rt *route) run(r *Request) (any, error) {
	if !rt.open && !r.known {
		return nil, &Error{Status: http.StatusUnauthorized, Message: "The request you have made requires authentication."}
	}
	if rt.service.Before != nil {
		if err := rt.service.Before(r); err != nil {
			return nil, err
		}
	}
	return rt.handle(r)
}

func (s *Service) fail(e *Error) Reply {
	var reply Reply
	if e.Status == http.StatusUnauthorized {
		// Said by the middleware in front of every service.
		reply = JSON(e.Status, map[string]any{"error": map[string]any{"code": 401, "title": "Unauthorized", "message": e.Message}})
		if s.Denied != nil {
			reply = s.Denied()
		}
		reply.Header.Set("WWW-Authenticate", `Keystone uri="/identity"`)
	} else {
		reply = s.Error(e)
	}
	for k, v := range e.Header {
		reply.Header.Set(k, v)
	}
	return reply
}

// Reply is an answer as it is sent.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte
}

// JSON is an answer with a body in JSON, or without one.
func JSON(status int, body any) Reply {
	reply := Reply{Status: status, Header: http.Header{}}
	if body == nil {
		return reply
	}
	data, err := json.Marshal(body)
	if err != nil {
		panic(err) // only our own types are marshalled
	}
	reply.Body = data
	reply.Header.Set("Content-Type", "application/json")
	return reply
}

func (r Reply) write(w http.ResponseWriter) {
	for k, v := range r.Header {
		w.Header()[k] = v
	}
	w.Header().Set("X-Openstack-Request-Id", "req-"+state.NewID())
	w.WriteHeader(r.Status)
	_, _ = w.Write(r.Body)
}

// Plain is an error as webob writes it for who takes JSON: that of Glance, and where there is
// no such path.
func Plain(status int, message string) Reply {
	text := http.StatusText(status)
	return JSON(status, map[string]any{"code": fmt.Sprintf("%d %s", status, text), "title": text, "message": message})
}

// carry is what goes through the mux beside the request.
type carry struct {
	request *Request
	reply   *Reply
}

type carryKey struct{}

func with(ctx context.Context, r *Request, reply *Reply) context.Context {
	return context.WithValue(ctx, carryKey{}, carry{r, reply})
}
