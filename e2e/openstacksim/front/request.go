package front

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/marina-dev/marina/e2e/openstacksim/state"
)

// Request is a request with what is known of it.
type Request struct {
	*http.Request
	Body   []byte
	Caller Caller
	// Minor is the microversion 2.Minor or 3.Minor that was asked for.
	Minor int
	// Version is what is answered of it.
	Version string

	known bool
	state *state.State
}

// Project is the caller's.
func (r *Request) Project() string { return r.Caller.ProjectID }

// Base is the scheme and host that the request came to.
func (r *Request) Base() string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// Decode reads what the body holds under a key.
func (r *Request) Decode(key string, into any) error {
	var body map[string]json.RawMessage
	if err := json.Unmarshal(r.Body, &body); err != nil {
		return &Error{Status: http.StatusBadRequest, Type: "HTTPBadRequest", Message: "Malformed request body"}
	}
	data, ok := body[key]
	if !ok {
		return &Error{Status: http.StatusBadRequest, Type: "HTTPBadRequest", Message: fmt.Sprintf("Invalid input for field/attribute %s. '%s' is a required property", key, key)}
	}
	if err := json.Unmarshal(data, into); err != nil {
		return &Error{Status: http.StatusBadRequest, Type: "HTTPBadRequest", Message: fmt.Sprintf("Invalid input for field/attribute %s. %v", key, err)}
	}
	return nil
}

// Keys are what the body says under a key.
func (r *Request) Keys(key string) (map[string]json.RawMessage, error) {
	keys := map[string]json.RawMessage{}
	err := r.Decode(key, &keys)
	return keys, err
}

// Flag reports whether a query parameter says yes.
func (r *Request) Flag(name string) bool {
	switch strings.ToLower(r.URL.Query().Get(name)) {
	case "1", "true", "yes", "on":
		return true
	}
	return false
}

// Error is what a service refuses with.
type Error struct {
	Status int
	// Type is the name that Neutron gives an error.
	Type    string
	Message string
	Header  map[string]string
}

func (e *Error) Error() string { return fmt.Sprintf("%d %s", e.Status, e.Message) }

// Errorf makes an error.
func Errorf(status int, format string, args ...any) *Error {
	return &Error{Status: status, Message: fmt.Sprintf(format, args...)}
}

func asError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Status: http.StatusInternalServerError, Message: err.Error()}
}

// faultNames are the keys under which Nova and Cinder put their errors.
var faultNames = map[int]string{
	400: "badRequest", 401: "unauthorized", 403: "forbidden", 404: "itemNotFound", 405: "badMethod",
	409: "conflictingRequest", 413: "overLimit", 415: "badMediaType", 429: "overLimit", 501: "notImplemented", 503: "serviceUnavailable",
}

// FaultNamed is an error as Nova and Cinder send it; other is the key of what has none.
func FaultNamed(e *Error, other string) Reply {
	name, ok := faultNames[e.Status]
	if !ok {
		name = other
	}
	fault := map[string]any{"code": e.Status, "message": e.Message}
	if after := e.Header["Retry-After"]; after != "" {
		fault["retryAfter"] = after
	}
	return JSON(e.Status, map[string]any{name: fault})
}
