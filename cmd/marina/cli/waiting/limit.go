package waiting

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/marina-dev/marina/cmd/marina/cli/failure"
	"github.com/marina-dev/marina/cmd/marina/cli/session"
)

// defaultTimeout is how long to wait if --timeout is not given. A cluster is
// ready in seconds; its deletion may wait for load balancers and volumes.
const defaultTimeout = 10 * time.Minute

// ErrTimedOut is the cause of the end of a context that Limit has limited.
var ErrTimedOut = errors.New("timed out")

// Limit gives the context a time limit; zero is none.
func Limit(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if timeout == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, timeout, ErrTimedOut)
}

// Within opens the management cluster and does what a command does there, in a context that
// its --timeout has limited. A negative one is refused, and nothing opened.
func Within(cmd *cobra.Command, open session.Opener, timeout time.Duration, do func(context.Context, *session.Session) error) error {
	if err := CheckTimeout(cmd, timeout); err != nil {
		return err
	}
	s, err := open(cmd)
	if err != nil {
		return err
	}
	ctx, cancel := Limit(cmd.Context(), timeout)
	defer cancel()
	return do(ctx, s)
}

// TimeoutFlag defines --timeout.
func TimeoutFlag(cmd *cobra.Command, timeout *time.Duration) {
	cmd.Flags().DurationVar(timeout, "timeout", defaultTimeout, "how long to wait; 0 is without limit")
}

// CheckTimeout refuses a negative time, which would be over before it began.
func CheckTimeout(cmd *cobra.Command, timeout time.Duration) error {
	if timeout < 0 {
		return failure.Usage(cmd.CommandPath(), "--timeout must not be negative")
	}
	return nil
}

// After says how long something took, if a person could notice.
func After(d time.Duration) string {
	if d < time.Second {
		return ""
	}
	return fmt.Sprintf(" after %s", d)
}
