package harness

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// fatal ends an Await at once.
type fatal struct{ error }

func (f fatal) Unwrap() error { return f.error }

// Fatal marks an error that waiting will not change.
func Fatal(err error) error { return fatal{err} }

// Await asks twenty times a second until check succeeds, and returns its last error
// when the time is over.
func Await(ctx context.Context, limit time.Duration, check func(context.Context) error) error {
	return AwaitEvery(ctx, 50*time.Millisecond, limit, check)
}

// AwaitEvery is Await for what costs something to ask.
func AwaitEvery(ctx context.Context, interval, limit time.Duration, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	deadline, _ := ctx.Deadline()
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	var last error
	for {
		err := check(ctx)
		var f fatal
		if err == nil || errors.As(err, &f) {
			return err
		}
		// That the time was over, or too short for another request, says nothing.
		if last == nil || time.Until(deadline) > interval {
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not within %s: %w", limit, last)
		case <-ticker.C:
		}
	}
}
