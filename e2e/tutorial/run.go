package tutorial

import (
	"context"
	"fmt"
)

// reader does what a page says, as a person would who has nothing but the page.
type reader struct {
	folder    string
	env       []string
	terminals map[string]*terminal
}

// follow does one block after the other. At the end nothing runs in a terminal.
func (r *reader) follow(ctx context.Context, blocks []block) error {
	for _, b := range blocks {
		if err := r.do(ctx, b); err != nil {
			return fmt.Errorf("line %d: %w", b.Line, err)
		}
	}
	for _, t := range r.terminals {
		if err := t.awaitEnd(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) do(ctx context.Context, b block) error {
	t, err := r.terminal(b.Terminal)
	if err != nil {
		return err
	}
	switch b.Kind {
	case commands:
		if err := t.begin(b.Text); err != nil || b.KeepsRunning {
			return err
		}
		return t.awaitEnd(ctx)
	case keys:
		if err := t.interrupt(); err != nil {
			return err
		}
		return t.awaitEnd(ctx)
	default:
		return t.awaitText(ctx, b.Text)
	}
}

// close closes the terminals, and waits until their shells have ended.
func (r *reader) close() error {
	for _, t := range r.terminals {
		if err := t.close(); err != nil {
			return err
		}
	}
	return nil
}

// terminal is the terminal of a name, which is opened when it is first spoken of.
func (r *reader) terminal(name string) (*terminal, error) {
	if t, found := r.terminals[name]; found {
		return t, nil
	}
	t, err := open(name, r.folder, r.env)
	if err == nil {
		r.terminals[name] = t
	}
	return t, err
}
