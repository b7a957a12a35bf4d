// Package failure is how the CLI says that something went wrong: one line with
// the problem, one line for each cause if there are several, one line with what
// to do, and an exit code that scripts can rely on.
//
// It knows the errors of the Kubernetes API and of the network, and no command.
package failure

import (
	"fmt"
)

// Exit codes of marina. They are part of its interface: scripts depend on them.
const (
	// ExitOK: done.
	ExitOK = 0
	// ExitFailure: it was tried and did not work.
	ExitFailure = 1
	// ExitUsage: the command line is wrong; nothing was tried.
	ExitUsage = 2
	// ExitTimeout: what was waited for did not happen in time. It may still happen.
	ExitTimeout = 3
	// ExitInterrupted: a person or a supervisor stopped it; 128 + SIGINT, as shells
	// report it.
	ExitInterrupted = 130
)

// Error is a failure as a person shall read it.
type Error struct {
	// Exit is the exit code; zero means ExitFailure.
	Exit int
	// Message is what is wrong, without a capital and a full stop.
	Message string
	// Causes are printed one a line below Message.
	Causes []string
	// Do is what to do about it, if that is known.
	Do string
	// Err is what it comes from, for errors.Is and errors.As only.
	Err error
}

func (e *Error) Error() string { return e.Message }

func (e *Error) Unwrap() error { return e.Err }

// New is a failure with what to do about it.
func New(do, format string, args ...any) *Error {
	return &Error{Message: fmt.Sprintf(format, args...), Do: do}
}

// Usage is a mistake on the command line of the command with the given path.
func Usage(commandPath, format string, args ...any) *Error {
	return &Error{
		Exit:    ExitUsage,
		Message: fmt.Sprintf(format, args...),
		Do:      fmt.Sprintf("see '%s --help'", commandPath),
	}
}

// Timeout is something that did not happen in time.
func Timeout(do, format string, args ...any) *Error {
	return &Error{Exit: ExitTimeout, Message: fmt.Sprintf(format, args...), Do: do}
}

// Interrupted is a command that was stopped from outside. Do tells what goes on
// without it.
func Interrupted(do string) *Error {
	return &Error{Exit: ExitInterrupted, Message: "interrupted", Do: do}
}
