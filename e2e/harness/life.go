package harness

import (
	"context"
	"fmt"
	"testing"
)

// Life is what happens to something, step by step, whoever is killed meanwhile.
type Life struct {
	// Of is whose life it is.
	Of    string
	Steps []Step
}

// Step is begun once, as a user does who tries again until the API server has taken it, and is
// done at some time.
type Step struct {
	Name  string
	Begin func(context.Context) error
	Done  func(context.Context) error
	begun bool
}

// GoOn gets on with a life by one step at the most, and returns what it is at; nil at its end.
func (l *Life) GoOn(ctx context.Context, t testing.TB) error {
	t.Helper()
	if len(l.Steps) == 0 {
		return nil
	}
	now := &l.Steps[0]
	if !now.begun {
		if err := now.Begin(ctx); err != nil {
			return fmt.Errorf("%s: %s is refused: %w", l.Of, now.Name, err)
		}
		now.begun = true
		t.Logf("%s: %s", l.Of, now.Name)
	}
	if err := now.Done(ctx); err != nil {
		return fmt.Errorf("%s: %s: %w", l.Of, now.Name, err)
	}
	l.Steps = l.Steps[1:]
	return fmt.Errorf("%s: %s is done", l.Of, now.Name)
}
