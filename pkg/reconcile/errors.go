package reconcile

import (
	"errors"
	"fmt"
	"time"
)

// Kind is what has to happen before a step can go on.
type Kind int

const (
	// KindWait waits for somebody else; an event or the time given wakes it.
	KindWait Kind = iota
	// KindRetry met a fault that may pass.
	KindRetry
	// KindUser needs a change of the spec, or of what it names, by a person.
	KindUser
)

// Error is a step's outcome other than success. Reason is a CamelCase word and
// Message a sentence for people: both end up in a condition, so that neither may
// hold a secret.
type Error struct {
	Kind    Kind
	Reason  string
	Message string
	// After is when to look again at the latest; zero leaves it to an event
	// (KindWait, KindUser) or to the queue's back-off (KindRetry).
	After time.Duration
	Err   error
}

func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("%s: %s: %v", e.Reason, e.Message, e.Err)
	}
	return fmt.Sprintf("%s: %s", e.Reason, e.Message)
}

func (e *Error) Unwrap() error { return e.Err }

// Wait says that the step waits for somebody else who will wake it.
func Wait(reason, format string, args ...any) error {
	return &Error{Kind: KindWait, Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// WaitFor is Wait with a time after which to look again, for what sends no event.
func WaitFor(after time.Duration, reason, format string, args ...any) error {
	return &Error{Kind: KindWait, Reason: reason, Message: fmt.Sprintf(format, args...), After: after}
}

// Retry says that err may pass by itself.
func Retry(err error, reason, format string, args ...any) error {
	return &Error{Kind: KindRetry, Reason: reason, Message: fmt.Sprintf(format, args...), Err: err}
}

// UserError says that a person must change something; the message says what.
func UserError(reason, format string, args ...any) error {
	return &Error{Kind: KindUser, Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// As returns err as an *Error. An error of any other type becomes a Retry with
// the reason Error, so that nothing is ever lost from status.
func As(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Kind: KindRetry, Reason: "Error", Message: err.Error(), Err: err}
}
