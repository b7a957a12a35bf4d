package waiting

import (
	"context"
	"errors"
	"testing"
	"time"
)

// What --timeout sets must be told from an interrupt.
func TestLimit(t *testing.T) {
	ctx, cancel := Limit(t.Context(), time.Nanosecond)
	defer cancel()
	<-ctx.Done()
	if !errors.Is(context.Cause(ctx), ErrTimedOut) {
		t.Errorf("the cause is %v, want %v", context.Cause(ctx), ErrTimedOut)
	}
	ctx, cancel = Limit(t.Context(), 0)
	defer cancel()
	if _, limited := ctx.Deadline(); limited {
		t.Error("0 is without limit")
	}
}
