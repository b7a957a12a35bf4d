package openstack

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"syscall"
	"time"

	"github.com/gophercloud/gophercloud/v2"
)

// Kind is what is wrong, in whatever dialect a service says it.
type Kind string

const (
	// Quota is that of the project.
	Quota Kind = "QuotaExceeded"
	// NoCapacity means that the cloud is full: no host, no address.
	NoCapacity Kind = "NoCapacity"
	// BadRequest is something that the service does not take.
	BadRequest Kind = "BadRequest"
	// Unauthorized is that of credentials which are wrong, expired or revoked.
	Unauthorized Kind = "Unauthorized"
	// Forbidden is what the roles of the credentials do not allow.
	Forbidden Kind = "Forbidden"
	// NotFound is an object, or a service in the catalogue.
	NotFound Kind = "NotFound"
	// Conflict means that something is in use or is changing.
	Conflict Kind = "Conflict"
	// Throttled means that the cloud has been asked too often.
	Throttled Kind = "Throttled"
	// Unavailable means that the service does not answer, or fails. It may have done what it
	// was asked to do.
	Unavailable Kind = "Unavailable"
	// Untrusted is a certificate of an endpoint that does not verify.
	Untrusted Kind = "Untrusted"
)

// Error is what a service refused with, or why there is no answer.
type Error struct {
	Kind Kind
	// Service is its type in the catalogue.
	Service string
	// Status is that of HTTP, or zero when there was no answer.
	Status int
	// Message has the service's own words. They are the same each time, and no secret.
	Message string
	// After is when the service wants to be asked again; zero if it has not said so.
	After time.Duration
	// Err is what it comes from. Its text is not for people: it may be of any length.
	Err error
}

func (e *Error) Error() string {
	if e.Status == 0 {
		return fmt.Sprintf("%s: %s", e.Service, e.Message)
	}
	return fmt.Sprintf("%s: %s (HTTP %d)", e.Service, e.Message, e.Status)
}

func (e *Error) Unwrap() error { return e.Err }

// Passing reports whether it says nothing of what was asked for: the cloud was not there,
// or too busy.
func (e *Error) Passing() bool { return e.Kind == Throttled || e.Kind == Unavailable }

// Silent reports whether there was no answer at all.
func (e *Error) Silent() bool { return e.Kind == Unavailable && e.Status == 0 }

// ByUser reports whether whoever has the project can change it. The others are for
// whoever runs the cloud, or end by themselves.
func (e *Error) ByUser() bool {
	switch e.Kind {
	case Quota, BadRequest, Unauthorized, Forbidden, NotFound:
		return true
	default:
		return false
	}
}

// As returns err as an *Error: nil if it is none.
func As(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}

// IsKind reports whether err is an *Error of a kind.
func IsKind(err error, kind Kind) bool {
	e := As(err)
	return e != nil && e.Kind == kind
}

// Classify makes an *Error of what gophercloud has returned of a service; nil stays nil.
func Classify(service string, err error) error {
	if err == nil || As(err) != nil {
		return err
	}
	var again *gophercloud.ErrUnableToReauthenticate
	if errors.As(err, &again) {
		// Why there is no new token is what matters, not that the old one has ended.
		why := Classify(Identity, again.ErrReauth)
		if e := As(why); e != nil && e.Kind == NotFound {
			// Keystone is not where it was. That says nothing of what was asked for: it is not gone.
			e.Kind = Unavailable
		}
		return why
	}
	var refused gophercloud.ErrUnexpectedResponseCode
	if errors.As(err, &refused) {
		return answered(service, refused)
	}
	e := &Error{Kind: Unavailable, Service: service, Err: err}
	var missing *gophercloud.ErrEndpointNotFound
	var missingResource *gophercloud.ErrResourceNotFound
	var untrusted *tls.CertificateVerificationError
	switch {
	case errors.As(err, &missing), errors.As(err, &missingResource):
		e.Kind, e.Message = NotFound, err.Error()
	case errors.As(err, &untrusted):
		e.Kind, e.Message = Untrusted, "its certificate does not verify: "+untrusted.Err.Error()
	default:
		e.Message = "it does not answer: " + silence(err)
	}
	return e
}

// answered is what a service has answered.
func answered(service string, refused gophercloud.ErrUnexpectedResponseCode) *Error {
	what, message := words(refused.Body)
	after, _ := strconv.Atoi(refused.ResponseHeader.Get("Retry-After"))
	e := &Error{
		Service: service, Status: refused.Actual, Err: refused,
		Message: cmp.Or(message, http.StatusText(refused.Actual), "it gives no reason"),
		After:   time.Duration(max(after, 0)) * time.Second,
	}
	e.Kind = kindOf(e, what)
	return e
}

// What services say when a quota is exhausted, or the cloud. Nova and Octavia answer 403
// for the former, as they do for what a policy forbids.
var (
	quota = regexp.MustCompile(`(?i)quota exceeded|quota has been met|exceed(s|ed)?\b.*\bquota|ExceedsAvailableQuota|Maximum number of .* exceed(s|ed)`)
	// Keystone answers 404 to an application credential that was deleted.
	noCredential = regexp.MustCompile(`(?i)could not find application credential`)
	capacity     = regexp.MustCompile(`(?i)no valid host was found|no more IP addresses available|not enough hosts available`)
)

// kindOf is the kind of an answer; what is the type that Neutron gives it.
func kindOf(e *Error, what string) Kind {
	switch {
	case what == "OverQuota":
		return Quota
	case what == "IpAddressGenerationFailure", what == "ExternalIpAddressExhausted", capacity.MatchString(e.Message):
		return NoCapacity
	}
	switch e.Status {
	case http.StatusUnauthorized:
		return Unauthorized
	case http.StatusForbidden:
		if quota.MatchString(e.Message) {
			return Quota
		}
		return Forbidden
	case http.StatusNotFound, http.StatusGone:
		if e.Service == Identity && noCredential.MatchString(e.Message) {
			return Unauthorized
		}
		return NotFound
	case http.StatusConflict:
		return Conflict
	case http.StatusRequestEntityTooLarge:
		// Cinder's quotas come with a Retry-After of 0; old clouds throttle with one.
		if e.After > 0 {
			return Throttled
		}
		return Quota
	case http.StatusTooManyRequests, 498:
		return Throttled
	case http.StatusRequestTimeout:
		return Unavailable
	}
	if e.Status >= http.StatusInternalServerError || e.Status < http.StatusBadRequest {
		return Unavailable
	}
	return BadRequest
}

// Fault is what Nova says of a server in ERROR. The code is often that of a failure in itself,
// whatever it is that failed.
func Fault(code int, message string) *Error {
	e := &Error{Service: Compute, Status: code, Message: tidy(message)}
	if e.Kind = kindOf(e, ""); e.Kind != NoCapacity && quota.MatchString(e.Message) {
		e.Kind = Quota
	}
	return e
}

// silence says why there is no answer, without addresses of ours, which change each time.
func silence(err error) string {
	var name *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &name):
		return fmt.Sprintf("host %s: %s", name.Name, name.Err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.Is(err, syscall.ECONNRESET):
		return "connection reset"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "connection closed"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "timed out"
	case errors.Is(err, context.Canceled):
		return "canceled"
	default:
		return "connection failed"
	}
}
