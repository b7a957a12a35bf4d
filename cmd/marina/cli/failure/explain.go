package failure

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/marina-dev/marina/pkg/reconcile"
)

// Explain turns any error into one that a person can read. An *Error is taken as
// it is.
func Explain(err error) *Error {
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	// Before the context's errors: a dial that times out counts as
	// context.DeadlineExceeded, though nobody has set a deadline.
	var unreachable *Unreachable
	if errors.As(err, &unreachable) {
		return unreachable.explain()
	}
	switch {
	case errors.Is(err, context.Canceled):
		return Interrupted("")
	case errors.Is(err, context.DeadlineExceeded):
		return Timeout(StartAgain+"; or allow more time with --timeout", "the management cluster does not answer in time")
	}
	var step *reconcile.Error
	if errors.As(err, &step) {
		return explainStep(step)
	}
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return explainStatus(err, status.Status())
	}
	return &Error{Message: err.Error(), Err: err}
}

// explainStep takes the message, which is a sentence for people, and leaves the
// reason, which is a word for programs.
func explainStep(step *reconcile.Error) *Error {
	e := &Error{Message: step.Message, Err: step}
	if step.Err != nil {
		e.Message += ": " + Explain(step.Err).Message
	}
	return e
}

// Unreachable is an API server that gives no answer at all.
type Unreachable struct {
	// What it is, such as "the management cluster".
	What string
	// Server is its address, and Kubeconfig where that address stands; it may be
	// empty.
	Server, Kubeconfig string
	// Do is what to do about it.
	Do string
	// DoIfSilent is what to do when it is there and gives no answer in time; Do if empty.
	DoIfSilent string
	Err        error
}

func (e *Unreachable) Error() string { return e.explain().Message }

func (e *Unreachable) Unwrap() error { return e.Err }

func (e *Unreachable) explain() *Error {
	where := e.Server
	if e.Kubeconfig != "" {
		where += fmt.Sprintf(" (kubeconfig %s)", e.Kubeconfig)
	}
	do := e.Do
	if errors.Is(e.Err, errLate) {
		do = cmp.Or(e.DoIfSilent, do)
	}
	return &Error{Message: fmt.Sprintf("%s does not answer at %s: %s", e.What, where, networkReason(e.Err)), Do: do, Err: e.Err}
}

// networkReason is the innermost reason of a network error: the layers around it
// repeat method, URL and address.
func networkReason(err error) string {
	var name *net.DNSError
	var call *os.SyscallError
	var timeout net.Error
	switch {
	case errors.As(err, &name):
		return fmt.Sprintf("host %s: %s", name.Name, name.Err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.As(err, &call):
		return call.Err.Error()
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timed out"
	default:
		return err.Error()
	}
}
